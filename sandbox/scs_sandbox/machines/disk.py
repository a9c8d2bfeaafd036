"""The disk of a server: an overlay's upper layer with identity and config drive.

Pure contents first, writing at the end.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SandboxError
from .model import Bind, Image, Server

RESOLVER = '198.19.0.1'  # of the lab; it answers for every other address, too
RESOLVERS = 3  # the C library reads no more
SEED = 'var/lib/cloud/seed/config_drive'
CONFIG_DRIVE = f'{SEED}/openstack/latest'
VOLUMES_TARGET = '/var/lib/scs-sandbox/volumes'  # where a server sees its volumes, see agent/volumes.py
# Where a machine sees volumes and config drive as well, for cinder-csi looks for block devices there; see
# images/storage.py.
DISKS, DRIVE = '/dev/disk/by-id', '/dev/disk/by-label/config-2'
# What a tree of Kubernetes machines looks for, see images.node; other trees do not look.
NODE_ADDRESS = 'etc/scs-sandbox/node-ip'
PROVIDED_NETWORK = 'etc/scs-sandbox/cni-provided'
TOLD = '/run/scs-sandbox'
# Kernel settings that kubelet writes when they differ; they belong to the host, so a server sees files with the wanted
# values.
KERNEL_SETTINGS = {'vm/overcommit_memory': '1\n', 'kernel/panic': '10\n', 'kernel/panic_on_oops': '1\n'}


@dataclass(frozen=True)
class Place:
    """The directory of one server and the paths in it."""

    directory: Path

    @property
    def upper(self) -> Path:
        """What the server wrote over its image."""
        return self.directory / 'upper'

    def private(self, target: str) -> Path:
        """The directory that the server sees at target and no other server does."""
        return self.directory / 'private' / target.strip('/').replace('/', '-')

    @property
    def peers(self) -> Path:
        """Addresses of other machines, for its pod network."""
        return self.directory / 'told' / 'peers'

    @property
    def console(self) -> Path:
        """What its serial console showed."""
        return self.directory / 'console.log'

    @property
    def record(self) -> Path:
        """Its processes, see process.record."""
        return self.directory / 'init.json'

    @property
    def go(self) -> Path:
        """The fifo that releases process 1."""
        return self.directory / 'go'

    @property
    def crashed(self) -> Path:
        """Exists when the server ended without being told to; holds how."""
        return self.directory / 'crashed'


def meta_data(server: Server) -> dict[str, object]:
    """meta_data.json as Nova writes it into a config drive, as far as cloud-init and people read it."""
    keys = {f'key-{index}': key for index, key in enumerate(server.keys)}
    return {
        'uuid': server.id,
        'name': server.name,
        'hostname': server.hostname,
        'availability_zone': server.availability_zone,
        'launch_index': 0,
        'meta': dict(server.metadata),
        'public_keys': keys,
        'keys': [{'name': name, 'type': 'ssh', 'data': key} for name, key in keys.items()],
    }


def resolv_conf(server: Server) -> str:
    """The resolvers of the server's subnets, as DHCP would hand them over; without any the lab's own."""
    found = list(dict.fromkeys(address for port in server.ports for address in port.dns)) or [RESOLVER]
    return ''.join(f'nameserver {address}\n' for address in found[:RESOLVERS]) + 'options timeout:2 attempts:2\n'


def files(server: Server) -> dict[str, bytes]:
    """Paths relative to the top of the disk and what the server finds there at its first boot.

    Raises SandboxError when the user data is not base64.
    """
    own = next((address.split('/')[0] for port in server.ports for address in port.addresses), '127.0.1.1')
    short = server.hostname.split('.')[0]
    names = ' '.join(dict.fromkeys((server.hostname, short)))
    found = {
        'etc/hostname': f'{short}\n'.encode(),
        'etc/hosts': f'127.0.0.1 localhost\n{own} {names}\n::1 localhost ip6-localhost ip6-loopback\n'.encode(),
        'etc/machine-id': hashlib.sha256(server.id.encode()).hexdigest()[:32].encode() + b'\n',
        'etc/resolv.conf': resolv_conf(server).encode(),
        f'{CONFIG_DRIVE}/meta_data.json': json.dumps(meta_data(server)).encode(),
    }
    if 'node-ip' in server.features:
        found[NODE_ADDRESS] = f'SANDBOX_NODE_IP=--node-ip={own}\n'.encode()
    if 'cni' in server.features:
        found[PROVIDED_NETWORK] = b''
    if server.user_data:
        try:
            found[f'{CONFIG_DRIVE}/user_data'] = base64.b64decode(server.user_data, validate=False)
        except binascii.Error as error:
            raise SandboxError(
                'cannot make config drive of',
                f'server {server.id}',
                f'user data is not base64: {error}',
                'encode the user data',
            ) from error
    return found


def peers(server: Server, others: Iterable[Server]) -> str:
    """Text of Place.peers: addresses on networks of this server of those others that have the pod network, too."""
    networks = {port.network_id for port in server.ports}
    found = {
        address.split('/')[0]
        for other in others
        if other.id != server.id and 'cni' in other.features
        for port in other.ports
        if port.network_id in networks
        for address in port.addresses
    }
    return ''.join(f'{address}\n' for address in sorted(found))


def meminfo(memory_mb: int) -> str:
    """/proc/meminfo with the flavor's memory: a still picture, so that programs size themselves by the flavor, not by
    the host.
    """
    total = memory_mb << 10
    rows = {
        'MemTotal': total,
        'MemFree': total * 7 // 10,
        'MemAvailable': total * 8 // 10,
        'Buffers': 0,
        'Cached': total // 10,
        'SwapCached': 0,
        'SwapTotal': 0,
        'SwapFree': 0,
    }
    return ''.join(f'{name + ":":<16}{value:>8} kB\n' for name, value in rows.items())


def binds(place: Place, image: Image, shared: tuple[Bind, ...]) -> tuple[Bind, ...]:
    """Everything that is mounted into a server over its disk, in order."""
    private = (Bind(place.private(target), target, read_only=False) for target in image.own)
    kernel = (
        Bind(place.directory / 'proc' / name.replace('/', '.'), f'/proc/sys/{name}', read_only=False)
        for name in KERNEL_SETTINGS
    )
    volumes = Bind(place.directory / 'volumes', VOLUMES_TARGET, read_only=False)
    of_machines = (
        Bind(place.peers.parent, TOLD),
        Bind(place.directory / 'volumes', DISKS, read_only=False),
        Bind(place.upper / SEED, DRIVE),
    )
    common = (Bind(place.directory / 'proc/meminfo', '/proc/meminfo'), *kernel, volumes, *shared)
    return (*private, *(of_machines if image.own else ()), *common)


def create(place: Place, server: Server, image: Image) -> None:
    """Make the disk of a new server; nothing is done when it exists.

    Killed half-way, it is made anew by the next call.
    """
    if (place.directory / 'made').exists():
        return
    for old in (place.upper, place.directory / 'private'):
        if old.exists():
            shutil.rmtree(old)
    for name in ('upper', 'work', 'root', 'proc', 'private', 'told'):
        (place.directory / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    place.directory.chmod(0o700)
    for path, content in files(server).items():
        _write(place.upper, path, content, secret=path.endswith('user_data'))
    for target in image.private:
        place.private(target).mkdir(mode=0o700)
    for bind in image.linked:
        link(bind.source, place.private(bind.target))
    (place.directory / 'made').touch()


def link(source: Path, target: Path) -> None:
    """Copy a directory of containerd so that the copy costs nearly nothing: blobs and committed layers are never
    changed in place, so they are hard links; its databases are copied, and everything is where a hard link cannot be.
    """

    def one(old: str, new: str) -> str:
        if not old.endswith('.db'):
            try:
                os.link(old, new, follow_symlinks=False)
                return new
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EMLINK):
                    raise
        return str(shutil.copy2(old, new, follow_symlinks=False))

    shutil.copytree(source, target, symlinks=True, copy_function=one)


def prepare(
    place: Place, server: Server, image: Image, shared: tuple[Bind, ...], hierarchies: Mapping[str, str]
) -> None:
    """Write what the stage script reads, before every start. hierarchies: directory name to mount options, empty for
    version 2.
    """
    (place.directory / 'volumes').mkdir(exist_ok=True, mode=0o755)
    (place.directory / 'proc/meminfo').write_text(meminfo(server.memory_mb))
    for name, value in KERNEL_SETTINGS.items():
        (place.directory / 'proc' / name.replace('/', '.')).write_text(value)
    rows = (
        f'{bind.source}\t{bind.target}\t{"ro" if bind.read_only else "rw"}\n' for bind in binds(place, image, shared)
    )
    (place.directory / 'binds').write_text(''.join(rows))
    (place.directory / 'hierarchies').write_text(
        ''.join(f'{name} {options}\n' for name, options in hierarchies.items())
    )


def _write(top: Path, path: str, content: bytes, *, secret: bool) -> None:
    file = top / path
    for directory in reversed(file.relative_to(top).parents):
        (top / directory).mkdir(exist_ok=True, mode=0o755)
    file.write_bytes(content)
    file.chmod(0o600 if secret else 0o644)
