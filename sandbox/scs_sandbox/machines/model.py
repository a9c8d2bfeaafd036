"""What a server is to be: frozen, read from the requests of the drivers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SandboxError

IDENTIFIER = re.compile(r'[0-9a-fA-F-]{8,64}')
# cni: a Kubernetes machine has a pod network without add-on. node-ip: its kubelet tells its address from the beginning.
FEATURES = ('cni', 'node-ip')
MAC = re.compile(r'([0-9a-f]{2}:){5}[0-9a-f]{2}')


@dataclass(frozen=True)
class Port:
    """One interface. addresses: with prefix length ('10.0.0.5/24'). gateway: of its subnet, or None. mtu: bytes. dns:
    addresses of the subnets' resolvers.
    """

    id: str
    mac: str
    network_id: str
    addresses: tuple[str, ...]
    gateway: str | None
    mtu: int
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """One server. running: wanted power state. image: name of a tree. user_data: base64. keys: lines of
    authorized_keys. features: what its tree shall do for it, of FEATURES.
    """

    id: str
    name: str
    hostname: str
    running: bool
    image: str
    memory_mb: int
    vcpus: int
    ports: tuple[Port, ...]
    user_data: str | None
    keys: tuple[str, ...]
    metadata: Mapping[str, str]
    availability_zone: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bind:
    """A file or directory of the host that a server sees. target: absolute path in the server."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Image:
    """A tree that servers can boot. path: its top. private: directories that must lie on the host's file system, empty
    at first, one per server. linked: such directories that begin as a copy of a source, whose files are hard links.
    """

    path: Path
    private: tuple[str, ...] = ()
    linked: tuple[Bind, ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """All directories of which each server has one of its own, as the server sees them."""
        return (*self.private, *(bind.target for bind in self.linked))


def parse_port(data: Mapping[str, Any]) -> Port:
    """A port from a request. Raises SandboxError when a field is missing or cannot be."""
    try:
        port = Port(
            str(data['id']),
            str(data['mac']).lower(),
            str(data['network_id']),
            tuple(map(str, data['addresses'])),
            data.get('gateway') or None,
            int(data.get('mtu') or 1500),
            tuple(str(ipaddress.ip_address(address)) for address in data.get('dns') or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _bad('port', data, error) from error
    if not IDENTIFIER.fullmatch(port.id) or not IDENTIFIER.fullmatch(port.network_id) or not MAC.fullmatch(port.mac):
        raise _bad('port', data, 'id, network_id or mac is malformed')
    return port


def parse_server(data: Mapping[str, Any]) -> Server:
    """A server from a request. Raises SandboxError when a field is missing or cannot be."""
    try:
        server = Server(
            id=str(data['id']),
            name=str(data['name']),
            hostname=str(data.get('hostname') or data['name']),
            running=_running(data.get('state', 'running')),
            image=str(data['image']),
            memory_mb=int(data['memory_mb']),
            vcpus=int(data['vcpus']),
            ports=tuple(map(parse_port, data.get('ports', ()))),
            user_data=data.get('user_data') or None,
            keys=tuple(map(str, data.get('keys') or ())),
            metadata={str(name): str(value) for name, value in (data.get('metadata') or {}).items()},
            availability_zone=str(data.get('availability_zone') or 'nova'),
            features=tuple(map(str, data.get('features') or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad('server', data, error) from error
    if not IDENTIFIER.fullmatch(server.id):
        raise _bad('server', data, 'id is malformed')
    if not re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9.-]{0,62})', server.hostname):
        raise _bad('server', data, f'hostname {server.hostname!r} is not one')
    if unknown := set(server.features) - set(FEATURES):
        raise _bad('server', data, f'features {", ".join(sorted(unknown))} are none of {", ".join(FEATURES)}')
    if server.memory_mb < 64 or server.vcpus < 1:
        raise _bad('server', data, f'{server.memory_mb} MiB and {server.vcpus} vCPUs are too little for systemd')
    return server


def _running(state: object) -> bool:
    if state not in ('running', 'stopped'):
        raise ValueError(f'state {state!r} is neither running nor stopped')
    return state == 'running'


def _bad(kind: str, data: Any, answer: object) -> SandboxError:
    subject = f'{kind} {data.get("id", "?")}' if isinstance(data, Mapping) else kind
    text = f'field {answer} is missing' if isinstance(answer, KeyError) else str(answer)
    return SandboxError('cannot read the description of', subject, text, 'correct the driver that sent it')
