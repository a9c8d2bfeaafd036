"""Quotas as a vector: what the project may have, what it uses, what a run needs. Pure except for observe()."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.clock import Clock
from . import choose, failures, observe
from .connect import Cloud
from .model import ClusterWish, Flavor, Group, Image, Topology

# kind: (service, word for people)
KINDS: Mapping[str, tuple[str, str]] = {
    'instances': ('compute', 'servers'),
    'cores': ('compute', 'vCPUs'),
    'ram': ('compute', 'MiB of memory'),
    'key_pairs': ('compute', 'key pairs'),
    'server_groups': ('compute', 'server groups'),
    'server_group_members': ('compute', 'servers in one server group'),
    'volumes': ('block-storage', 'volumes'),
    'gigabytes': ('block-storage', 'GB of volumes'),
    'snapshots': ('block-storage', 'snapshots'),
    'networks': ('network', 'networks'),
    'subnets': ('network', 'subnets'),
    'routers': ('network', 'routers'),
    'ports': ('network', 'ports'),
    'floating_ips': ('network', 'floating IPs'),
    'security_groups': ('network', 'security groups'),
    'security_group_rules': ('network', 'security group rules'),
    'load_balancers': ('load-balancer', 'load balancers'),
    'listeners': ('load-balancer', 'listeners'),
    'pools': ('load-balancer', 'pools'),
    'members': ('load-balancer', 'members of pools'),
    'health_monitors': ('load-balancer', 'health monitors'),
    'addresses': ('network', 'free external addresses'),
}
# A cluster as Cluster API's OpenStack provider builds it: two groups with about twenty rules each (its own, the two
# default egress rules, and those for the network add-on); DHCP and router take a port of the subnet.
CLUSTER_GROUPS, CLUSTER_RULES, CLUSTER_PORTS = 2, 44, 2
# The run's own network: a DHCP and a router port; one group: SSH, ICMP, inside, and two default egress rules.
NODE_PORTS, NODE_RULES, DEFAULT_RULES = 2, 5, 2
# A load balancer's VIP port; an Amphora provider takes one or two more from its own project.
BALANCER_PORTS = 1


@dataclass(frozen=True)
class Vector:
    """Amounts by kind; absent means none."""

    amounts: Mapping[str, int]

    def __add__(self, other: Vector) -> Vector:
        kinds = {*self.amounts, *other.amounts}
        return Vector({kind: self[kind] + other[kind] for kind in kinds})

    def __mul__(self, times: int) -> Vector:
        return Vector({kind: amount * times for kind, amount in self.amounts.items()})

    def __getitem__(self, kind: str) -> int:
        return self.amounts.get(kind, 0)


NOTHING = Vector({})
# Kinds of Cinder have a limit for each type of volume, too: 'volumes@ssd', and 'volumes@' for the cloud's default type.
TYPED = ('volumes', 'gigabytes')
AT = '@'


def words_of(kind: str) -> tuple[str, str]:
    """Service and word for people of a kind, also of one with a type of volume."""
    base, at, name = kind.partition(AT)
    service, word = KINDS[base]
    return service, f'{word} of type {name or "default"}' if at else word


@dataclass(frozen=True)
class Limit:
    """limit: -1 means without; used: includes what is reserved."""

    limit: int
    used: int

    @property
    def free(self) -> int | None:
        return None if self.limit < 0 else max(self.limit - self.used, 0)


def servers(flavor: Flavor, volume: int, count: int) -> Vector:
    """What `count` servers of a flavor take; volume: GB of each root volume, 0 for none."""
    one = Vector({'instances': 1, 'cores': flavor.vcpus, 'ram': flavor.ram, 'ports': 1})
    return (one + volumes([volume] if volume else [])) * count


def volumes(sizes: Sequence[int], kind: str = '') -> Vector:
    """Volumes of these sizes in GB, of one type, '' for the default."""
    taken = {'volumes': len(sizes), 'gigabytes': sum(sizes)}
    return Vector(taken | {f'{name}{AT}{kind}': amount for name, amount in taken.items()} if sizes else {})


def group(wish: Group, flavor: Flavor, image: Image, count: int) -> Vector:
    """What `count` nodes of a group take."""
    root = choose.root_volume(flavor, image, wish.flavor)
    one = servers(flavor, 0, 1) + volumes([root] if root else [], wish.volume_type)
    for more in wish.volumes:
        one += volumes([more.size], more.type or wish.volume_type)
    return (one + Vector({'floating_ips': 1, 'addresses': 1} if wish.floating_ip else {})) * count


# What the run has when it has the resource: its network came with two ports, its router with an address.
PARENTS = {
    'security_groups': 'security_group',
    'security_group_rules': 'security_group',
    'key_pairs': 'key_pair',
    'server_groups': 'server_group',
    'server_group_members': 'server_group',
    'networks': 'network',
    'subnets': 'subnet',
    'routers': 'router',
    'ports': 'network',
    'addresses': 'router',
}


def ground(topology: Topology, have: Mapping[str, int]) -> Vector:
    """The network objects of the nodes, less those that the run already has (kind to number)."""
    filled = [group for group in topology.groups if group.count]
    opened = [group for group in filled if group.security]
    rules = sum(DEFAULT_RULES + len(set(group.security)) for group in opened)
    need = {
        'security_groups': 1 + len(opened),
        'security_group_rules': NODE_RULES + rules,
        'key_pairs': 1,
        'server_groups': sum(bool(group.server_group) for group in filled),
        'server_group_members': max((group.count for group in filled if group.server_group), default=0),
    }
    if not topology.network:
        need |= {'networks': 1, 'subnets': 1, 'routers': 1, 'ports': NODE_PORTS, 'addresses': 1}
    return Vector({kind: amount for kind, amount in need.items() if not have.get(PARENTS[kind])})


def clusters(wish: ClusterWish, flavor: Flavor, volume: int, planned: int) -> Vector:
    """The clusters that exist at the same time."""
    machines = servers(flavor, volume, wish.control_planes + wish.workers)
    # the API server's floating IP and the router's own address come from the same pool
    network = {'networks': 1, 'subnets': 1, 'routers': 1, 'ports': CLUSTER_PORTS, 'floating_ips': 1, 'addresses': 2}
    groups = {'security_groups': CLUSTER_GROUPS, 'security_group_rules': CLUSTER_RULES}
    balancer = Vector(_balancer(wish.control_planes) if wish.load_balancer else {})
    together = planned if wish.parallel == 0 else min(wish.parallel, planned)
    return (machines + Vector(network | groups) + balancer) * together


def _balancer(members: int) -> dict[str, int]:
    """Of the API server, as Cluster API's OpenStack provider makes it: one port, one pool, watched."""
    one = dict.fromkeys(('load_balancers', 'listeners', 'pools', 'health_monitors'), 1)
    return one | {'members': members, 'ports': BALANCER_PORTS}


