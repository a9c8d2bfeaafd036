"""Quotas as a vector: what the project may have, what it uses, what a run needs. Pure except for observe()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import choose, observe
from .connect import Cloud
from .model import ClusterWish, Flavor, Group, Image, Topology

# kind: (service, word for people)
KINDS: Mapping[str, tuple[str, str]] = {
    'instances': ('compute', 'servers'),
    'cores': ('compute', 'vCPUs'),
    'ram': ('compute', 'MiB of memory'),
    'key_pairs': ('compute', 'key pairs'),
    'server_groups': ('compute', 'server groups'),
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
    'addresses': ('network', 'free external addresses'),
}
# A cluster as Cluster API's OpenStack provider builds it: two groups with about twenty rules each (its own, the two
# default egress rules, and those for the network add-on); DHCP and router take a port of the subnet.
CLUSTER_GROUPS, CLUSTER_RULES, CLUSTER_PORTS = 2, 44, 2
# The run's own network: a DHCP and a router port; one group: SSH, ICMP, inside, and two default egress rules.
NODE_PORTS, NODE_RULES = 2, 5
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
    one = {'instances': 1, 'cores': flavor.vcpus, 'ram': flavor.ram, 'ports': 1}
    return Vector(one | ({'volumes': 1, 'gigabytes': volume} if volume else {})) * count


def group(wish: Group, flavor: Flavor, image: Image, count: int) -> Vector:
    """What `count` nodes of a group take."""
    volume = choose.root_volume(flavor, image, wish.flavor)
    floating = Vector({'floating_ips': 1, 'addresses': 1}) * (count if wish.floating_ip else 0)
    return servers(flavor, volume, count) + floating


# What the run has when it has the resource: its network came with two ports, its router with an address.
PARENTS = {
    'security_groups': 'security_group',
    'security_group_rules': 'security_group',
    'key_pairs': 'key_pair',
    'networks': 'network',
    'subnets': 'subnet',
    'routers': 'router',
    'ports': 'network',
    'addresses': 'router',
}


def ground(topology: Topology, have: Mapping[str, int]) -> Vector:
    """The network objects of the nodes, less those that the run already has (kind to number)."""
    need = {'security_groups': 1, 'security_group_rules': NODE_RULES, 'key_pairs': 1}
    if not topology.network:
        need |= {'networks': 1, 'subnets': 1, 'routers': 1, 'ports': NODE_PORTS, 'addresses': 1}
    return Vector({kind: amount for kind, amount in need.items() if not have.get(PARENTS[kind])})


def clusters(wish: ClusterWish, flavor: Flavor, volume: int, planned: int) -> Vector:
    """The clusters that exist at the same time."""
    machines = servers(flavor, volume, wish.control_planes + wish.workers)
    # the API server's floating IP and the router's own address come from the same pool
    network = {'networks': 1, 'subnets': 1, 'routers': 1, 'ports': CLUSTER_PORTS, 'floating_ips': 1, 'addresses': 2}
    groups = {'security_groups': CLUSTER_GROUPS, 'security_group_rules': CLUSTER_RULES}
    balancer = Vector({'load_balancers': 1, 'ports': BALANCER_PORTS} if wish.load_balancer else {})
    together = planned if wish.parallel == 0 else min(wish.parallel, planned)
    return (machines + Vector(network | groups) + balancer) * together


def observe_limits(cloud: Cloud, external: str) -> dict[str, Limit | str]:
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
    if balancing := cloud.has('load-balancer'):
        requests['load balancer quota'] = lambda: cloud.sdk.load_balancer.get_quota(cloud.project_id).load_balancers
        requests['load balancers'] = lambda: len(
            list(cloud.sdk.load_balancer.load_balancers(project_id=cloud.project_id))
        )
    found = observe.together(cloud, requests)
    limits: dict[str, Limit | str] = {
        **_compute(found['compute limits'], found['key pairs']),
        **_network(found['network quotas']),
    }
    limits |= (
        _storage(found['volume limits'])
        if storage
        else dict.fromkeys(('volumes', 'gigabytes', 'snapshots'), 'no block storage')
    )
    limits['load_balancers'] = (
        Limit(_number(found['load balancer quota'], -1), found['load balancers'])
        if balancing
        else 'no load balancer service'
    )
    limits['addresses'] = _addresses(found['free addresses'])
    return limits


def _number(value: Any, default: int = 0) -> int:
    return default if value is None else int(value)


def _compute(limits: Any, key_pairs: int) -> dict[str, Limit]:
    return {
        'instances': Limit(_number(limits.instances, -1), _number(limits.instances_used)),
        'cores': Limit(_number(limits.total_cores, -1), _number(limits.total_cores_used)),
        'ram': Limit(_number(limits.total_ram, -1), _number(limits.total_ram_used)),
        'key_pairs': Limit(_number(limits.keypairs, -1), key_pairs),
        'server_groups': Limit(_number(limits.server_groups, -1), _number(limits.server_groups_used)),
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
