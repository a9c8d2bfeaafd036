"""Where no host takes a node it is tried in the next zone, then with the next flavor, each pair once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from fake_cloud import FakeCloud, Fault, _flavor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cloud_nodes import OWN, own, request

from scs_ci.cloud import nodes
from scs_ci.cloud.model import FlavorWish, Group, Topology
from scs_ci.core.errors import CapacityProblem, QuotaProblem

pytestmark = pytest.mark.unit

ZONES = ('az1', 'az2')
SMALL, LARGE = 'SCS-2V-4-10', 'SCS-4V-16-50'
PAIRS = [(flavor, zone) for flavor in (SMALL, LARGE) for zone in ZONES]


def cloud(full: set[tuple[str, str]]) -> FakeCloud:
    fake = FakeCloud(boot=3)
    fake.zones = ['az1', 'az2', 'az3']
    fake.flavors = [_flavor(SMALL, 2, 4096, 10), _flavor(LARGE, 4, 16384, 50)]
    fake.full = full
    return fake


def wanted(tmp_path: Path, fake: FakeCloud, zones: tuple[str, ...] = ZONES, count: int = 1) -> nodes.Request:
    return request(tmp_path, fake, topology=Topology((Group(count=count, zones=zones),)))


def attempts(fake: FakeCloud) -> list[tuple[str, str]]:
    return [(body['flavor_id'].removeprefix('flavor '), body['availability_zone']) for body in fake.bodies]


@pytest.mark.parametrize('full', range(len(PAIRS)))
def test_the_first_pair_that_has_room_is_taken(tmp_path: Path, full: int) -> None:
    fake = cloud(set(PAIRS[:full]))
    node = nodes.present(fake.cloud, wanted(tmp_path, fake)).nodes[0]
    assert (node.flavor, node.zone) == PAIRS[full]
    assert attempts(fake) == PAIRS[: full + 1]
    tried = [r for r in node.passed_over if 'No valid host' in r.reason]
    assert [r.name for r in tried] == [f'{flavor} in zone {zone}' for flavor, zone in PAIRS[:full]]
    assert own(fake) == [OWN.node(0)]
    assert len(fake.kinds['floating_ip']) == 1
    assert not nodes.present(fake.cloud, wanted(tmp_path, fake)).changed


def test_all_pairs_are_named_when_none_has_room(tmp_path: Path) -> None:
    fake = cloud(set(PAIRS))
    with pytest.raises(CapacityProblem) as caught:
        nodes.present(fake.cloud, wanted(tmp_path, fake))
    for flavor, zone in PAIRS:
        assert f'{flavor} in zone {zone}' in str(caught.value)
    assert attempts(fake) == PAIRS
    fake.full = set()
    assert nodes.present(fake.cloud, wanted(tmp_path, fake)).nodes[0].flavor == SMALL


def test_without_zones_only_flavors_are_left_to_change(tmp_path: Path) -> None:
    fake = cloud({(SMALL, '')})
    node = nodes.present(fake.cloud, wanted(tmp_path, fake, ())).nodes[0]
    assert node.flavor == LARGE
    assert node.passed_over[0].name == f'{SMALL} in any zone'


def test_a_zone_that_is_refused_at_once_is_passed_over(tmp_path: Path) -> None:
    fake = cloud(set())
    fake.faults = [Fault('create server', 400, text='The requested availability zone is not available')]
    node = nodes.present(fake.cloud, wanted(tmp_path, fake)).nodes[0]
    assert node.zone == 'az2'


def test_zones_that_the_cloud_does_not_have_are_passed_over_or_refused(tmp_path: Path) -> None:
    fake = cloud(set())
    result = nodes.present(fake.cloud, wanted(tmp_path, fake, ('gone', 'az3')))
    assert result.nodes[0].zone == 'az3'
    assert ('zone gone', 'not available') in [(r.name, r.reason) for r in result.chosen[0].passed_over]
    with pytest.raises(CapacityProblem, match='az1, az2, az3'):
        nodes.preview(fake.cloud, wanted(tmp_path, fake, ('gone',)))


def test_a_named_flavor_has_no_substitute(tmp_path: Path) -> None:
    fake = cloud({(SMALL, '')})
    only = Topology((Group(flavor=FlavorWish(name=SMALL)),))
    with pytest.raises(CapacityProblem):
        nodes.present(fake.cloud, request(tmp_path, fake, topology=only))
    assert len(fake.bodies) == 1


def test_a_diskless_substitute_gets_its_volume(tmp_path: Path) -> None:
    fake = cloud({(SMALL, '')})
    fake.flavors = [_flavor(SMALL, 2, 4096, 10), _flavor('SCS-4V-16', 4, 16384, 0)]
    node = nodes.present(fake.cloud, wanted(tmp_path, fake, ())).nodes[0]
    assert node.flavor == 'SCS-4V-16'
    assert [volume.size for volume in fake.kinds['volume'].values()] == [10]


def test_a_refusal_by_quota_ends_the_tries_and_tells_numbers(tmp_path: Path) -> None:
    fake = cloud({PAIRS[0]})
    fake.limit = 1
    fake.faults = [Fault('create server', 403, text='Quota exceeded for instances', skip=1)]
    with pytest.raises(QuotaProblem, match=r'exhausted now: servers \d of 1'):
        nodes.present(fake.cloud, wanted(tmp_path, fake, count=2))


def test_all_failing_nodes_are_told_at_once(tmp_path: Path) -> None:
    fake = cloud(set())
    fake.errors = {OWN.node(0): 'boom zero', OWN.node(2): 'boom two'}
    asked = wanted(tmp_path, fake, count=3)
    with pytest.raises(Exception, match='boom zero.*boom two'):
        nodes.present(fake.cloud, asked)
    assert sorted(asked.troubles) == [OWN.node(0), OWN.node(2)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(full=st.sets(st.sampled_from(PAIRS)), count=st.integers(1, 3))
def test_it_ends_and_tries_each_pair_once(tmp_path: Path, full: set[tuple[str, str]], count: int) -> None:
    fake = cloud(full)
    asked = dataclasses.replace(wanted(tmp_path, fake, count=count), timeout=10**6)
    try:
        assert len(nodes.present(fake.cloud, asked).nodes) == count
        assert full != set(PAIRS)
    except CapacityProblem:
        assert full == set(PAIRS)
    for name in {body['name'] for body in fake.bodies}:
        pairs = [
            (b['flavor_id'].removeprefix('flavor '), b['availability_zone']) for b in fake.bodies if b['name'] == name
        ]
        assert len(pairs) == len(set(pairs))
        assert pairs == PAIRS[: len(pairs)]
