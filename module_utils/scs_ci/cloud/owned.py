"""What belongs to a run: by its mark, or by a name that only this run's clusters can have. Anything else is foreign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..core.naming import Names, names
from .inventory import CSI_CLUSTER, Inventory, Resource

# Owned by something that deletes them itself; deleting them directly breaks their owner.
MANAGED_PORTS = ('network:dhcp', 'network:distributed', 'network:router_gateway', 'network:floatingip', 'octavia')
# Made with a mark: among these kinds a fitting name without a mark is somebody else's.
NAMED_KINDS = frozenset({'key_pair', 'server_group', 'application_credential'})
CLUSTER_KINDS = frozenset(
    {
        'server',
        'volume',
        'snapshot',
        'port',
        'network',
        'subnet',
        'router',
        'security_group',
        'load_balancer',
        'server_group',
    }
)
# What ports belong to.
DEVICES = ('server', 'router', 'load_balancer')
# Reasons that scs-ci's own objects have; the others are those of the run's clusters.
MARKED, NAMED, ON_NETWORK = 'mark', 'name', 'on a network of the run'
OWN_REASONS = frozenset({MARKED, NAMED, ON_NETWORK})


Run = str | Names


def names_of(run: Run) -> Names:
    """The names of a run, given its id or the names themselves."""
    return run if isinstance(run, Names) else names(run)


@dataclass(frozen=True)
class Owned:
    """A resource of the run and why it is one."""

    resource: Resource
    reason: str


@dataclass(frozen=True)
class Kept:
    """A resource that a purge leaves alone, and why."""

    resource: Resource
    reason: str


class Filter:
    """Decides about resources of one run: by its id, or by its names alone where no mark is left that tells the id.

    parents: ids of the run's networks, whose subnets and ports are its own; strangers: ids of servers, routers and load
    balancers of others, whose ports stay theirs on whatever network.
    """

    def __init__(self, run: Run, parents: Iterable[str] = (), strangers: Iterable[str] = ()) -> None:
        self.names = names_of(run)
        self.run = self.names.run
        self.parents, self.strangers = frozenset(parents), frozenset(strangers)
        self.patterns = patterns(self.names)

    def reason(self, resource: Resource) -> str | None:
        """Why the resource belongs to the run, or None. A mark of another run always wins over any name."""
        if resource.kind == 'port' and self._is_port_of_others(resource):
            return None
        if mark := resource.mark:
            return MARKED if mark.run == self.run else None
        if resource.kind in NAMED_KINDS and self._is_own_name(resource.name):
            return NAMED
        if resource.kind in ('subnet', 'port') and resource.details.get('network_id') in self.parents:
            return ON_NETWORK
        return self._made_by_cluster(resource)

    def kept(self, resource: Resource) -> str:
        """Why a resource is not the run's, for people who wonder."""
        if resource.kind == 'port' and self._is_managed(resource):
            return f'goes with its owner ({resource.details.get("device_owner")})'
        if resource.kind == 'port' and resource.details.get('device_id') in self.strangers:
            return 'belongs to a server, router or load balancer of others'
        if (mark := resource.mark) and mark.run != self.run:
            return f'run {mark.run} of {mark.owner}, expires {mark.expires}'
        if self.names.prefix in resource.name:
            return "named like the run's, without its mark"
        return 'no mark of the run'

    def _is_managed(self, port: Resource) -> bool:
        return port.details.get('device_owner', '').lower().startswith(MANAGED_PORTS)

    def _is_port_of_others(self, port: Resource) -> bool:
        return self._is_managed(port) or port.details.get('device_id') in self.strangers

    def _is_own_name(self, name: str) -> bool:
        return name == self.names.prefix or name.startswith(f'{self.names.prefix}-')

    def _made_by_cluster(self, resource: Resource) -> str | None:
        if self.patterns['cluster'].fullmatch(resource.metadata.get(CSI_CLUSTER, '')):
            return 'volume of a cluster of the run'
        if resource.kind in CLUSTER_KINDS and self.patterns['name'].match(resource.name):
            return 'name of a cluster of the run'
        if self.patterns['description'].search(resource.description):
            return 'description names a cluster of the run'
        return None


def patterns(own: Names) -> Mapping[str, re.Pattern[str]]:
    """Names and descriptions that Cluster API's OpenStack provider and the cloud controller derive from cluster names.

    The exact cluster name is part of each pattern: a bare prefix such as `kube_service_` has hit other clusters before.
    """
    space = re.escape(own.namespace)
    cluster = rf'{space}-c\d+'
    provider = rf'k8s-clusterapi-cluster-{space}-{cluster}(-|$)|k8s-cluster-{space}-{cluster}-'
    name = rf'{cluster}(-|$)|{provider}|kube_service_{cluster}_'
    capo = rf'^Created by cluster-api-provider-openstack cluster {space}-{cluster}$'
    controller = rf'(from|in) cluster {cluster}$'
    return {
        'cluster': re.compile(cluster),
        'name': re.compile(name),
        'description': re.compile(rf'{capo}|{controller}'),
    }


def filter_for(run: Run, inventory: Inventory) -> Filter:
    """The filter of a run, with what only the whole inventory tells: its networks, and the devices of others."""
    first = Filter(run)
    parents = [network.id for network in inventory.of('network') if first.reason(network)]
    devices = (device for kind in DEVICES for device in inventory.of(kind))
    return Filter(run, parents, [device.id for device in devices if not first.reason(device)])


def owned(run: Run, inventory: Inventory) -> tuple[Owned, ...]:
    """Everything of the run in an inventory."""
    check = filter_for(run, inventory)
    found = ((resource, check.reason(resource)) for resource in inventory.resources)
    return tuple(Owned(resource, reason) for resource, reason in found if reason)


def kept(run: Run, inventory: Inventory, found: Iterable[Owned]) -> tuple[Kept, ...]:
    """Everything of an inventory that is not among the found, each with the reason."""
    check, going = filter_for(run, inventory), {(o.resource.kind, o.resource.id) for o in found}
    others = (r for r in inventory.resources if (r.kind, r.id) not in going)
    # of the run and nevertheless kept: only when a part of the run was asked for
    return tuple(Kept(r, f'not asked for: {why}' if (why := check.reason(r)) else check.kept(r)) for r in others)
