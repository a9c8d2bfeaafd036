"""What the projects do in every request for cases that a sandbox never has; together a third of a request to Neutron.

Called before a service answers. Answers stay the same: tables that are not asked for are those of extensions that are
not loaded, so nobody can write into them.
"""

from __future__ import annotations

from typing import Any

# Relationships of Neutron's models that are loaded with every object: by joins, or by a query each.
EMPTY = {
    'FloatingIP': ('dns', 'port_forwardings'),
    'Network': ('dhcp_agents', 'dns_domain', 'pvlan'),
    'NetworkSegment': ('segment_host_mapping',),
    'Port': (
        'data_plane_status',
        'device_profile',
        'dns',
        'hardware_offload_type',
        'hints',
        'numa_affinity_policy',
        'port_forwardings',
        'propagate_uplink_status',
        'pvlan',
        'sub_port',
        'trunk_port',
        'trusted',
    ),
    'Router': ('conntrack_helpers', 'evpn_instance', 'l3_agents', 'ndp_proxy_state'),
    'Subnet': ('bgp_leak_routes', 'dns_publish_fixed_ip'),
}


def load_policies_once() -> None:
    """Not at each check: the rules are those of the code, and no file overrides them while a service runs."""
    from oslo_policy import policy

    load = policy.Enforcer.load_rules

    def load_new(self: Any, force_reload: bool = False) -> None:
        known = len(self.registered_rules)
        if force_reload or not self.rules or getattr(self, 'known_rules', None) != known:
            load(self, force_reload)
            self.known_rules = known

    policy.Enforcer.load_rules = load_new


def relationships() -> list[Any]:
    """Those of EMPTY that this process has, as properties of mappers: models of some are never imported."""
    from neutron_lib.db import model_base
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    mappers = {mapper.class_.__name__: mapper for mapper in model_base.BASEV2.registry.mappers}
    wanted = [(mappers[model].relationships, name) for model, names in EMPTY.items() for name in names]
    return [properties[name] for properties, name in wanted if name in properties]


def never_load_empty_tables() -> None:
    """Relationships into tables without rows are empty without a query."""
    for relationship in relationships():
        relationship.strategy = relationship._get_strategy((('lazy', 'noload'),))
