"""Name servers of the subnet that the nodes get: what no cloud takes, and what nobody could ask, is told beforehand."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..core.clock import Clock
from . import failures, retry
from .connect import Cloud
from .model import Network, Topology
from .rows import Row

OWN = "the run's own subnet"
OWN_FAMILY = 4  # of the subnet that network.py makes


@dataclass(frozen=True)
class Subnet:
    """name: for people; family: 4 or 6; servers: what is written there; empty leaves them to the cloud."""

    name: str
    family: int
    servers: tuple[str, ...]


def subnets(cloud: Cloud, topology: Topology, networks: Iterable[Network], clock: Clock | None = None) -> list[Subnet]:
    """The subnets of the nodes: the one that will be made, or those of the named network."""
    if not topology.network:
        return [Subnet(OWN, OWN_FAMILY, topology.dns)] if topology.count() else []
    named = [network.id for network in networks if topology.network in (network.name, network.id)]

    def ask() -> list[Any]:
        return [subnet for identity in named for subnet in cloud.sdk.network.subnets(network_id=identity)]

    with failures.cloud_errors('cannot list', f'subnets of network {topology.network}'):
        found = retry.reading(ask, clock)
    return [
        Subnet(f'subnet {subnet.name or subnet.id}', int(subnet.ip_version), tuple(subnet.dns_nameservers or ()))
        for subnet in found
    ]


def rows(found: Iterable[Subnet]) -> list[Row]:
    """A row for each name server; pure. A subnet that names none is none: then the cloud's DHCP tells its own."""
    return [_row(subnet, server) for subnet in found for server in subnet.servers]


def _row(subnet: Subnet, server: str) -> Row:
    subject, why = f'name server {server}', misfit(server, subnet.family)
    if why:
        return Row('name', subject, False, f'{why} ({subnet.name})', verdict='network')
    return Row('name', subject, True, f'an address that {subnet.name} can have')


def misfit(server: str, family: int) -> str:
    """Why a subnet of that family cannot have this name server; '' when it can. Pure."""
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return 'is no IP address'
    if address.version != family:
        return f'is of IPv{address.version}, the subnet of IPv{family}'
    if address.is_unspecified or address.is_loopback or address.is_multicast:
        return 'is no address of a host that nodes could ask'
    return ''
