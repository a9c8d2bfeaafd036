"""The run's own network: found by name and mark, or made, with the mark in each creating request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..core.clock import Clock
from ..core.naming import Names
from . import choose, failures, marks, observe, retry
from .connect import Cloud
from .marks import Mark
from .model import Network, Topology

# What a test node needs from outside; inside the group everything is open, as clusters and planes talk on many ports.
RULES: tuple[dict[str, Any], ...] = (
    {'direction': 'ingress', 'ether_type': 'IPv4', 'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22},
    {'direction': 'ingress', 'ether_type': 'IPv4', 'protocol': 'icmp'},
)
CALLS = {'network': 'networks', 'subnet': 'subnets', 'router': 'routers', 'security_group': 'security_groups'}


@dataclass(frozen=True)
class Ground:
    """Where nodes are put. external: id of the network of floating IPs, empty when no node needs one."""

    network: str
    security_group: str
    external: str


class Builder:
    """Finds or makes the network objects of one run."""

    def __init__(self, cloud: Cloud, own: Names, mark: Mark, clock: Clock, say: Callable[[str], None]) -> None:
        self.cloud, self.own, self.mark, self.clock, self.say = cloud, own, mark, clock, say

    def ground(self, topology: Topology, networks: tuple[Network, ...]) -> Ground:
        """The network, router and security group for the nodes, all there afterwards."""
        floating = any(group.floating_ip and group.count for group in topology.groups)
        external = choose.external_network(networks, topology.external).id if floating else ''
        found = self._found()
        group = self._group(found['security_group'])
        if topology.network:
            return Ground(choose.own_network(networks, topology.network).id, group, external)
        network = self._ensure(found, 'network', self.cloud.sdk.network.create_network, {})
        subnet = self._ensure(found, 'subnet', self.cloud.sdk.network.create_subnet, self._subnet(topology, network.id))
        if external:
            self._route(found, subnet, external)
        return Ground(network.id, group, external)

    def name(self, kind: str) -> str:
        return f'{self.own.prefix}-{kind.replace("_", "-")}'

    def _found(self) -> dict[str, Any]:
        return observe.together(self.cloud, {kind: partial(self._find, kind) for kind in CALLS})

    def _find(self, kind: str) -> Any | None:
        """The run's object of that kind. Its name alone proves nothing: the mark decides."""
        for item in getattr(self.cloud.sdk.network, CALLS[kind])(
            name=self.name(kind), project_id=self.cloud.project_id
        ):
            mark = marks.from_description(item.description or '')
            if mark and mark.run == self.mark.run:
                return item
        return None

    def _ensure(self, found: dict[str, Any], kind: str, create: Callable[..., Any], body: dict[str, Any]) -> Any:
        if found[kind]:
            return found[kind]
        body = {'name': self.name(kind), 'description': self.mark.description(), **body}
        with failures.cloud_errors('cannot create', f'{kind} {self.name(kind)}'):
            made = retry.creating(lambda: create(**body), lambda: self._find(kind), self.clock)
        self.say(f'{kind} {self.name(kind)} created')
        return made

    def _subnet(self, topology: Topology, network: str) -> dict[str, Any]:
        body: dict[str, Any] = {'network_id': network, 'ip_version': 4, 'cidr': topology.cidr}
        return body | ({'dns_nameservers': list(topology.dns)} if topology.dns else {})

    def _route(self, found: dict[str, Any], subnet: Any, external: str) -> None:
        sdk = self.cloud.sdk.network
        gateway = {'external_gateway_info': {'network_id': external}}
        router = self._ensure(found, 'router', sdk.create_router, gateway)
        # a router from an earlier call may have lost its race before the interface was added
        if found['router'] and any(
            entry['subnet_id'] == subnet.id for port in sdk.ports(device_id=router.id) for entry in port.fixed_ips
        ):
            return
        with failures.cloud_errors('cannot connect', f'router {router.name} to subnet {subnet.name}'):
            retry.creating(
                lambda: sdk.add_interface_to_router(router.id, subnet_id=subnet.id),
                lambda: next(iter(sdk.ports(device_id=router.id, network_id=subnet.network_id)), None),
                self.clock,
            )

    def _group(self, found: Any | None) -> str:
        sdk = self.cloud.sdk.network
        group = self._ensure({'security_group': found}, 'security_group', sdk.create_security_group, {})
        inside = {'direction': 'ingress', 'ether_type': 'IPv4', 'remote_group_id': group.id}
        missing = [rule for rule in (*RULES, inside) if not _has(group.security_group_rules or (), rule)]
        if missing:
            bodies = [{'security_group_id': group.id, **rule} for rule in missing]
            with failures.cloud_errors('cannot create', f'rules of security group {group.name}'):
                retry.creating(
                    lambda: list(sdk.create_security_group_rules(bodies)),
                    # a repeated rule is refused as a duplicate, so a lost answer needs the whole list back
                    lambda: self._rules_if_complete(missing),
                    self.clock,
                )
        return str(group.id)

    def _rules_if_complete(self, wanted: list[dict[str, Any]]) -> list[Any] | None:
        group = self._find('security_group')
        rules = list(group.security_group_rules or ()) if group else []
        return rules if all(_has(rules, rule) for rule in wanted) else None


def _has(rules: Any, wanted: dict[str, Any]) -> bool:
    keys = {'ether_type': 'ethertype'}  # the SDK's name and the API's
    return any(all(rule.get(keys.get(k, k), rule.get(k)) == v for k, v in wanted.items()) for rule in rules)
