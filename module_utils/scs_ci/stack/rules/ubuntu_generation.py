"""Node images are of the Ubuntu release that their builder uses for the Kubernetes minor, and say so consistently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..bucket import ubuntu_release
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..statements import is_source, source_text, without_prose
from ..versions import parse_kubernetes

# An image as the community's builder names it: Ubuntu release, Kubernetes version.
IMAGE = re.compile(r'ubuntu-(?P<release>\d{4})-kube-(?P<version>v?\d+\.\d+)')
# The builder's buckets, the present and the former one: only for them it is known what they have.
BUCKET = '/openstack-k8s-capi-images/'
DISTRO_VERSION = re.compile(r'^\s*(?:version|os_version):\s*["\']?(?P<release>\d\d\.\d\d)["\']?\s*(?:#.*)?$')
IMAGE_FILE = 'image.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for path in stack.files:
        if is_source(path) and not path.lower().endswith('.md'):
            yield from _file(path, list(without_prose(source_text(stack, path))))


def _file(path: str, lines: list[tuple[int, str]]) -> Iterable[Hit]:
    named = [(number, match, line) for number, line in lines for match in IMAGE.finditer(line)]
    for number, match, line in named:
        version = parse_kubernetes(match['version'])
        wanted = ubuntu_release(version) if version else match['release']
        if match['release'] != wanted and BUCKET in line:
            message = (
                f'the image is of Ubuntu {match["release"]}, images of Kubernetes {version} are built on {wanted}: '
            )
            yield Hit(path, number, f'{message}take the address from the bucket', match['release'], wanted)
    releases = {match['release'] for _, match, _ in named}
    if len(releases) == 1:
        (release,) = releases
        yield from _described(path, lines, f'{release[:2]}.{release[2:]}')


def _described(path: str, lines: list[tuple[int, str]], release: str) -> Iterator[Hit]:
    """The release that an Image object or a list states as a property."""
    for number, line in lines:
        match = DISTRO_VERSION.match(line)
        if match and match['release'] != release:
            message = f'the properties say Ubuntu {match["release"]}, the address is of an image of {release}: '
            yield Hit(path, number, f'{message}correct the one that is wrong', match['release'], release)


def _image(release: str, version: str, stated: str = '', host: str = f'https://images.example{BUCKET}') -> str:
    text = f'url: {host}ubuntu-{release}-kube-v1.34/ubuntu-{release}-kube-{version}.qcow2\n'
    return text + (f'operatingSystem:\n  distro: ubuntu\n  version: "{stated}"\n' if stated else '')


RULE = Rule(
    id='ubuntu-generation',
    severity=Severity.ERROR,
    title='the Ubuntu release of node images fits the Kubernetes minor and is stated once',
    motivation=(
        'Images up to Kubernetes 1.32 are built on Ubuntu 22.04, later ones on 24.04. The old generator kept writing '
        '2204 into addresses, which then led nowhere.'
    ),
    check=check,
    bad=(
        Example({IMAGE_FILE: _image('2204', 'v1.34.7')}, hits=((IMAGE_FILE, 1),)),
        Example({'node-images/config.yaml': _image('2204', 'v1.34.7')}, hits=(('node-images/config.yaml', 1),)),
        Example({IMAGE_FILE: _image('2404', 'v1.34.7', '22.04')}, hits=((IMAGE_FILE, 4),)),
    ),
    good=(
        Example({IMAGE_FILE: _image('2404', 'v1.34.7', '24.04')}),
        Example({IMAGE_FILE: _image('2204', 'v1.34.7', '22.04', 'https://own.example/')}),
    ),
)
