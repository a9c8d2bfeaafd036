"""Who sees which names: pure, from the network and from the names of servers.

As Neutron's DHCP agents do it, a server is found by its name and as host-10-0-0-5.openstacklocal, in the networks that
the asking one is connected to. Who asks is told by the address that its router translates it to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..network.model import Port, Snapshot

DOMAIN = 'openstacklocal'


@dataclass(frozen=True)
class View:
    """forward: name in lower case, without the dot at its end, to addresses. reverse: address to name."""

    forward: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reverse: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Views:
    """clients: address to what it sees. others: what the lab itself sees, floating addresses."""

    clients: Mapping[str, View]
    others: View

    def of(self, address: str) -> View:
        """What a client with this address sees."""
        return self.clients.get(address, self.others)


def views(snapshot: Snapshot, hostnames: Mapping[str, str]) -> Views:
    """Everybody's view. hostnames: id of a server to its host name."""
    by_network: dict[str, list[Port]] = {}
    for port in snapshot.ports:
        by_network.setdefault(port.network_id, []).append(port)
    clients: dict[str, View] = {}
    for router in snapshot.routers:
        networks = {interface.network_id for interface in router.interfaces}
        view = _of_networks(networks, by_network, hostnames)
        floating = [item.address for item in snapshot.floating_ips if item.router_id == router.id]
        own = router.external.addresses if router.external else ()
        clients |= dict.fromkeys((*own, *floating), view)
    external = {network.id for network in snapshot.networks if network.external}
    outside = _of_networks(external, by_network, hostnames)
    clients |= {
        address: outside
        for network in external
        for port in by_network.get(network, ())
        if port.device_id in hostnames
        for address in port.addresses
    }
    return Views(clients, _floating(snapshot, hostnames))


def _of_networks(networks: Iterable[str], ports: Mapping[str, Sequence[Port]], hostnames: Mapping[str, str]) -> View:
    found = [port for network in sorted(networks) for port in ports.get(network, ())]
    return _view(
        (hostnames.get(port.device_id, ''), address) for port in found for address in port.addresses if _ipv4(address)
    )


def _floating(snapshot: Snapshot, hostnames: Mapping[str, str]) -> View:
    owners = {
        (interface.network_id, router.id): router.id for router in snapshot.routers for interface in router.interfaces
    }
    ports = {
        (owners.get((port.network_id, item.router_id)), address): port
        for item in snapshot.floating_ips
        for port in snapshot.ports
        for address in port.addresses
        if address == item.fixed and (port.network_id, item.router_id) in owners
    }
    found = ((ports.get((item.router_id, item.fixed)), item.address) for item in snapshot.floating_ips)
    return _view((hostnames.get(port.device_id, ''), address) for port, address in found if port is not None)


def _view(pairs: Iterable[tuple[str, str]]) -> View:
    """pairs: host name ('' for none) and address."""
    forward: dict[str, list[str]] = {}
    reverse: dict[str, str] = {}
    for hostname, address in pairs:
        plain = f'host-{address.replace(".", "-")}'
        for name in filter(None, (hostname.lower(), hostname.lower().split('.')[0], plain)):
            for full in (name, f'{name}.{DOMAIN}'):
                known = forward.setdefault(full, [])
                known += [address] if address not in known else []
        reverse[address] = f'{hostname.lower() or plain}.{DOMAIN}'
    return View({name: tuple(addresses) for name, addresses in forward.items()}, reverse)


def _ipv4(address: str) -> bool:
    return ipaddress.ip_address(address).version == 4
