"""The plan of a snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.network.model import Snapshot, parse_snapshot
from scs_sandbox.network.plan import Plan, Space, plan

pytestmark = pytest.mark.unit


def snapshot(**changes: Any) -> Snapshot:
    data: dict[str, Any] = {
        'networks': [{'id': 'ext', 'external': True, 'mtu': 1500}, {'id': 'net1', 'external': False, 'mtu': 1442}],
        'subnets': [
            {'id': 's0', 'network_id': 'ext', 'cidr': '198.18.0.0/16', 'gateway': '198.18.0.1'},
            {'id': 's1', 'network_id': 'net1', 'cidr': '10.0.0.0/24', 'gateway': '10.0.0.1'},
        ],
        'ports': [
            {
                'id': 'rp1',
                'network_id': 'net1',
                'mac': 'fa:16:3e:00:00:01',
                'addresses': ['10.0.0.1'],
                'device_id': 'r1',
                'device_owner': 'network:router_interface',
                'security_groups': [],
                'port_security': False,
                'allowed_address_pairs': [],
            },
            {
                'id': 'gw1',
                'network_id': 'ext',
                'mac': 'fa:16:3e:00:00:02',
                'addresses': ['198.18.1.5'],
                'device_id': 'r1',
                'device_owner': 'network:router_gateway',
                'security_groups': [],
                'port_security': False,
                'allowed_address_pairs': [],
            },
        ],
        'routers': [
            {
                'id': 'r1',
                'external': {'network_id': 'ext', 'addresses': ['198.18.1.5'], 'snat': True},
                'interfaces': [{'port_id': 'rp1', 'network_id': 'net1', 'address': '10.0.0.1/24'}],
            }
        ],
        'floating_ips': [{'id': 'f1', 'address': '198.18.1.9', 'fixed': '10.0.0.5', 'router_id': 'r1'}],
        'security_groups': [],
    }
    return parse_snapshot({**data, **changes})


def space(made: Plan, name: str) -> Space:
    return next(item for item in made.spaces if item.name == name)


def test_nothing_is_a_lab_alone() -> None:
    made = plan('box', Snapshot())
    assert [item.name for item in made.spaces] == ['scs-sandbox-box']
    assert made.wires == ()
    assert made.spaces[0].addresses == {'lo': ('127.0.0.1/8', '198.19.0.1/32'), 'ext': ('198.18.0.1/16',)}


def test_a_router_has_both_sides_and_its_floating_address() -> None:
    made = plan('box', snapshot())
    router = space(made, 'scs-sandbox-box-router-r1')
    assert router.addresses['ext0'] == ('198.18.1.5/16', '198.18.1.9/32')
    assert router.addresses['irp1'] == ('10.0.0.1/24',)
    assert router.default_route == '198.18.0.1'
    ends = {(end.namespace, end.name): end for wire in made.wires for end in wire.ends}
    assert ends[('scs-sandbox-box-router-r1', 'ext0')].mac == 'fa:16:3e:00:00:02'
    assert ends[('scs-sandbox-box-router-r1', 'irp1')].mac == 'fa:16:3e:00:00:01'
    assert ends[('scs-sandbox-box-net-net1', 'rrp1')].master == 'sw0'
    assert {wire.mtu for wire in made.wires} == {1500, 1442}


def test_the_external_network_gets_a_switch_only_for_servers() -> None:
    assert 'scs-sandbox-box-net-ext' not in [item.name for item in plan('box', snapshot()).spaces]
    server = {
        'id': 'p1',
        'network_id': 'ext',
        'mac': 'fa:16:3e:00:00:03',
        'addresses': ['198.18.1.20'],
        'device_id': 'vm',
        'device_owner': 'compute:nova',
        'security_groups': [],
        'port_security': True,
        'allowed_address_pairs': [],
    }
    made = plan('box', snapshot(ports=[server], routers=[], floating_ips=[]))
    assert space(made, 'scs-sandbox-box-net-ext').bridges == {'sw0': ''}
    assert [end.name for end in made.wires[0].ends] == ['next', 'up0']


def test_an_interface_into_an_unknown_network_is_left_out() -> None:
    made = plan('box', snapshot(networks=[{'id': 'ext', 'external': True, 'mtu': 1500}]))
    assert list(space(made, 'scs-sandbox-box-router-r1').addresses) == ['lo', 'ext0']


def test_version_six_is_not_carried() -> None:
    routers = [
        {
            'id': 'r1',
            'external': {'network_id': 'ext', 'addresses': ['2001:db8::5', '198.18.1.5'], 'snat': True},
            'interfaces': [
                {'port_id': 'rp1', 'network_id': 'net1', 'address': '2001:db8:1::1/64'},
                {'port_id': 'rp1', 'network_id': 'net1', 'address': '10.0.0.1/24'},
            ],
        }
    ]
    router = space(plan('box', snapshot(routers=routers)), 'scs-sandbox-box-router-r1')
    assert router.addresses['irp1'] == ('10.0.0.1/24',)
    assert router.addresses['ext0'][0] == '198.18.1.5/16'


def test_a_malformed_snapshot_names_the_field() -> None:
    with pytest.raises(SandboxError, match='cidr'):
        snapshot(subnets=[{'id': 's', 'network_id': 'n'}])