def exhausted(limits: Mapping[str, Limit | str]) -> str:
    """What is used up, with numbers, for a message; '' when nothing is. Pure."""
    full = {kind: limit for kind, limit in limits.items() if isinstance(limit, Limit) and limit.free == 0}
    return ', '.join(f'{words_of(kind)[1]} {limit.used} of {limit.limit}' for kind, limit in full.items())


def observe_limits(cloud: Cloud, external: str, clock: Clock | None = None) -> dict[str, Limit | str]:
    """Kind to Limit, or to the reason why the cloud does not tell."""
    requests: dict[str, Callable[[], Any]] = {
        'compute limits': lambda: cloud.sdk.compute.get_limits().absolute,
        'network quotas': lambda: cloud.sdk.network.get_quota(cloud.project_id, details=True),
        'key pairs': lambda: len(list(cloud.sdk.compute.keypairs())),
        'free addresses': lambda: (
            list(cloud.sdk.network.network_ip_availabilities(network_id=external)) if external else []
        ),
    }
    if storage := cloud.has('block-storage'):
        requests['volume limits'] = lambda: cloud.sdk.block_storage.get_limits().absolute
        requests['volume quotas by type'] = lambda: _types(cloud)
    if balancing := cloud.has('load-balancer'):
        requests |= _balancing(cloud)
    found = observe.together(cloud, requests, clock)
    limits: dict[str, Limit | str] = {
        **_compute(found['compute limits'], found['key pairs']),
        **_network(found['network quotas']),
    }
    limits |= (
        _storage(found['volume limits']) | found['volume quotas by type']
        if storage
        else dict.fromkeys(('volumes', 'gigabytes', 'snapshots'), 'no block storage')
    )
    limits |= _balanced(found) if balancing else dict.fromkeys(BALANCING, 'no load balancer service')
    limits['addresses'] = _addresses(found['free addresses'])
    return limits


