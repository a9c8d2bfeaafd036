"""Load balancers as the agent is told them, and their place in the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scs_sandbox.agent.balancers import Balancers
from scs_sandbox.agent.store import Store
from scs_sandbox.balancers.model import Balancer, Place, parse_balancers
from scs_sandbox.errors import SandboxError
from scs_sandbox.network.model import Snapshot, parse_snapshot
from scs_sandbox.network.plan import plan

pytestmark = pytest.mark.unit

ID = '0a0b0c0d-0000-4000-8000-000000000001'


def snapshot() -> Snapshot:
    port = {
        'id': 'vip1',
        'network_id': 'net1',
        'mac': 'fa:16:3e:00:00:09',
        'addresses': ['10.0.0.9'],
        'device_id': f'lb-{ID}',
        'device_owner': 'Octavia',
        'security_groups': [],
        'port_security': True,
    }
    data: dict[str, Any] = {
        'networks': [{'id': 'net1', 'external': False, 'mtu': 1442}],
        'subnets': [{'id': 's1', 'network_id': 'net1', 'cidr': '10.0.0.0/24', 'gateway': '10.0.0.1'}],
        'ports': [port],
        'routers': [],
        'floating_ips': [],
        'security_groups': [],
    }
    return parse_snapshot(data)


def test_a_balancer_has_a_namespace_with_its_address_on_the_switch() -> None:
    made = plan('box', snapshot(), [Balancer(ID, ('vip1',), True, None)])
    space = next(s for s in made.spaces if s.name == f'scs-sandbox-box-lb-{ID}')
    assert space.addresses == {'lo': ('127.0.0.1/8',), 'vvip1': ('10.0.0.9/24',)}
    assert space.default_route == '10.0.0.1'
    here, there = made.wires[0].ends
    assert (here.name, here.master, there.mac, made.wires[0].mtu) == ('pvip1', 'sw0', 'fa:16:3e:00:00:09', 1442)


@pytest.mark.parametrize(('filtered', 'expected'), [(True, True), (False, False)])
def test_security_groups_apply_to_filtered_ones_only(filtered: bool, expected: bool) -> None:
    made = plan('box', snapshot(), [Balancer(ID, ('vip1',), filtered, None)])
    network = next(s for s in made.spaces if s.name == 'scs-sandbox-box-net-net1')
    assert ('ingress-pvip1' in network.rules) is expected


def test_a_balancer_whose_port_is_gone_has_no_namespace() -> None:
    made = plan('box', snapshot(), [Balancer(ID, ('other',), True, None)])
    assert [s.name for s in made.spaces] == ['scs-sandbox-box', 'scs-sandbox-box-net-net1']


def test_malformed_ones_are_refused_with_the_field() -> None:
    with pytest.raises(SandboxError, match='ports'):
        parse_balancers([{'id': ID}])
    with pytest.raises(SandboxError, match='no id'):
        parse_balancers([{'id': '../x', 'ports': []}])


def test_the_digest_follows_the_configuration() -> None:
    one, two = (Balancer(ID, (), True, text) for text in ('a', 'b'))
    assert one.digest != two.digest
    assert one.digest == Balancer(ID, ('p',), False, 'a').digest


def test_the_path_of_the_socket_is_short() -> None:
    place = Place(Path('/var/lib/scs-sandbox/a123456789012345'), ID)
    assert len(str(place.socket)) < 90


def test_each_region_has_its_own(tmp_path: Path) -> None:
    balancers = Balancers(tmp_path, 'box', Store(tmp_path))
    other = ID.replace('1', '2')
    balancers.put('RegionOne', [{'id': ID, 'ports': ['p']}])
    balancers.put('RegionTwo', [{'id': other, 'ports': [], 'filtered': False, 'config': 'x'}])
    assert [b.id for b in balancers.desired()] == [ID, other]
    balancers.put('RegionOne', [])
    assert balancers.desired() == (Balancer(other, (), False, 'x'),)
    with pytest.raises(SandboxError, match='not a name'):
        balancers.put('../x', [])


def test_one_without_network_has_an_error_and_no_proxy(tmp_path: Path) -> None:
    balancers = Balancers(tmp_path, 'box', Store(tmp_path))
    balancers.put('RegionOne', [{'id': ID, 'ports': ['p'], 'config': 'x'}])
    assert balancers.converge({ID: 'not there'}) == {ID: 'not there'}
    assert balancers.status() == [{'id': ID, 'pid': None, 'error': 'not there'}]


def test_proxies_that_are_not_wanted_lose_their_files(tmp_path: Path) -> None:
    balancers = Balancers(tmp_path, 'box', Store(tmp_path))
    Place(tmp_path, ID).directory.mkdir(parents=True)
    balancers.put('RegionOne', [])
    assert balancers.prune() == []
    assert not Place(tmp_path, ID).directory.exists()
