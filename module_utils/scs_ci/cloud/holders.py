"""Who holds what of a quota, from an inventory of the project. Pure."""

from __future__ import annotations

import collections
import re

from .inventory import Inventory, Resource
from .owned import DEVICES

# Kind of quota to the kind of object that takes it.
TAKERS = {
    'instances': 'server',
    'cores': 'server',
    'ram': 'server',
    'key_pairs': 'key_pair',
    'server_groups': 'server_group',
    'volumes': 'volume',
    'gigabytes': 'volume',
    'snapshots': 'snapshot',
    'networks': 'network',
    'subnets': 'subnet',
    'routers': 'router',
    'ports': 'port',
    'floating_ips': 'floating_ip',
    'security_groups': 'security_group',
    'security_group_rules': 'security_group',
    'load_balancers': 'load_balancer',
}
# What scs-ci and the clusters of its runs are called: the twelve digits tell the run, -c and a number the cluster.
NAME = re.compile(r'scs-ci-([0-9a-f]{12})(-c\d+)?')
NOBODY = 'somebody without a mark'
BALANCER = 'lb-'  # what Octavia writes before the id of a load balancer, as the device of its port
SHOWN = 6  # holders in a table; the largest ones come first


def holders(kind: str, before: Inventory) -> tuple[str, ...]:
    """Lines such as '12 servers: run 7f3a… of ci until 2026-…', the largest share first; nothing for other kinds."""
    taker = TAKERS.get(kind)
    if taker is None:
        return ()
    owners = _Owners(before)
    counts = collections.Counter(owners.of(resource) for resource in before.of(taker))
    lines = [
        f'{holder}: {count} {taker.replace("_", " ")}{"s" if count > 1 else ""}'
        for holder, count in counts.most_common()
    ]
    rest = len(lines) - SHOWN
    return (*lines[:SHOWN], *([f'{rest} others'] if rest > 0 else []))


class _Owners:
    """Whom objects belong to: by their own mark or name, else by what they hang on: device, port, network."""

    def __init__(self, before: Inventory) -> None:
        self.devices = {device.id: device for kind in DEVICES for device in before.of(kind)}
        self.networks = {network.id: network for network in before.of('network')}
        self.ports = {port.id: port for port in before.of('port')}
        balancers = before.of('load_balancer')
        self.balancers = {balancer.details.get('vip_port_id', ''): balancer for balancer in balancers}

    def of(self, resource: Resource) -> str:
        """Who holds it, for people."""
        if known := _run_of(resource):
            return known
        if resource.kind == 'port':
            return self._of_port(resource)
        if resource.kind != 'floating_ip':
            return NOBODY
        if not resource.details.get('port_id'):
            return f'{NOBODY}, idle'
        port = self.ports.get(resource.details['port_id'])
        return self.of(port) if port else NOBODY

    def _of_port(self, port: Resource) -> str:
        """Nova, Neutron and Octavia make ports without a mark; some of them have no device but their network."""
        identity = port.details.get('device_id', '').removeprefix(BALANCER)
        device = self.devices.get(identity) or self.balancers.get(port.id)
        network = self.networks.get(port.details.get('network_id', ''))
        for parent in (device, network):
            if parent and (known := _run_of(parent)):
                return known
        if device:
            return f'{NOBODY} ({device.kind.replace("_", " ")} {device.name or device.id})'
        owner = port.details.get('device_owner')
        return f'{NOBODY} ({owner})' if owner else NOBODY


def _run_of(resource: Resource) -> str:
    """Its run, by mark or by name; empty when neither tells one."""
    if mark := resource.mark:
        return f'run {mark.run} of {mark.owner} until {mark.expires}'
    found = NAME.search(f'{resource.name} {resource.description}')
    return f'run {found[1]}{f", its cluster {found[2][1:]}" if found[2] else ""}' if found else ''
