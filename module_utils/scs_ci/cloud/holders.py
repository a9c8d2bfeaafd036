"""Who holds what of a quota, from an inventory of the project. Pure."""

from __future__ import annotations

import collections
import re

from .inventory import Inventory, Resource

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
SHOWN = 6  # holders in a table; the largest ones come first


def holders(kind: str, before: Inventory) -> tuple[str, ...]:
    """Lines such as '12 servers: run 7f3a… of ci until 2026-…', the largest share first; nothing for other kinds."""
    taker = TAKERS.get(kind)
    if taker is None:
        return ()
    counts = collections.Counter(_holder(resource) for resource in before.of(taker))
    lines = [
        f'{holder}: {count} {taker.replace("_", " ")}{"s" if count > 1 else ""}'
        for holder, count in counts.most_common()
    ]
    rest = len(lines) - SHOWN
    return (*lines[:SHOWN], *([f'{rest} others'] if rest > 0 else []))


def _holder(resource: Resource) -> str:
    if mark := resource.mark:
        return f'run {mark.run} of {mark.owner} until {mark.expires}'
    found = NAME.search(f'{resource.name} {resource.description}')
    if found:
        return f'run {found[1]}{f", its cluster {found[2][1:]}" if found[2] else ""}'
    if resource.kind == 'floating_ip' and not resource.details.get('port_id'):
        return 'somebody without a mark, idle'
    if resource.kind == 'port' and (owner := resource.details.get('device_owner')):
        return f'somebody without a mark ({owner})'
    return 'somebody without a mark'
