"""Neutron's objects straight from its database, as plain rows in the shape of its API.

Neutron's own plugins need a second of computing for what is a handful of SELECTs here, and every change of the
network asks for all of it. Standard library only; the schema is that of the pinned Neutron, and a test compares the
rows with the API.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any

Row = dict[str, Any]
BUSY = 30.0  # seconds; with WAL readers do not wait for writers, except while the log is folded in
QUERIES = {
    'networks': 'select networks.id, mtu, externalnetworks.network_id is not null as external'
    ' from networks left join externalnetworks on externalnetworks.network_id = networks.id',
    'subnets': 'select id, network_id, cidr, gateway_ip from subnets',
    'ports': 'select ports.id, network_id, mac_address, device_id, device_owner, port_security_enabled'
    ' from ports left join portsecuritybindings on portsecuritybindings.port_id = ports.id',
    'addresses': 'select port_id, ip_address, subnet_id from ipallocations where port_id is not null'
    ' order by subnet_id, ip_address',
    'port_groups': 'select port_id, security_group_id from securitygroupportbindings',
    'pairs': 'select port_id, mac_address, ip_address from allowedaddresspairs',
    'routers': 'select id, gw_port_id, enable_snat from routers',
    'floating_ips': 'select id, floating_ip_address, fixed_ip_address, router_id from floatingips',
    'groups': 'select id from securitygroups',
    'rules': 'select security_group_id, direction, ethertype, protocol, port_range_min, port_range_max,'
    ' remote_ip_prefix,'
    # A rule for an address group, which the sandbox does not know, must not become one for everybody.
    ' remote_group_id from securitygrouprules where remote_address_group_id is null',
}


def read(database: Path) -> dict[str, list[Row]]:
    """All tables at one moment, in the shape of QUERIES."""
    with contextlib.closing(
        sqlite3.connect(f'file:{database}?mode=ro', uri=True, timeout=BUSY, isolation_level=None)
    ) as link:
        link.row_factory = sqlite3.Row
        link.execute('begin')
        return {name: [dict(row) for row in link.execute(query)] for name, query in QUERIES.items()}


def objects(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The same as API objects: networks, subnets, ports, routers, floating_ips, groups."""
    addresses, port_groups = _by(tables['addresses'], 'port_id'), _by(tables['port_groups'], 'port_id')
    pairs, rules = _by(tables['pairs'], 'port_id'), _by(tables['rules'], 'security_group_id')
    ports = [
        {
            **row,
            'fixed_ips': addresses[row['id']],
            'allowed_address_pairs': pairs[row['id']],
            'security_groups': [g['security_group_id'] for g in port_groups[row['id']]],
            'port_security_enabled': row['port_security_enabled'] is None or bool(row['port_security_enabled']),
        }
        for row in tables['ports']
    ]
    by_id = {port['id']: port for port in ports}
    return {
        'networks': [{**row, 'router:external': bool(row['external'])} for row in tables['networks']],
        'subnets': tables['subnets'],
        'ports': ports,
        'floating_ips': tables['floating_ips'],
        'routers': [{'id': row['id'], 'external_gateway_info': _gateway(row, by_id)} for row in tables['routers']],
        'groups': [{'id': row['id'], 'security_group_rules': rules[row['id']]} for row in tables['groups']],
    }


def _gateway(router: Row, ports: dict[str, Row]) -> Row | None:
    port = ports.get(router['gw_port_id'] or '')
    if port is None:
        return None
    return {
        'network_id': port['network_id'],
        'enable_snat': bool(router['enable_snat']),
        'external_fixed_ips': port['fixed_ips'],
    }


def _by(rows: list[Row], key: str) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found
