"""What the agent is told about the network."""

from __future__ import annotations

from typing import Any

import pytest

from scs_sandbox.services import snapshot, tables

pytestmark = pytest.mark.unit


def port(identifier: str, network: str, mac: str, owner: str, security: int | None) -> dict[str, Any]:
    device = 'r' if owner.startswith('network:') else 'server'
    return {
        'id': identifier,
        'network_id': network,
        'mac_address': mac,
        'device_id': device,
        'device_owner': owner,
        'port_security_enabled': security,
    }


RULE = {
    'security_group_id': 'g',
    'direction': 'ingress',
    'ethertype': 'IPv4',
    'protocol': '6',
    'port_range_min': 22,
    'port_range_max': 22,
    'remote_ip_prefix': '10.0.0.5/24',
    'remote_group_id': None,
}
TABLES: dict[str, list[dict[str, Any]]] = {
    'networks': [{'id': 'ext', 'mtu': 1500, 'external': 1}, {'id': 'n', 'mtu': 1450, 'external': 0}],
    'subnets': [
        {'id': 'es', 'network_id': 'ext', 'cidr': '198.18.0.0/16', 'gateway_ip': '198.18.0.1'},
        {'id': 's', 'network_id': 'n', 'cidr': '10.0.0.0/24', 'gateway_ip': '10.0.0.1'},
    ],
    'ports': [
        port('gw', 'ext', 'm1', 'network:router_gateway', None),
        port('if', 'n', 'm2', 'network:router_interface', 1),
        port('p', 'n', 'm3', 'compute:nova', 1),
        port('open', 'n', 'm4', 'compute:nova', 0),
    ],
    'addresses': [
        {'port_id': 'gw', 'ip_address': '198.18.1.7', 'subnet_id': 'es'},
        {'port_id': 'if', 'ip_address': '10.0.0.1', 'subnet_id': 's'},
        {'port_id': 'p', 'ip_address': '10.0.0.5', 'subnet_id': 's'},
    ],
    'port_groups': [{'port_id': 'p', 'security_group_id': 'g'}],
    'pairs': [{'port_id': 'p', 'mac_address': 'm9', 'ip_address': '10.0.0.9'}],
    'routers': [
        {'id': 'r', 'gw_port_id': 'gw', 'enable_snat': 1},
        {'id': 'inner', 'gw_port_id': None, 'enable_snat': 1},
    ],
    'floating_ips': [
        {'id': 'f', 'floating_ip_address': '198.18.1.8', 'fixed_ip_address': '10.0.0.5', 'router_id': 'r'},
        {'id': 'idle', 'floating_ip_address': '198.18.1.9', 'fixed_ip_address': None, 'router_id': None},
    ],
    'groups': [{'id': 'g'}],
    'rules': [RULE],
}


@pytest.fixture
def found() -> dict[str, Any]:
    return snapshot.build(**tables.objects(TABLES))


def test_router_has_gateway_and_interfaces_with_prefix(found: dict[str, Any]) -> None:
    router, inner = found['routers']
    assert router['external'] == {'network_id': 'ext', 'snat': True, 'addresses': ['198.18.1.7']}
    assert router['interfaces'] == [{'port_id': 'if', 'network_id': 'n', 'address': '10.0.0.1/24'}]
    assert inner == {'id': 'inner', 'external': None, 'interfaces': []}


def test_only_associated_floating_addresses_are_told(found: dict[str, Any]) -> None:
    assert found['floating_ips'] == [{'id': 'f', 'address': '198.18.1.8', 'fixed': '10.0.0.5', 'router_id': 'r'}]


def test_only_ports_of_servers_are_filtered(found: dict[str, Any]) -> None:
    assert {p['id']: p['port_security'] for p in found['ports']} == {'gw': False, 'if': False, 'p': True, 'open': False}


def test_port_is_told_with_addresses_groups_and_pairs(found: dict[str, Any]) -> None:
    port = next(p for p in found['ports'] if p['id'] == 'p')
    assert (port['mac'], port['addresses'], port['security_groups']) == ('m3', ['10.0.0.5'], ['g'])
    assert port['allowed_address_pairs'] == [{'ip': '10.0.0.9', 'mac': 'm9'}]


def test_rule_names_protocol_and_network(found: dict[str, Any]) -> None:
    rule = found['security_groups'][0]['rules'][0]
    assert (rule['protocol'], rule['port_min'], rule['remote_ip']) == ('tcp', 22, '10.0.0.0/24')


def test_merge_of_regions_keeps_both_and_the_shared_network_once(found: dict[str, Any]) -> None:
    other = {**found, 'routers': [{'id': 'second', 'external': None, 'interfaces': []}]}
    merged = snapshot.merge([found, other])
    assert [r['id'] for r in merged['routers']] == ['r', 'inner', 'second']
    assert [n['id'] for n in merged['networks']] == ['ext', 'n']
