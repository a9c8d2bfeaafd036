"""Whatever describes a node image names the same file for the same version, with a checksum that can be one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...core.records import Severity
from ..images import NodeImage, node_images
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..versions import parse_kubernetes

IMAGE = 'image.yaml'
IN_URL = re.compile(r'kube-(v?\d+\.\d+(?:\.\d+)?)(?!\.?\d)')
# Hexadecimal digits of the checksums that OpenStack and ORC know.
DIGITS = {'md5': 32, 'sha1': 40, 'sha256': 64, 'sha512': 128}


def check(stack: Stack) -> Iterable[Hit]:
    images = node_images(stack)
    for image in images:
        yield from _address(image)
        yield from _checksum(image)
    listed = [image for image in images if image.form == 'list']
    for image in images:
        for other in listed:
            if image.form == 'object' and image.version is not None and image.version == other.version:
                yield from _equal(image, other)
    yield from _twice(listed)
    yield from _declared(stack, images, listed)


def _address(image: NodeImage) -> Iterator[Hit]:
    if image.url is None:
        if image.form == 'list':
            file, line = image.place(image.owner)
            yield Hit(file, line, f'{image.name} has no address to take it from: add url', wanted='url')
        return
    for seen in IN_URL.findall(image.url.text):
        stated = parse_kubernetes(seen)
        if stated and image.version and not stated.agrees(image.version):
            file, line = image.place(image.url)
            message = f'the address is of {seen}, the entry of {image.version}: correct the one that is wrong'
            yield Hit(file, line, message, seen=seen, wanted=str(image.version))


def _checksum(image: NodeImage) -> Iterator[Hit]:
    if image.checksum is None:
        if image.form != 'cspo' and image.url is not None:
            file, line = image.place(image.url)
            message = f'{image.name} has no checksum: a broken download becomes a node image; take it from .CHECKSUM'
            yield Hit(file, line, message, wanted='sha256', severity=Severity.WARNING)
        return
    digits = DIGITS.get(image.algorithm, 0)
    if not digits or not re.fullmatch(f'[0-9a-f]{{{digits}}}', image.digest):
        file, line = image.place(image.checksum)
        wanted = f'{digits} hexadecimal digits' if digits else ', '.join(DIGITS)
        message = f'this is no checksum by {image.algorithm or "any algorithm"}: take it from the .CHECKSUM file'
        yield Hit(file, line, message, seen=image.checksum.text, wanted=wanted)


def _equal(image: NodeImage, other: NodeImage) -> Iterator[Hit]:
    if image.url is None or other.url is None:
        return
    there, line_there = other.place(other.url)
    if image.url.text != other.url.text:
        file, line = image.place(image.url)
        message = f'{there}:{line_there} has another address for {image.version}: correct the one that is wrong'
        yield Hit(file, line, message, seen=image.url.text, wanted=other.url.text)
    elif image.checksum is not None and other.checksum is not None and image.digest != other.digest:
        file, line = image.place(image.checksum)
        message = f'{there}:{other.place(other.checksum)[1]} has another checksum for the same file: one is wrong'
        yield Hit(file, line, message, seen=image.digest, wanted=other.digest)


def _twice(listed: Sequence[NodeImage]) -> Iterator[Hit]:
    """An entry that was copied and not changed throughout."""
    for what, value in (('name', lambda i: i.name), ('address', _url), ('checksum', lambda i: i.digest)):
        first: dict[str, NodeImage] = {}
        for image in listed:
            text = value(image)
            if text and text in first and image.place(image.owner) != first[text].place(first[text].owner):
                node = {'address': image.url, 'checksum': image.checksum}.get(what) or image.owner
                file, line = image.place(node)
                message = f'{image.name} has the {what} of {first[text].name} in line '
                message += f'{first[text].place(first[text].owner)[1]}: correct or remove one'
                yield Hit(file, line, message, seen=text)
            first.setdefault(text, image)


def _url(image: NodeImage) -> str:
    return image.url.text if image.url is not None else ''


def _declared(stack: Stack, images: Sequence[NodeImage], listed: Sequence[NodeImage]) -> Iterator[Hit]:
    """Where images are listed for users to import, the one for the declared version is there."""
    version = stack.version
    if version is None or not listed or any(i.version and i.version.agrees(version) for i in images):
        return
    file, line = listed[-1].place(listed[-1].owner)
    message = f'{file} has no image of the declared version {version}: add it, clusters of this stack ask for it'
    yield Hit(file, line, message, wanted=str(version))


def _list(version: str = 'v1.34.7', checksum: str = 'a' * 64, url: str = 'v1.34.7') -> str:
    return 'images:\n  - name: ubuntu-capi-image\n    versions:\n' + _entry(version, checksum, url)


def _entry(version: str = 'v1.34.7', checksum: str = 'a' * 64, url: str = 'v1.34.7') -> str:
    return (
        f'      - version: {version}\n'
        f'        url: https://images.example/ubuntu-2404-kube-v1.34/ubuntu-2404-kube-{url}.qcow2\n'
        f'        checksum: "sha256:{checksum}"\n'
    )


def _object(checksum: str = 'a' * 64, host: str = 'images.example') -> str:
    return (
        'kind: Image\nmetadata:\n  name: ubuntu-capi-image-v1.34.7\nspec:\n  resource:\n    content:\n      download:\n'
        f'        url: https://{host}/ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
        f'        hash:\n          algorithm: sha256\n          value: {checksum}\n'
    )


_LIST = 'kubernetes.yaml'

RULE = Rule(
    id='image-lists',
    severity=Severity.ERROR,
    title='image lists and Image objects agree in version, address and checksum',
    motivation='A generator that did not look at HTTP errors wrote the checksum of an error page.',
    check=check,
    bad=(
        Example({_LIST: _list(version='v1.34.6') + _entry()}, hits=((_LIST, 5), (_LIST, 8), (_LIST, 9))),
        Example({_LIST: _list(checksum='abc')}, hits=((_LIST, 6),)),
        Example({_LIST: _list(), IMAGE: _object('b' * 64)}, hits=((IMAGE, 11),)),
        Example({_LIST: _list(), IMAGE: _object(host='elsewhere.example')}, hits=((IMAGE, 8),)),
        Example({_LIST: _list() + _entry('v1.34.6', url='v1.34.6')}, hits=((_LIST, 9),)),
        Example({_LIST: _list() + _entry(checksum='b' * 64)}, hits=((_LIST, 7), (_LIST, 8))),
        Example({_LIST: _list('v1.34.6', url='v1.34.6')}, hits=((_LIST, 4),)),
        Example({IMAGE: _object().partition('        hash')[0]}, hits=((IMAGE, 8),)),
    ),
    good=(
        Example({_LIST: _list() + _entry('v1.34.6', 'b' * 64, 'v1.34.6'), IMAGE: _object()}),
        Example({'cluster-class/templates/x.yaml': 'x\n'}, rendered={'cluster-class': ''}),
    ),
)
