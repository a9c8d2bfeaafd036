"""Versions and names of releases: dotted and dashed forms, tags, Kubernetes versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..core.errors import UsageProblem

DOTTED = re.compile(r'v(?P<major>\d+)(?:-(?P<channel>\w+)\.(?P<patch>\w+))?')
DASHED = re.compile(r'v(?P<major>\d+)(?:-(?P<channel>\w+)-(?P<patch>\w+))?')
KUBERNETES = re.compile(r'v?(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?')
STABLE = 'stable'


@dataclass(frozen=True)
class ReleaseVersion:
    """Version of a release, e.g. v2 or v0-sha.azlfam7. channel: 'stable' when the text has none; patch: '' then."""

    major: int
    channel: str = STABLE
    patch: str = ''

    @property
    def dotted(self) -> str:
        """Form in metadata, chart versions, file names and class names."""
        return f'v{self.major}' if self.channel == STABLE else f'v{self.major}-{self.channel}.{self.patch}'

    @property
    def dashed(self) -> str:
        """Form in tags and names of Kubernetes objects."""
        return self.dotted.replace('.', '-')

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Sort key within one channel; patches compare as numbers when they are numbers."""
        number = int(self.patch) if self.patch.isdecimal() else -1
        return self.major, 0 if number < 0 else 1, number, self.patch


def parse_release(text: str) -> ReleaseVersion:
    """A release version in either form; UsageProblem for anything else."""
    match = DOTTED.fullmatch(text) or DASHED.fullmatch(text)
    if not match:
        raise UsageProblem(
            'cannot read release version', repr(text), 'it is neither vN nor vN-channel.patch', 'correct it'
        )
    return ReleaseVersion(int(match['major']), match['channel'] or STABLE, match['patch'] or '')


@dataclass(frozen=True)
class Kubernetes:
    """A Kubernetes version; patch is None when only the minor is stated."""

    major: int
    minor: int
    patch: int | None = None

    def __str__(self) -> str:
        return f'v{self.major}.{self.minor}' + ('' if self.patch is None else f'.{self.patch}')

    @property
    def dashed_minor(self) -> str:
        """Form in names: 1-34."""
        return f'{self.major}-{self.minor}'

    @property
    def dotted_minor(self) -> str:
        """Form in addresses and tables: 1.34."""
        return f'{self.major}.{self.minor}'

    @property
    def order(self) -> tuple[int, int, int]:
        """Sort key; a missing patch comes first."""
        return self.major, self.minor, -1 if self.patch is None else self.patch

    def like(self, seen: str) -> str:
        """This version as precise as the text that was seen, with or without v, with dashes where that has dashes."""
        if '-' in seen and '.' not in seen:
            return self.dashed_minor
        full = str(self) if seen.count('.') > 1 else f'v{self.dotted_minor}'
        return full if seen.startswith('v') else full.removeprefix('v')

    def agrees(self, other: Kubernetes) -> bool:
        """Whether both can be true; a missing patch fits every patch."""
        same = (self.major, self.minor) == (other.major, other.minor)
        return same and (self.patch == other.patch or None in (self.patch, other.patch))


def parse_kubernetes(text: str) -> Kubernetes | None:
    """A Kubernetes version, with or without v and patch; None when it is not one."""
    match = KUBERNETES.fullmatch(text.strip())
    if not match:
        return None
    return Kubernetes(int(match['major']), int(match['minor']), int(match['patch']) if match['patch'] else None)


@dataclass(frozen=True)
class Identity:
    """What names a stack's releases: provider, stack name, Kubernetes version."""

    provider: str
    name: str
    kubernetes: Kubernetes

    @property
    def base(self) -> str:
        """`<provider>-<stack>-<major>-<minor>`: helm release of the class, key of the version in a run."""
        return f'{self.provider}-{self.name}-{self.kubernetes.dashed_minor}'

    @property
    def class_chart(self) -> str:
        return f'{self.base}-cluster-class'

    def tag(self, version: ReleaseVersion) -> str:
        """Name of the release directory and tag in the registry."""
        return f'{self.base}-{version.dashed}'

    def class_name(self, version: ReleaseVersion) -> str:
        """Name of the ClusterClass."""
        return f'{self.base}-{version.dotted}'

    def class_archive(self, version: ReleaseVersion) -> str:
        return f'{self.class_chart}-{version.dotted}.tgz'

    def addon_archive(self, version: ReleaseVersion) -> str:
        return f'{self.base}-cluster-addon-{version.dotted}.tgz'


def parse_tag(tag: str) -> tuple[Identity, ReleaseVersion] | None:
    """What a tag of a release names: it has five or seven parts. None for a tag of something else."""
    parts = tag.split('-')
    version = DASHED.fullmatch('-'.join(parts[4:]))
    if len(parts) not in (5, 7) or not version or not all(parts[:2]):
        return None
    kubernetes = parse_kubernetes('.'.join(parts[2:4]))
    identity = Identity(parts[0], parts[1], kubernetes) if kubernetes else None
    # 'v01' or a minor '034' would come back as another tag
    found = (identity, parse_release('-'.join(parts[4:]))) if identity else None
    return found if found and found[0].tag(found[1]) == tag else None
