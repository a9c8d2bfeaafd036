"""The network as the agent wants it, from what Neutron's plugins say. Pure: dictionaries in, dictionaries out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
PROTOCOLS = {'1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'ipv6-icmp'}


def build(
    networks: Iterable[Row],
    subnets: Iterable[Row],
    ports: Iterable[Row],
    routers: Iterable[Row],
    floating_ips: Iterable[Row],
    groups: Iterable[Row],
) -> dict[str, list[Row]]:
    """The argument of network-apply. Input: Neutron's API objects of all projects."""
    cidrs = {subnet['id']: subnet['cidr'] for subnet in subnets}
    all_ports = list(ports)
    return {
        'networks': [
            {'id': n['id'], 'external': bool(n.get('router:external')), 'mtu': n.get('mtu') or 1450} for n in networks
        ],
        'subnets': [
            {'id': s['id'], 'network_id': s['network_id'], 'cidr': s['cidr'], 'gateway': s['gateway_ip']}
            for s in subnets
        ],
        'ports': [port(p) for p in all_ports],
        'routers': [router(r, all_ports, cidrs) for r in routers],
        'floating_ips': [
            {
                'id': f['id'],
                'address': f['floating_ip_address'],
                'fixed': f['fixed_ip_address'],
                'router_id': f['router_id'],
            }
            for f in floating_ips
            if f['router_id'] and f['fixed_ip_address']
        ],
        'security_groups': [{'id': g['id'], 'rules': [rule(r) for r in g['security_group_rules']]} for g in groups],
    }


def port(row: Row) -> Row:
    """A port; addresses without prefix."""
    return {
        'id': row['id'],
        'network_id': row['network_id'],
        'mac': row['mac_address'],
        'device_id': row['device_id'],
        'device_owner': row['device_owner'],
        'addresses': [ip['ip_address'] for ip in row['fixed_ips']],
        'security_groups': list(row.get('security_groups') or []),
        # Neutron's own ports (routers, floating addresses) are never filtered.
        'port_security': bool(row.get('port_security_enabled', True))
        and not row['device_owner'].startswith('network:'),
        'allowed_address_pairs': [
            {'ip': pair['ip_address'], 'mac': pair.get('mac_address') or row['mac_address']}
            for pair in row.get('allowed_address_pairs') or []
        ],
    }


def router(row: Row, ports: list[Row], cidrs: dict[str, str]) -> Row:
    """A router with its gateway and its interfaces."""
    gateway = row.get('external_gateway_info')
    inside = [p for p in ports if p['device_id'] == row['id'] and p['device_owner'] == 'network:router_interface']
    return {
        'id': row['id'],
        'external': {
            'network_id': gateway['network_id'],
            'snat': bool(gateway.get('enable_snat', True)),
            'addresses': [ip['ip_address'] for ip in gateway['external_fixed_ips']],
        }
        if gateway
        else None,
        'interfaces': [
            {'port_id': p['id'], 'network_id': p['network_id'], 'address': _with_prefix(ip, cidrs)}
            for p in inside
            for ip in p['fixed_ips']
        ],
    }


def _with_prefix(ip: Row, cidrs: dict[str, str]) -> str:
    return f'{ip["ip_address"]}/{ipaddress.ip_network(cidrs[ip["subnet_id"]]).prefixlen}'


def rule(row: Row) -> Row:
    """A rule of a security group; protocol by name, or None for any."""
    protocol, prefix = row['protocol'], row['remote_ip_prefix']
    return {
        'direction': row['direction'],
        'ethertype': row['ethertype'],
        'protocol': None if protocol in (None, 'any', '0') else PROTOCOLS.get(str(protocol), str(protocol)),
        'port_min': row['port_range_min'],
        'port_max': row['port_range_max'],
        'remote_ip': str(ipaddress.ip_network(prefix, strict=False)) if prefix else None,
        'remote_group': row['remote_group_id'],
    }


def merge(snapshots: Iterable[dict[str, list[Row]]]) -> dict[str, list[Row]]:
    """One snapshot for the agent out of those of all regions. They share the external network, which is named once."""
    merged: dict[str, dict[str, Row]] = {}
    for snapshot in snapshots:
        for kind, rows in snapshot.items():
            merged.setdefault(kind, {}).update({row['id']: row for row in rows})
    return {kind: list(rows.values()) for kind, rows in merged.items()}
