"""The run's own network: found by name and mark, or made, with the mark in each creating request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..core.clock import Clock
from ..core.naming import Names
from . import choose, failures, marks, observe, retry
from .blueprint import Ground
from .connect import Cloud
from .marks import Mark
from .model import Group, Network, SecurityRule, Topology

# What a test node needs from outside; inside the group everything is open, as clusters and planes talk on many ports.
RULES: tuple[dict[str, Any], ...] = (
    {'direction': 'ingress', 'ether_type': 'IPv4', 'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22},
    {'direction': 'ingress', 'ether_type': 'IPv4', 'protocol': 'icmp'},
)
EVERYBODY = ('0.0.0.0/0', '::/0')
CALLS = {'network': 'networks', 'subnet': 'subnets', 'router': 'routers', 'security_group': 'security_groups'}


class Builder:
    """Finds or makes the network objects of one run."""

    def __init__(self, cloud: Cloud, own: Names, mark: Mark, clock: Clock, say: Callable[[str], None]) -> None:
        self.cloud, self.own, self.mark, self.clock, self.say = cloud, own, mark, clock, say

    def ground(self, topology: Topology, networks: tuple[Network, ...]) -> Ground:
        """The network, router, security and server groups for the nodes, all there afterwards."""
        floating = any(group.floating_ip and group.count for group in topology.groups)
        external = choose.external_network(networks, topology.external).id if floating else ''
        found = self.found(topology)
        security, servers = self._security(topology, found), self._server_groups(topology)
        if topology.network:
            return Ground(choose.own_network(networks, topology.network).id, security, external, servers)
        network = self._ensure(found, 'network', self.cloud.sdk.network.create_network, {})
        subnet = self._ensure(found, 'subnet', self.cloud.sdk.network.create_subnet, self._subnet(topology, network.id))
        if external:
            self._route(found, subnet, external)
        return Ground(network.id, security, external, servers)

    def name(self, kind: str) -> str:
        return f'{self.own.prefix}-{kind.replace("_", "-")}'

    def found(self, topology: Topology) -> dict[str, Any]:
        """What is there, by the last part of its name."""
        kinds = {kind: partial(self._find, kind, kind) for kind in CALLS}
        own = {own_group(group): partial(self._find, 'security_group', own_group(group)) for group in opened(topology)}
        return observe.together(self.cloud, kinds | own, self.clock)

    def _find(self, kind: str, name: str) -> Any | None:
        """The run's object of that kind. Its name alone proves nothing: the mark decides."""
        for item in getattr(self.cloud.sdk.network, CALLS[kind])(
            name=self.name(name), project_id=self.cloud.project_id
        ):
            mark = marks.from_description(item.description or '')
            if mark and mark.run == self.mark.run:
                return item
        return None

    def _ensure(
        self, found: dict[str, Any], kind: str, create: Callable[..., Any], body: dict[str, Any], name: str = ''
    ) -> Any:
        name = name or kind
        if found[name]:
            return found[name]
        body = {'name': self.name(name), 'description': self.mark.description(), **body}
        with failures.cloud_errors('cannot create', f'{kind} {self.name(name)}'):
            made = retry.creating(lambda: create(**body), lambda: self._find(kind, name), self.clock)
        self.say(f'{kind} {self.name(name)} created')
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

    def _security(self, topology: Topology, found: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        """Per group of nodes its security groups: the run's one, and one of its own where it opens more."""
        common = self._group(found, 'security_group', RULES, inside=True)
        own = {group.name: self._group(found, own_group(group), rules(group)) for group in opened(topology)}
        return {g.name: (common, own[g.name]) if g.name in own else (common,) for g in topology.groups}

    def _group(self, found: dict[str, Any], name: str, wanted: tuple[dict[str, Any], ...], inside: bool = False) -> str:
        sdk = self.cloud.sdk.network
        group = self._ensure(found, 'security_group', sdk.create_security_group, {}, name)
        members = {'direction': 'ingress', 'ether_type': 'IPv4', 'remote_group_id': group.id}
        everything = (*wanted, members) if inside else wanted
        missing = [rule for rule in everything if not _has(group.security_group_rules or (), rule)]
        if missing:
            bodies = [{'security_group_id': group.id, **rule} for rule in missing]
            with failures.cloud_errors('cannot create', f'rules of security group {group.name}'):
                retry.creating(
                    lambda: list(sdk.create_security_group_rules(bodies)),
                    # a repeated rule is refused as a duplicate, so a lost answer needs the whole list back
                    lambda: self._rules_if_complete(name, missing),
                    self.clock,
                )
        return str(group.id)

    def _rules_if_complete(self, name: str, wanted: list[dict[str, Any]]) -> list[Any] | None:
        group = self._find('security_group', name)
        have = list(group.security_group_rules or ()) if group else []
        return have if all(_has(have, rule) for rule in wanted) else None

    def _server_groups(self, topology: Topology) -> dict[str, str]:
        """Per group of nodes the id of its server group. They have no description: the name is their mark."""
        return {
            group.name: self._server_group(group) for group in topology.groups if group.server_group and group.count
        }

    def _server_group(self, group: Group) -> str:
        compute, name = self.cloud.sdk.compute, server_group(self.own, group)

        def find() -> str | None:
            return next((str(found.id) for found in compute.server_groups() if found.name == name), None)

        with failures.cloud_errors('cannot create', f'server group {name}'):
            if found := retry.reading(find, self.clock):
                return found
            made = retry.creating(
                lambda: str(compute.create_server_group(name=name, policy=group.server_group).id), find, self.clock
            )
        self.say(f'server group {name} created')
        return made


def there(cloud: Cloud, own: Names, mark: Mark, clock: Clock, topology: Topology) -> dict[str, int]:
    """Which of the run's network objects exist, by kind; nothing is made."""
    builder = Builder(cloud, own, mark, clock, lambda _text: None)
    found = builder.found(topology)
    return {kind: int(found[kind] is not None) for kind in CALLS}


def server_group(own: Names, group: Group) -> str:
    """Its name; another policy is another group, for a policy cannot be changed."""
    return f'{own.prefix}-{group.name}-{group.server_group}'


def opened(topology: Topology) -> list[Group]:
    """Groups of nodes that open more than SSH."""
    return [group for group in topology.groups if group.security and group.count]


def own_group(group: Group) -> str:
    """Last part of the name of a group's own security group."""
    return f'{group.name}-security-group'


def rules(group: Group) -> tuple[dict[str, Any], ...]:
    """What a group opens, as Neutron wants it; pure."""
    return tuple(_rule(wish) for wish in dict.fromkeys(group.security))


def _rule(wish: SecurityRule) -> dict[str, Any]:
    """Everybody is no prefix at all: some clouds give 0.0.0.0/0 back as nothing, and the rule would be made again."""
    version = 'IPv6' if ':' in wish.remote else 'IPv4'
    rule: dict[str, Any] = {'direction': 'ingress', 'ether_type': version, 'protocol': wish.protocol}
    rule |= {} if wish.remote in EVERYBODY else {'remote_ip_prefix': wish.remote}
    ports = {'port_range_min': wish.port, 'port_range_max': wish.last or wish.port}
    return rule | (ports if wish.port else {})


def _has(rules: Any, wanted: dict[str, Any]) -> bool:
    keys = {'ether_type': 'ethertype'}  # the SDK's name and the API's
    return any(all(rule.get(keys.get(k, k), rule.get(k)) == v for k, v in wanted.items()) for rule in rules)
