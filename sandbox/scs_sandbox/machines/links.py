"""Plug a server's interfaces into the switches of its networks. No interface ever appears in the host's own network."""

from __future__ import annotations

import json

from .. import names
from ..errors import SandboxError
from ..network.apply import delete_links
from ..run import run
from .model import Port


def guest_commands(port: Port, interface: str, metric: int) -> list[str]:
    """Lines for `ip -batch` in the server: addresses first, so that the interface announces them when it comes up."""
    lines = [f'addr add {address} dev {interface}' for address in port.addresses]
    lines.append(f'link set {interface} mtu {port.mtu} up')
    if port.gateway:
        lines.append(f'route add default via {port.gateway} dev {interface}' + (f' metric {metric}' if metric else ''))
    return lines


def free_interface(taken: set[str]) -> str:
    """The first unused name of eth0, eth1 …"""
    return next(name for index in range(len(taken) + 1) if (name := f'eth{index}') not in taken)


def present(init: int) -> dict[str, str]:
    """MAC to name of the interfaces in the network namespace of process init."""
    text = run(
        ['nsenter', '-t', str(init), '-n', 'ip', '-j', 'link'],
        what='cannot list interfaces of',
        subject=f'process {init}',
    )
    return {
        str(item['address']): str(item['ifname']) for item in json.loads(text) if item.get('link_type') != 'loopback'
    }


def converge(sandbox: str, server_id: str, init: int, ports: tuple[Port, ...], old: tuple[Port, ...] = ()) -> None:
    """Attach the ports that are missing and detach those of old that are no longer wanted. Raises SandboxError."""
    wanted = {port.id for port in ports}
    for port in old:
        if port.id not in wanted:
            detach(sandbox, port)
    found = present(init)
    for index, port in enumerate(ports):
        if port.mac not in found:
            interface = free_interface(set(found.values()))
            _attach(sandbox, server_id, init, port, interface, index)
            found[port.mac] = interface


def detach(sandbox: str, port: Port) -> None:
    """Remove a port's pair of interfaces, when it is there."""
    namespace = names.network_namespace(sandbox, port.network_id)
    if not names.namespace_path(namespace).exists():
        return
    delete_links(namespace, [names.port_link(port.id)])


def _attach(sandbox: str, server_id: str, init: int, port: Port, interface: str, index: int) -> None:
    namespace = names.network_namespace(sandbox, port.network_id)
    link = names.port_link(port.id)
    subject = f'port {port.id} of server {server_id}'
    if not names.namespace_path(namespace).exists():
        raise SandboxError(
            'cannot plug in',
            subject,
            f'network {port.network_id} does not exist in the lab',
            'send network-apply with this network first',
        )
    # A pair may be left from a process 1 that died a moment ago: its namespace can outlive it.
    detach(sandbox, port)
    peer = f'peer name {interface} address {port.mac} mtu {port.mtu} netns {init}'
    lines = [
        f'link add {link} mtu {port.mtu} type veth {peer}',
        f'link set {link} master {names.SWITCH} up',
    ]
    run(['ip', '-n', namespace, '-batch', '-'], what='cannot plug in', subject=subject, text='\n'.join(lines) + '\n')
    script = 'echo 1 > /proc/sys/net/ipv4/conf/all/arp_notify; ip link set lo up; exec ip -batch -'
    run(
        ['nsenter', '-t', str(init), '-n', 'sh', '-c', script],
        what='cannot configure',
        subject=subject,
        text='\n'.join(guest_commands(port, interface, 100 * index)) + '\n',
    )
