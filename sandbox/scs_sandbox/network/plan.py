"""From a snapshot to the plan of namespaces, links, addresses and rules: pure."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .. import names
from ..balancers.model import Balancer
from . import rules
from .model import Port, Router, Snapshot, Subnet

EXTERNAL_ADDRESS = '198.18.0.1/16'
API_ADDRESS = '198.19.0.1/32'
LAB_ADDRESSES = '198.18.0.0/15'  # the external network and the APIs
EXTERNAL_MAC = (
    '02:5c:50:00:00:01'  # fixed: a bridge takes the lowest MAC of its ports, and neighbors would keep the old one
)
ROUTER_EXTERNAL = 'ext0'
FORWARDING = {
    'net/ipv4/ip_forward': '1',
    'net/ipv4/conf/all/rp_filter': '0',
    'net/ipv4/conf/default/rp_filter': '0',
    'net/ipv4/conf/all/send_redirects': '0',
    'net/ipv4/conf/default/send_redirects': '0',
}
UNFILTERED = {f'net/bridge/bridge-nf-call-{table}': '0' for table in ('iptables', 'ip6tables', 'arptables')}
FILTERED = {**UNFILTERED, 'net/bridge/bridge-nf-call-iptables': '1'}


@dataclass(frozen=True)
class End:
    """One end of a link. master: bridge it is plugged into, or ''. mac: '' for any."""

    namespace: str
    name: str
    mac: str = ''
    master: str = ''


@dataclass(frozen=True)
class Wire:
    """A pair of virtual Ethernet interfaces. mtu: bytes."""

    ends: tuple[End, End]
    mtu: int


@dataclass(frozen=True)
class Space:
    """One network namespace. bridges: name to MAC ('' for any). addresses: interface to addresses with prefix. rules:
    nft text.
    """

    name: str
    bridges: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_route: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    rules: str = ''


@dataclass(frozen=True)
class Plan:
    """Everything of one sandbox. Namespaces of the sandbox that are not named here must not exist."""

    spaces: tuple[Space, ...]
    wires: tuple[Wire, ...]


def plan(sandbox: str, snapshot: Snapshot, balancers: Sequence[Balancer] = ()) -> Plan:
    """The plan for a snapshot and the load balancers in it; for an empty one the lab alone."""
    spaces = [lab(sandbox, snapshot)]
    unfiltered = frozenset(port for balancer in balancers if not balancer.filtered for port in balancer.ports)
    wires: list[Wire] = []
    for network in snapshot.networks:
        inhabited = any(port.network_id == network.id and is_server_port(port) for port in snapshot.ports)
        if network.external and not inhabited:
            continue
        spaces.append(network_space(sandbox, network.id, snapshot, unfiltered))
        if network.external:
            wires.append(
                Wire(
                    (
                        End(names.lab_namespace(sandbox), names.link('n', network.id), master=names.EXTERNAL_BRIDGE),
                        End(names.network_namespace(sandbox, network.id), 'up0', master=names.SWITCH),
                    ),
                    network.mtu,
                )
            )
    known = {space.name for space in spaces}
    for whole in snapshot.routers:
        # An interface whose network is not in the snapshot (or is the external one) has nothing to be plugged into.
        router = replace(
            whole,
            interfaces=tuple(i for i in whole.interfaces if names.network_namespace(sandbox, i.network_id) in known),
        )
        spaces.append(router_space(sandbox, router, snapshot))
        wires += router_wires(sandbox, router, snapshot)
    for balancer in balancers:
        ports = [p for p in snapshot.ports if p.id in balancer.ports]
        ports = [p for p in ports if names.network_namespace(sandbox, p.network_id) in known]
        if ports:
            spaces.append(balancer_space(sandbox, balancer, ports, snapshot))
            wires += balancer_wires(sandbox, balancer, ports, snapshot)
    return Plan(tuple(spaces), tuple(wires))


def lab(sandbox: str, snapshot: Snapshot) -> Space:
    """The lab: external network with its gateway, address of the OpenStack APIs."""
    external = {network.id for network in snapshot.networks if network.external}
    gateways = [
        with_prefix(subnet.gateway, (subnet,))
        for subnet in snapshot.subnets
        if subnet.network_id in external and subnet.gateway and is_ipv4(subnet.gateway)
    ]
    addresses = tuple(dict.fromkeys((EXTERNAL_ADDRESS, *gateways)))
    return Space(
        names.lab_namespace(sandbox),
        bridges={names.EXTERNAL_BRIDGE: EXTERNAL_MAC},
        addresses={'lo': ('127.0.0.1/8', API_ADDRESS), names.EXTERNAL_BRIDGE: addresses},
        settings={**FORWARDING, **UNFILTERED},
        rules=rules.lab_rules(names.EXTERNAL_BRIDGE, API_ADDRESS.split('/')[0], LAB_ADDRESSES),
    )


def network_space(sandbox: str, network_id: str, snapshot: Snapshot, unfiltered: frozenset[str] = frozenset()) -> Space:
    """A switch with security groups. Nothing in it has an address. unfiltered: ports that no group applies to."""
    ports = [
        port
        for port in snapshot.ports
        if port.network_id == network_id and port.port_security and is_server_port(port) and port.id not in unfiltered
    ]
    return Space(
        names.network_namespace(sandbox, network_id),
        bridges={names.SWITCH: ''},
        settings=FILTERED,
        rules=rules.network_rules(ports, snapshot.security_groups, snapshot.ports),
    )


def router_space(sandbox: str, router: Router, snapshot: Snapshot) -> Space:
    """A router: addresses in its networks and outside, translation, default route."""
    addresses: dict[str, tuple[str, ...]] = {}
    for interface in router.interfaces:
        link = names.link('i', interface.port_id)
        addresses[link] = (*addresses.get(link, ()), *filter(is_ipv4, [interface.address]))
    floating = [item for item in snapshot.floating_ips if item.router_id == router.id]
    route = None
    if router.external:
        subnets = [subnet for subnet in snapshot.subnets if subnet.network_id == router.external.network_id]
        own = tuple(with_prefix(address, subnets) for address in filter(is_ipv4, router.external.addresses))
        addresses[ROUTER_EXTERNAL] = (*own, *(f'{item.address}/32' for item in floating))
        homes = [subnet for subnet in subnets for address in router.external.addresses if inside(address, subnet)]
        route = next((subnet.gateway for subnet in homes if subnet.gateway), None)
    return Space(
        names.router_namespace(sandbox, router.id),
        addresses={'lo': ('127.0.0.1/8',), **addresses},
        default_route=route,
        settings=FORWARDING,
        rules=rules.router_rules(router.external, floating, ROUTER_EXTERNAL),
    )


def router_wires(sandbox: str, router: Router, snapshot: Snapshot) -> list[Wire]:
    """The cables of a router: one outside, one into each of its networks."""
    space = names.router_namespace(sandbox, router.id)
    macs = {port.id: port.mac for port in snapshot.ports}
    mtus = {network.id: network.mtu for network in snapshot.networks}
    wires = []
    if router.external:
        own = [
            port.mac
            for port in snapshot.ports
            if port.device_id == router.id and port.device_owner == 'network:router_gateway'
        ]
        wires.append(
            Wire(
                (
                    End(names.lab_namespace(sandbox), names.link('x', router.id), master=names.EXTERNAL_BRIDGE),
                    End(space, ROUTER_EXTERNAL, mac=own[0] if own else made_mac(router.id)),
                ),
                mtus.get(router.external.network_id, 1500),
            )
        )
    for interface in {interface.port_id: interface for interface in router.interfaces}.values():
        wires.append(
            Wire(
                (
                    End(
                        names.network_namespace(sandbox, interface.network_id),
                        names.link('r', interface.port_id),
                        master=names.SWITCH,
                    ),
                    End(
                        space,
                        names.link('i', interface.port_id),
                        mac=macs.get(interface.port_id) or made_mac(interface.port_id),
                    ),
                ),
                mtus.get(interface.network_id, 1500),
            )
        )
    return wires


def balancer_space(sandbox: str, balancer: Balancer, ports: Sequence[Port], snapshot: Snapshot) -> Space:
    """Where the proxy of a load balancer listens: the addresses of its ports, and the way out of their subnets."""
    subnets = [subnet for subnet in snapshot.subnets if subnet.network_id in {port.network_id for port in ports}]
    homes = [s for s in subnets for port in ports for a in port.addresses if is_ipv4(a) and inside(a, s)]
    addresses = {
        names.link('v', port.id): tuple(with_prefix(address, subnets) for address in filter(is_ipv4, port.addresses))
        for port in ports
    }
    return Space(
        names.balancer_namespace(sandbox, balancer.id),
        addresses={'lo': ('127.0.0.1/8',), **addresses},
        default_route=next((subnet.gateway for subnet in homes if subnet.gateway), None),
    )


def balancer_wires(sandbox: str, balancer: Balancer, ports: Sequence[Port], snapshot: Snapshot) -> list[Wire]:
    """The cables of a load balancer, plugged in as those of servers are, so that security groups apply."""
    mtus = {network.id: network.mtu for network in snapshot.networks}
    return [
        Wire(
            (
                End(names.network_namespace(sandbox, port.network_id), names.port_link(port.id), master=names.SWITCH),
                End(names.balancer_namespace(sandbox, balancer.id), names.link('v', port.id), mac=port.mac),
            ),
            mtus.get(port.network_id, 1500),
        )
        for port in ports
    ]


def is_server_port(port: Port) -> bool:
    """Whether a server may be plugged into it; ports of the network itself (routers, DHCP) are not filtered."""
    return not port.device_owner.startswith('network:')


def made_mac(identifier: str) -> str:
    """A locally administered MAC that follows from an id."""
    digest = hashlib.sha256(identifier.encode()).hexdigest()
    return '02:' + ':'.join(digest[index : index + 2] for index in range(0, 10, 2))


def is_ipv4(address: str) -> bool:
    """Whether an address, with or without prefix, is of version 4; the lab carries no other."""
    return ipaddress.ip_interface(address).version == 4


def inside(address: str, subnet: Subnet) -> bool:
    """Whether an address belongs to a subnet."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(subnet.cidr, strict=False)


def with_prefix(address: str, subnets: tuple[Subnet, ...] | list[Subnet]) -> str:
    """'10.0.0.5/24' from '10.0.0.5' and the subnets it may be in."""
    prefix = next((subnet.cidr.split('/')[1] for subnet in subnets if inside(address, subnet)), '32')
    return f'{address}/{prefix}'
