"""A fresh machine to prove scs-ci on: Debian from its own packages, booted in a virtual machine.

It needs no virtualization: without, QEMU translates the processor's instructions, which takes five to thirty times as
long. So that all time limits hold as they are, the clock of the machine then counts instructions (one per nanosecond)
instead of following ours; while its processors idle, both go alike.
"""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import apt, cache, paths, tools
from .problems import USAGE, SetupProblem
from .process import run

# What a minimal server has, what README.md asks for (python3, git, make), and a kernel.
PACKAGES = (
    'ca-certificates',
    'dbus',
    'git',
    'kmod',
    'linux-image-amd64',
    'make',
    'openssh-server',
    'procps',
    'python3',
    'systemd',
    'systemd-sysv',
    'udev',
)
# 350 packages' worth of unpacking on a busy machine; a minute on an idle one.
TREE_SECONDS = 1800
# mke2fs copies some gigabytes.
DISK_SECONDS = 900
# The longest reads a repository.
CONFIGURE_SECONDS = 120
# Environments and images: what takes minutes on two idle cores takes a part of an hour on busy ones.
PREPARE_SECONDS = 3600
CHECKOUT = '/root/scs-ci'
BRANCH = 'main'
# QEMU's network without rights answers for names here, see "user" in its manual.
RESOLVER = '10.0.2.3'
# Certificate authorities that the administrator of this machine added; its way to packages may depend on them.
AUTHORITIES = Path('/usr/local/share/ca-certificates')
FILES = {
    'etc/hostname': 'fresh\n',
    'etc/hosts': '127.0.0.1 localhost\n127.0.1.1 fresh\n',
    'etc/fstab': '/dev/vda / ext4 errors=remount-ro 0 1\n',
    'etc/resolv.conf': f'nameserver {RESOLVER}\n',
    'etc/systemd/network/80-all.network': '[Match]\nName=en*\n[Network]\nDHCP=ipv4\n',
    # Programs that bring their own list of authorities are told of the system's.
    'etc/environment': (
        'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\nPIP_CERT=/etc/ssl/certs/ca-certificates.crt\n'
    ),
}


@dataclass(frozen=True)
class Place:
    """The files of one machine, all in one directory."""

    directory: Path

    @property
    def tree(self) -> Path:
        """Root file system, as long as the disk is not complete."""
        return self.directory / 'tree'

    @property
    def disk(self) -> Path:
        return self.directory / 'disk.raw'

    @property
    def kernel(self) -> Path:
        return self.directory / 'vmlinuz'

    @property
    def initrd(self) -> Path:
        return self.directory / 'initrd.img'

    @property
    def key(self) -> Path:
        """SSH key of root; the public one beside it."""
        return self.directory / 'key'

    @property
    def console(self) -> Path:
        return self.directory / 'console.log'

    @property
    def record(self) -> Path:
        """Of the running machine: process, start time, port."""
        return self.directory / 'machine.json'


def make(place: Place, release: str, prepare: list[str], sets: list[str], gigabytes: int) -> None:
    """Make the disk of a machine; nothing is done when it is there.

    Args:
        release: code name of a Debian release.
        prepare: shell commands to run in the checkout before the first boot, in the tree and with this machine's speed.
        sets: sets of Go programs to take from this machine's cache, built when missing.
        gigabytes: size of the disk, which takes only what is written to it.
    Raises:
        SetupProblem: not root, or a step that fails, with the words of the program that failed.
    """
    if place.disk.exists():
        return
    if os.geteuid() != 0:
        raise SetupProblem('cannot make a machine', 'not root', 'run it as root', USAGE)
    apt.ensure('fresh')
    place.directory.mkdir(parents=True, exist_ok=True)
    if place.tree.exists():  # of a run that was ended
        shutil.rmtree(place.tree)
    _install(place, release)
    _configure(place)
    for name in sets:
        _take(tools.ensure(name), place.tree)
    for command in prepare:
        _inside(place, command)
    _write(place, gigabytes)


def _install(place: Place, release: str) -> None:
    cache.say(f'fresh: packages of {release}')
    command = ['mmdebstrap', '--mode=root', '--variant=minbase', '--quiet', f'--include={",".join(PACKAGES)}']
    run(
        [*command, release, place.tree],
        f'cannot make a tree of {release} in {place.tree}',
        'check the name of the release, and that apt-get can install packages on this machine',
        TREE_SECONDS,
    )


def _configure(place: Place) -> None:
    tree = place.tree
    for name, text in FILES.items():
        (tree / name).write_text(text)
    if not place.key.exists():
        _step(place, 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(place.key))
    home = tree / 'root' / '.ssh'
    home.mkdir(mode=0o700, exist_ok=True)
    (home / 'authorized_keys').write_text(place.key.with_suffix('.pub').read_text())
    for authority in AUTHORITIES.glob('*.crt'):
        shutil.copy(authority, tree / 'usr/local/share/ca-certificates')
    _step(place, 'chroot', str(tree), 'update-ca-certificates')
    _step(place, 'chroot', str(tree), 'systemctl', 'enable', 'systemd-networkd')
    target = f'{tree}{CHECKOUT}'
    _step(place, 'git', 'clone', '--quiet', str(paths.CHECKOUT), target)
    # So that a push brings later commits.
    _step(place, 'git', '-C', target, 'checkout', '--quiet', '-B', BRANCH)
    _step(place, 'git', '-C', target, 'config', 'receive.denyCurrentBranch', 'updateInstead')


def _step(place: Place, *command: str) -> None:
    advice = f'run it by hand and read what it says: {shlex.join(command)}'
    run(command, f'cannot configure {place.tree}', advice, CONFIGURE_SECONDS)


def _take(entry: Path, tree: Path) -> None:
    """An entry of this machine's cache; hard links would let the tree change it."""
    target = tree / 'root/.cache/scs-ci'
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(entry, target / entry.name, symlinks=True)


def _inside(place: Place, command: str) -> None:
    """In namespaces of its own, so that mounts and processes of the command end with it."""
    cache.say(f'fresh: {command}')
    tree = shlex.quote(str(place.tree))
    # On itself: programs that change the propagation of "/" want it to be a mount.
    script = f"""set -eu
mount --bind {tree} {tree}
mount -t proc proc {tree}/proc
mount --rbind /dev {tree}/dev
mount --rbind /sys {tree}/sys
cp -L /etc/resolv.conf {tree}/etc/resolv.conf
exec env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot {tree} sh -c {
        shlex.quote(f'set -a; . /etc/environment; cd {CHECKOUT}; {command}')
    }"""
    unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child']
    try:
        run(
            [*unshare, 'sh', '-c', script],
            f'cannot prepare {place.tree} by {command}',
            'run it in the booted machine instead, or correct it',
            PREPARE_SECONDS,
        )
    finally:
        (place.tree / 'etc/resolv.conf').write_text(FILES['etc/resolv.conf'])


def _write(place: Place, gigabytes: int) -> None:
    cache.say('fresh: disk')
    boot = place.tree / 'boot'
    for pattern, target in (('vmlinuz-*', place.kernel), ('initrd.img-*', place.initrd)):
        shutil.copy(max(boot.glob(pattern)), target)
    unfinished = place.disk.with_suffix('.unfinished')
    unfinished.unlink(missing_ok=True)
    run(
        ['mke2fs', '-q', '-t', 'ext4', '-d', place.tree, unfinished, f'{gigabytes}G'],
        f'cannot make the disk {place.disk}',
        'free space there',
        DISK_SECONDS,
    )
    unfinished.rename(place.disk)
    shutil.rmtree(place.tree)
