"""Build the tree `plain`: Debian or Ubuntu as on this host, with systemd, cloud-init and sshd, in the cache."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import cache
from ..errors import SandboxError
from ..run import run
from . import customize

PACKAGES = (
    'ca-certificates',
    'cloud-init',
    'curl',
    'dbus',
    'iproute2',
    'iputils-ping',
    'kmod',
    'less',
    'mount',
    'netbase',
    'nftables',
    'openssh-server',
    'procps',
    'python3',
    'rsync',
    'sudo',
    'systemd',
    'systemd-sysv',
    'tar',
    'zstd',
)
COMPONENTS = ('main', 'universe')
UPDATE_TIMEOUT = 300.0  # seconds; 5 s with a near mirror
BUILD_TIMEOUT = 900.0  # seconds; 60 s on 2 cores with a near mirror, the rest is for a slow one
EXCLUDED = ('/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*')
FACTS_PROGRAM = """
import json, platform, yaml
release = platform.freedesktop_os_release()
config = yaml.safe_load(open('/etc/cloud/cloud.cfg'))
print(json.dumps({
    'os_distro': release['ID'],
    'os_version': release['VERSION_ID'],
    'codename': release['VERSION_CODENAME'],
    'name': release['PRETTY_NAME'].split(' (')[0].replace('GNU/Linux ', ''),
    'default_user': config['system_info']['default_user']['name'],
}))
"""
FORMAT = 1  # to be raised when the steps of the build change without any of the data below


@dataclass(frozen=True)
class Facts:
    """What is true about a tree; data for the properties of the Glance image.

    os_distro, os_version, codename: from its os-release ('debian', '12', 'bookworm'). name: for people ('Debian 12').
    default_user: whom cloud-init gives the key ('debian'). architecture: as Glance writes it ('x86_64').
    """

    os_distro: str
    os_version: str
    codename: str
    name: str
    default_user: str
    architecture: str


@dataclass(frozen=True)
class Release:
    """The distribution of this host: os-release's ID ('debian') and VERSION_CODENAME ('bookworm')."""

    distro: str
    codename: str


def host_release() -> Release:
    """Which distribution this host is. Raises SandboxError when its os-release does not say."""
    try:
        found = platform.freedesktop_os_release()
        return Release(found['ID'], found['VERSION_CODENAME'])
    except (OSError, KeyError) as error:
        raise SandboxError(
            'cannot build image',
            'plain',
            f'os-release of this host lacks {error}',
            'use Debian 12 or 13 or Ubuntu 24.04',
        ) from error


def sources(targets: str, release: Release) -> list[str]:
    """Lines of a sources.list from `apt-get indextargets` (REPO_URI|RELEASE|COMPONENT|ORIGIN): those of the
    distribution itself.
    """
    lines = []
    for row in targets.splitlines():
        uri, suite, component, origin = row.split('|')
        wanted = (
            origin.lower() == release.distro and suite.split('-')[0] == release.codename and component in COMPONENTS
        )
        if wanted and (line := f'deb {uri} {suite} {component}') not in lines:
            lines.append(line)
    return lines


def key(release: Release) -> str:
    """The cache key: everything that determines the tree, except the state of the distribution's archive."""
    data = (PACKAGES, COMPONENTS, EXCLUDED, FACTS_PROGRAM, customize.MASKED, customize.FILES, customize.REMOVED)
    text = repr((FORMAT, release, platform.machine(), data))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_plain(home: Path | None = None) -> Path:
    """The cache entry of image `plain`, built when missing (root, mmdebstrap, about a minute).

    Returns the entry; tree(entry) and facts(entry) read it. Raises SandboxError with the builder's words.
    """
    release = host_release()
    return cache.entry(home or cache.cache_home(), f'image-plain-{key(release)}', lambda place: _build(place, release))


def tree(entry: Path) -> Path:
    """The directory tree of a cache entry."""
    return entry / 'tree'


def facts_file(entry: Path) -> Path:
    """Where facts() reads."""
    return entry / 'facts.json'


def facts(entry: Path) -> Facts:
    """What the build found out about the tree of a cache entry."""
    return Facts(**json.loads(facts_file(entry).read_text()))


def _build(place: Path, release: Release) -> None:
    make(place, release, PACKAGES, 'plain')


def make(place: Path, release: Release, packages: Sequence[str], name: str) -> None:
    """Install packages into place/tree, make it the tree of a system container, write place/facts.json.

    name: of the image, for errors. Raises SandboxError with the builder's words.
    """
    root = tree(place)
    included = f'--include={",".join(packages)}'
    builder = ['mmdebstrap', '--variant=minbase', '--mode=root', '--quiet', *options(), included]
    run(
        [*builder, release.codename, str(root), *host_sources(release)],
        what='cannot build image',
        subject=name,
        timeout=BUILD_TIMEOUT,
        advice='check that apt-get can install packages on this host',
    )
    customize.customize(root)
    inside(root, 'systemctl', 'enable', 'ssh')
    inside(root, 'systemctl', 'set-default', 'multi-user.target')
    found = json.loads(inside(root, 'python3', '-B', '-c', FACTS_PROGRAM))
    facts_file(place).write_text(json.dumps(asdict(Facts(**found, architecture=platform.machine()))) + '\n')


def inside(root: Path, *command: str) -> str:
    """Run a program of a tree in it. Returns what it wrote. Raises SandboxError."""
    return run(['chroot', str(root), *command], what=f'cannot run {command[0]} in image', subject=str(root))


def host_sources(release: Release) -> list[str]:
    """The host's own package sources; apt knows their origin once it has fetched their lists."""
    command = ['apt-get', 'indextargets', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)']
    for update in (False, True):
        if update:
            run(
                ['apt-get', 'update', '-q'],
                what='cannot update package lists',
                subject='of this host',
                timeout=UPDATE_TIMEOUT,
            )
        targets = run([*command, 'Created-By: Packages'], what='cannot list package sources', subject='of this host')
        if lines := sources(targets, release):
            return lines
    answer = f'apt knows no package source of {release.distro} {release.codename}'
    raise SandboxError('cannot build image', 'plain', answer, 'look into /etc/apt/sources.list.d')


def options() -> list[str]:
    """Options of the builder; a proxy that this host's apt uses is used for the build, too."""
    options = ['--aptopt=Acquire::Languages "none"', *(f'--dpkgopt=path-exclude={path}' for path in EXCLUDED)]
    for line in run(['apt-config', 'dump'], what='cannot read configuration of apt').splitlines():
        name, _, value = line.partition(' ')
        if name.startswith('Acquire::http') and name.lower().endswith('::proxy') and value.strip('";'):
            options.append(f'--aptopt={name} {value}')
    return options
