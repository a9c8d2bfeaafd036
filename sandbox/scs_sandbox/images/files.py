"""Files of Debian packages that programs in container images need: unpacked, not installed."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from pathlib import Path

from .. import cache
from ..run import run
from . import build
from .oci import Entry

# base-files: directories and, where the distribution has merged them, the links of /bin and /lib. The whole
# libc6: without libm.so.6 iptables cannot load the match `statistic`, and services with two endpoints do not work.
PACKAGES = ('base-files', 'busybox', 'ca-certificates', 'conntrack', 'iptables', 'libc6', 'netbase', 'nftables')
# Not for containers: package data bases, what runs only when packages are installed, texts.
LEFT_OUT = (
    *('boot/', 'dev/', 'proc/', 'run/', 'sys/', 'tmp/', 'var/'),
    *(
        'etc/apt',
        'etc/dpkg',
        'usr/share/debconf',
        'usr/share/doc',
        'usr/share/locale',
        'usr/share/man',
        'usr/share/perl',
    ),
)
FORMAT = 1  # to be raised when the steps change without any of the data above


def key(release: build.Release, packages: tuple[str, ...] = PACKAGES) -> str:
    """The cache key: everything that determines the tree, except the state of the distribution's archive."""
    return hashlib.sha256(repr((FORMAT, release, platform.machine(), packages)).encode()).hexdigest()[:16]


def ensure(home: Path | None = None, packages: tuple[str, ...] = PACKAGES) -> Path:
    """The unpacked tree, made when missing (root, mmdebstrap, some seconds). Raises SandboxError."""
    release = build.host_release()
    name = f'image-files-{key(release, packages)}'

    def make(place: Path) -> None:
        _unpack(place / 'tree', release, packages)

    return cache.entry(home or cache.cache_home(), name, make) / 'tree'


def _unpack(root: Path, release: build.Release, packages: tuple[str, ...]) -> None:
    builder = ['mmdebstrap', '--variant=extract', '--mode=root', '--quiet', *build.options()]
    run(
        [*builder, f'--include={",".join(packages)}', release.codename, str(root), *build.host_sources(release)],
        what='cannot unpack packages',
        subject='for container images',
        timeout=build.BUILD_TIMEOUT,
        advice='check that apt-get can install packages on this host',
    )


def entries(root: Path) -> tuple[Entry, ...]:
    """The tree as entries of a layer, in stable order."""
    found: list[Entry] = []
    for directory, folders, names in os.walk(root):
        folders.sort()
        for name in sorted((*folders, *names)):
            path = Path(directory) / name
            inside = str(path.relative_to(root))
            if any(f'{inside}/'.startswith(prefix) for prefix in LEFT_OUT):
                continue
            state = path.lstat()
            mode = stat.S_IMODE(state.st_mode)
            if stat.S_ISLNK(state.st_mode):
                found.append(Entry(f'/{inside}', link=str(path.readlink())))
            elif stat.S_ISREG(state.st_mode):
                found.append(Entry(f'/{inside}', mode, source=path))
            elif stat.S_ISDIR(state.st_mode):
                found.append(Entry(f'/{inside}', mode))
    return tuple(found)


def certificates(root: Path) -> str:
    """The certificates that the distribution trusts, as one file; on an installed system a script of the package makes
    it.
    """
    found = sorted((root / 'usr/share/ca-certificates').rglob('*.crt'))
    return ''.join(file.read_text() for file in found)


def applets(root: Path) -> tuple[str, ...]:
    """Names that busybox answers to."""
    words = run(['chroot', str(root), '/bin/busybox', '--list'], what='cannot ask busybox', subject=str(root))
    return tuple(words.split())
