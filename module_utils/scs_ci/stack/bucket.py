"""The bucket of node images: names of its objects, and what its small files say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .versions import Kubernetes, parse_kubernetes

BUCKET = 'https://nbg1.your-objectstorage.com/osism/openstack-k8s-capi-images/'
# Since 2025 new images are only put into the one above; this one is tolerated by the standard for old ones.
FORMER = (
    'https://swift.services.a.regiocloud.tech/swift/v1/AUTH_b182637428444b9aa302bb8d5a5a418c/openstack-k8s-capi-images/'
)
# Names of all buckets of the community's builder end like this, so what is true of its images is true of these.
OF_BUILDER = '/openstack-k8s-capi-images/'
# From this minor on the builder uses Ubuntu 24.04; before, 22.04.
FIRST_NOBLE = (1, 33)
# Images with a suffix, such as -gardener, are variants for others.
LAST_LINE = re.compile(
    r'(?P<date>\d{4}-\d\d-\d\d)\s+ubuntu-(?P<ubuntu>\d{4})-kube-v(?P<minor>\d+\.\d+)/'
    r'ubuntu-(?P=ubuntu)-kube-v(?P<version>\d+\.\d+\.\d+)\.qcow2'
)
SHA256 = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True)
class Image:
    """A node image in the bucket. ubuntu: '2404'; date: ISO day of its build, '' where it is not known."""

    version: Kubernetes
    url: str
    sha256: str
    ubuntu: str
    date: str = ''


@dataclass(frozen=True)
class Last:
    """The newest image of a minor, as `last-<minor>` names it."""

    version: Kubernetes
    ubuntu: str
    date: str


def ubuntu_release(version: Kubernetes) -> str:
    """The Ubuntu release that the builder uses, as in names of images: 2404."""
    return '2404' if (version.major, version.minor) >= FIRST_NOBLE else '2204'


def last_name(minor: Kubernetes) -> str:
    return f'last-{minor.dotted_minor}'


def image_name(version: Kubernetes, ubuntu: str) -> str:
    """Path of the image below the bucket."""
    return f'ubuntu-{ubuntu}-kube-v{version.dotted_minor}/ubuntu-{ubuntu}-kube-{version}.qcow2'


def parse_last(text: str, minor: Kubernetes) -> Last | None:
    """What `last-<minor>` names; None when no line is of an image of that minor, as in an error page."""
    found = []
    for match in filter(None, (LAST_LINE.fullmatch(line.strip()) for line in text.splitlines())):
        version = parse_kubernetes(match['version'])
        if version and match['minor'] == minor.dotted_minor and version.dotted_minor == minor.dotted_minor:
            found.append(Last(version, match['ubuntu'], match['date']))
    return max(found, key=lambda last: last.version.order, default=None)


def parse_checksum(text: str) -> str:
    """The SHA-256 in a `.CHECKSUM` file, its first word; '' when it is none, as in an error page."""
    words = text.split(maxsplit=1)
    return words[0] if words and SHA256.fullmatch(words[0]) else ''


def is_of_builder(text: str, bases: tuple[str, ...] = ()) -> bool:
    """Whether an address, or the name of a file, is of the builder's images. bases: further addresses of them."""
    return '://' not in text or OF_BUILDER in text or any(base in text for base in bases)