BALANCING = ('load_balancers', 'listeners', 'pools', 'members', 'health_monitors')


def _balancing(cloud: Cloud) -> dict[str, Callable[[], Any]]:
    """Octavia tells limits only, so what is there is counted; members come with their pools."""
    sdk, project = cloud.sdk.load_balancer, cloud.project_id
    return {
        'load balancer quota': lambda: sdk.get_quota(project),
        'load_balancers': lambda: list(sdk.load_balancers(project_id=project)),
        'listeners': lambda: list(sdk.listeners(project_id=project)),
        'pools': lambda: list(sdk.pools(project_id=project)),
        'health_monitors': lambda: list(sdk.health_monitors(project_id=project)),
    }


def _balanced(found: Mapping[str, Any]) -> dict[str, Limit | str]:
    used = {kind: len(found[kind]) for kind in BALANCING if kind != 'members'}
    used['members'] = sum(len(pool.members or ()) for pool in found['pools'])
    return {kind: Limit(_number(getattr(found['load balancer quota'], kind), -1), used[kind]) for kind in BALANCING}


def _types(cloud: Cloud) -> dict[str, Limit | str]:
    """Limits of each type of volume; none where the cloud does not let the project see them."""
    storage = cloud.sdk.block_storage
    try:
        quotas = storage.get_quota_set(cloud.project_id, usage=True).to_dict()
        default = storage.get_type('default').name
    except failures.sdk_errors() as error:
        if failures.status_of(error) in (403, 404):
            return {}
        raise
    return typed(quotas, default)


def typed(quotas: Mapping[str, Any], default: str) -> dict[str, Limit | str]:
    """From Cinder's 'volumes_ssd': 10 and its usage; pure."""
    used, reserved = quotas.get('usage') or {}, quotas.get('reservation') or {}
    found: dict[str, Limit | str] = {}
    for key, value in quotas.items():
        base, _, name = key.partition('_')
        if base in TYPED and name and isinstance(value, int):
            limit = Limit(value, _number(used.get(key)) + _number(reserved.get(key)))
            found |= {f'{base}{AT}{name}': limit, **({f'{base}{AT}': limit} if name == default else {})}
    return found


def _number(value: Any, default: int = 0) -> int:
    return default if value is None else int(value)


def _compute(limits: Any, key_pairs: int) -> dict[str, Limit]:
    return {
        'instances': Limit(_number(limits.instances, -1), _number(limits.instances_used)),
        'cores': Limit(_number(limits.total_cores, -1), _number(limits.total_cores_used)),
        'ram': Limit(_number(limits.total_ram, -1), _number(limits.total_ram_used)),
        'key_pairs': Limit(_number(limits.keypairs, -1), key_pairs),
        'server_groups': Limit(_number(limits.server_groups, -1), _number(limits.server_groups_used)),
        'server_group_members': Limit(_number(limits.server_group_members, -1), 0),
    }


def _storage(limits: Any) -> dict[str, Limit]:
    return {
        'volumes': Limit(_number(limits.max_total_volumes, -1), _number(limits.total_volumes_used)),
        'gigabytes': Limit(_number(limits.max_total_volume_gigabytes, -1), _number(limits.total_gigabytes_used)),
        'snapshots': Limit(_number(limits.max_total_snapshots, -1), _number(limits.total_snapshots_used)),
    }


def _network(quota: Any) -> dict[str, Limit | str]:
    kinds = ('networks', 'subnets', 'routers', 'ports', 'floating_ips', 'security_groups', 'security_group_rules')
    found: dict[str, Limit | str] = {}
    for kind in kinds:
        entry = getattr(quota, kind)
        known = isinstance(entry, Mapping)
        used = _number(entry.get('used')) + _number(entry.get('reserved')) if known else 0
        found[kind] = Limit(_number(entry.get('limit'), -1), used) if known else 'the cloud does not tell'
    return found


def _addresses(availability: list[Any]) -> Limit | str:
    if not availability:
        return 'only administrators may see it'
    return Limit(int(availability[0].total_ips), int(availability[0].used_ips))
