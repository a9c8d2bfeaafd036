"""Neutron's objects as the drivers send them: one complete snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SandboxError


@dataclass(frozen=True)
class Network:
    """A layer 2 network. external: it is the lab's external network. mtu: bytes."""

    id: str
    external: bool
    mtu: int


@dataclass(frozen=True)
class Subnet:
    """cidr: '10.0.0.0/24'. gateway: address or None."""

    id: str
    network_id: str
    cidr: str
    gateway: str | None


@dataclass(frozen=True)
class Port:
    """addresses: fixed, without prefix. pairs: allowed address pairs as (address or cidr, mac)."""

    id: str
    network_id: str
    mac: str
    addresses: tuple[str, ...]
    device_id: str
    device_owner: str
    security_groups: tuple[str, ...]
    port_security: bool
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gateway:
    """The external side of a router. snat: whether it translates what has no floating IP."""

    network_id: str
    addresses: tuple[str, ...]
    snat: bool


@dataclass(frozen=True)
class Interface:
    """A router in a network. address: with prefix length."""

    port_id: str
    network_id: str
    address: str


@dataclass(frozen=True)
class Router:
    """external: None without gateway."""

    id: str
    external: Gateway | None
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True)
class FloatingIP:
    """address is translated to fixed by the router."""

    id: str
    address: str
    fixed: str
    router_id: str


@dataclass(frozen=True)
class Rule:
    """A rule of a security group. direction: ingress or egress. protocol: name, number or None. remote_ip: cidr or
    None.
    """

    direction: str
    ethertype: str
    protocol: str | None
    port_min: int | None
    port_max: int | None
    remote_ip: str | None
    remote_group: str | None


@dataclass(frozen=True)
class SecurityGroup:
    """What its ports may send and receive."""

    id: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Snapshot:
    """Everything that Neutron knows and the lab must show."""

    networks: tuple[Network, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    ports: tuple[Port, ...] = ()
    routers: tuple[Router, ...] = ()
    floating_ips: tuple[FloatingIP, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()


def parse_snapshot(data: Mapping[str, Any]) -> Snapshot:
    """A snapshot from a request. Raises SandboxError when a field is missing or cannot be."""
    try:
        return Snapshot(
            networks=tuple(Network(n['id'], bool(n['external']), int(n.get('mtu') or 1500)) for n in data['networks']),
            subnets=tuple(
                Subnet(s['id'], s['network_id'], s['cidr'], s.get('gateway') or None) for s in data['subnets']
            ),
            ports=tuple(map(_port, data['ports'])),
            routers=tuple(
                Router(r['id'], _gateway(r.get('external')), tuple(map(_interface, r['interfaces'])))
                for r in data['routers']
            ),
            floating_ips=tuple(
                FloatingIP(f['id'], f['address'], f['fixed'], f['router_id'])
                for f in data['floating_ips']
                if f.get('fixed')
            ),
            security_groups=tuple(
                SecurityGroup(g['id'], tuple(map(_rule, g['rules']))) for g in data['security_groups']
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SandboxError(
            'cannot read', 'network snapshot', f'{type(error).__name__}: {error}', 'correct the driver that sent it'
        ) from error


def _port(data: Mapping[str, Any]) -> Port:
    mac = str(data['mac']).lower()
    pairs = tuple(
        (str(pair['ip']), str(pair.get('mac') or mac).lower()) for pair in data.get('allowed_address_pairs') or ()
    )
    return Port(
        data['id'],
        data['network_id'],
        mac,
        tuple(data['addresses']),
        data.get('device_id') or '',
        data.get('device_owner') or '',
        tuple(data.get('security_groups') or ()),
        bool(data.get('port_security', True)),
        pairs,
    )


def _gateway(data: Mapping[str, Any] | None) -> Gateway | None:
    return Gateway(data['network_id'], tuple(data['addresses']), bool(data.get('snat', True))) if data else None


def _interface(data: Mapping[str, Any]) -> Interface:
    return Interface(data['port_id'], data['network_id'], data['address'])


def _rule(data: Mapping[str, Any]) -> Rule:
    protocol = data.get('protocol')
    return Rule(
        data['direction'],
        data['ethertype'],
        None if protocol is None else str(protocol),
        _number(data.get('port_min')),
        _number(data.get('port_max')),
        data.get('remote_ip') or None,
        data.get('remote_group') or None,
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
