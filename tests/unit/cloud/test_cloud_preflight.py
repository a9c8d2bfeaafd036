"""Every shortfall at once, with numbers; nothing that fits is called short."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scs_ci.cloud import preflight, quota
from scs_ci.cloud.model import ClusterWish, Flavor, FlavorWish, Group, Image, ImageWish, Network, Topology, Zone
from scs_ci.cloud.observe import Offer
from scs_ci.cloud.preflight import Observed
from scs_ci.cloud.quota import Limit, Vector
from scs_ci.cloud.rows import Row, table
from scs_ci.core.errors import ImageProblem, InfrastructureProblem, NetworkProblem, QuotaProblem
from scs_ci.core.naming import names

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
AMPLE: Mapping[str, Limit | str] = dict.fromkeys(quota.KINDS, Limit(10_000_000, 0))
FLAVORS = (Flavor('1', 'SCS-2V-4-20s', 2, 4096, 20), Flavor('2', 'SCS-4V-8', 4, 8192, 0))


def image(name: str, **properties: str) -> Image:
    return Image(name, name, 'active', 'public', False, 20, 0, 2**30, '2026', properties)


DEBIAN = image('Debian 13', os_distro='debian', os_purpose='generic', architecture='x86_64', os_version='13')
CAPI = image('ubuntu-capi-image-v1.34.7', os_distro='ubuntu', os_purpose='k8snode')
OFFER = Offer(FLAVORS, (DEBIAN, CAPI), (Network('n', 'public', True, 'ACTIVE'),), (Zone('nova', True),))


def evaluate(
    topology: Topology, kubernetes: tuple[str, ...] = (), limits: Mapping[str, Limit | str] = AMPLE, **seen: object
) -> dict[str, Row]:
    observed = dataclasses.replace(Observed(OFFER, limits), **seen)  # type: ignore[arg-type]
    rows, _ = preflight.evaluate(RUN, topology, kubernetes, observed)
    return {row.subject: row for row in rows}


def shortfalls(rows: Mapping[str, Row]) -> set[str]:
    return {subject for subject, row in rows.items() if row.ok is False}


def test_nothing_is_short_in_an_ample_cloud() -> None:
    rows = evaluate(Topology((Group(count=3),)), ('v1.34.7',))
    assert shortfalls(rows) == set()
    assert rows['servers'].need == 4
    assert rows['vCPUs'].need == 8
    assert rows['floating IPs'].need == 4
    assert rows['networks'].need == 2
    assert 'volumes' not in rows


def test_every_shortfall_is_reported_with_numbers() -> None:
    limits = dict.fromkeys(quota.KINDS, Limit(1, 1))
    rows = evaluate(Topology((Group(count=3, zones=('az9',)),), external='gone'), ('v1.33.1',), limits)
    choices = {'cluster image v1.33.1', 'external network', 'zone az9'}
    quotas = {word for kind, (_, word) in quota.KINDS.items() if rows.get(word)}
    assert {'servers', 'vCPUs', 'ports', 'floating IPs', 'security group rules', 'free external addresses'} < quotas
    assert shortfalls(rows) == choices | quotas
    assert rows['servers'].answer == 'need 4, have 0 (used 1 of 1)'
    assert (rows['servers'].need, rows['servers'].used, rows['servers'].limit) == (4, 1, 1)


def test_exactly_enough_is_enough_and_one_less_is_not() -> None:
    for limit, short in ((Limit(7, 4), set()), (Limit(6, 4), {'servers'})):
        assert shortfalls(evaluate(Topology((Group(count=3),)), limits={**AMPLE, 'instances': limit})) == short


def test_no_limit_and_no_answer_are_no_shortfall_but_a_missing_service_is() -> None:
    limits = {
        **AMPLE,
        'instances': Limit(-1, 500),
        'addresses': 'only administrators may see it',
        'volumes': 'no block storage',
    }
    diskless = Group(flavor=FlavorWish(vcpus=4, ram=8192, disk=40))
    rows = evaluate(Topology((diskless,)), limits=limits)
    assert shortfalls(rows) == {'volumes'}
    assert rows['free external addresses'].ok is None
    assert rows['GB of volumes'].need == 40


def test_what_the_run_already_has_is_not_needed_again() -> None:
    prefix = names(RUN).prefix
    have = {'network': 1, 'subnet': 1, 'router': 1, 'security_group': 1, 'key_pair': 1, 'server': 2}
    nodes = frozenset({f'{prefix}-node-0', f'{prefix}-node-1'})
    rows = evaluate(Topology((Group(count=3),)), have=have, nodes=nodes)
    assert rows['servers'].need == 1
    assert 'networks' not in rows
    assert 'key pairs' not in rows


def test_types_of_volumes_have_limits_of_their_own() -> None:
    quotas = {'volumes': 10, 'volumes_ssd': 1, 'gigabytes_ssd': -1, 'gigabytes_hdd': 10, 'id': 'x',
              'usage': {'volumes_ssd': 1}, 'reservation': {'gigabytes_hdd': 4}}  # fmt: skip
    found = quota.typed(quotas, 'hdd')
    assert found == {
        'volumes@ssd': Limit(1, 1), 'gigabytes@ssd': Limit(-1, 0),
        'gigabytes@hdd': Limit(10, 4), 'gigabytes@': Limit(10, 4),
    }  # fmt: skip
    wish = FlavorWish(vcpus=4, ram=8192, disk=40)
    for volume_type, short in (('', {'GB of volumes of type default'}), ('ssd', {'volumes of type ssd'}), ('x', set())):
        group = Group(flavor=wish, volume_type=volume_type)
        assert shortfalls(evaluate(Topology((group,)), limits={**AMPLE, **found})) == short


def test_servers_of_one_server_group_are_counted_per_group() -> None:
    groups = tuple(Group(name=name, count=count, server_group='anti-affinity') for name, count in (('a', 3), ('b', 5)))
    rows = evaluate(Topology(groups), limits={**AMPLE, 'server_group_members': Limit(4, 0)})
    assert shortfalls(rows) == {'servers in one server group'}
    assert rows['servers in one server group'].need == 5
    assert rows['server groups'].need == 2


def test_an_image_that_needs_more_than_the_wish_changes_the_flavor() -> None:
    huge = dataclasses.replace(DEBIAN, min_disk=30)
    rows = evaluate(Topology((Group(),)), offer=dataclasses.replace(OFFER, images=(huge,)))
    assert rows['group node flavor'].answer == 'SCS-4V-8'
    assert rows['GB of volumes'].need == 30


@pytest.mark.parametrize(('parallel', 'clusters'), [(1, 1), (2, 2), (0, 3), (9, 3)])
def test_clusters_one_by_one_or_together(parallel: int, clusters: int) -> None:
    wish = ClusterWish(
        control_planes=3, workers=2, load_balancer=True, parallel=parallel, image='ubuntu-capi-image-v1.34.7'
    )
    rows = evaluate(Topology((Group(count=0),), clusters=wish), ('v1.34.1', 'v1.33.1', 'v1.32.1'))
    assert rows['servers'].need == 5 * clusters
    for word in ('load balancers', 'listeners', 'pools', 'health monitors'):
        assert rows[word].need == clusters
    assert rows['members of pools'].need == 3 * clusters
    assert rows['ports'].need == clusters * (5 + 2 + 1)


def test_an_upgrade_needs_the_image_of_its_target_and_a_machine_more() -> None:
    wish = Topology((Group(count=0),), clusters=ClusterWish(control_planes=1, workers=2))
    observed = Observed(OFFER, AMPLE)
    found, _ = preflight.evaluate(RUN, wish, ('v1.34.7',), observed, ('v1.35.2',))
    rows = {row.subject: row for row in found}
    assert shortfalls(rows) == {'cluster image v1.35.2'}
    assert rows['servers'].need == 4
    again, _ = preflight.evaluate(RUN, wish, ('v1.34.7',), observed, ('v1.34.7',))
    assert shortfalls({row.subject: row for row in again}) == set()


def test_no_cluster_needs_no_load_balancer_service() -> None:
    assert shortfalls(evaluate(Topology(), limits={**AMPLE, 'load_balancers': 'no load balancer service'})) == set()


def test_an_image_without_known_user_is_a_shortfall() -> None:
    plan9 = image('plan9', os_distro='plan9')
    rows = evaluate(
        Topology((Group(image=ImageWish(name='plan9')),)), offer=dataclasses.replace(OFFER, images=(plan9,))
    )
    assert shortfalls(rows) == {'group node user'}
    assert 'image_original_user' not in rows['group node user'].answer


@pytest.mark.parametrize(
    ('row', 'kind'),
    [
        (Row('compute', 'servers', False, 'x', 4, 1, 1, 'quota'), QuotaProblem),
        (Row('choice', 'image', False, 'x', verdict='image'), ImageProblem),
        (Row('choice', 'network', False, 'x', verdict='network'), NetworkProblem),
        (Row('choice', 'flavor', False, 'x', verdict='infrastructure'), InfrastructureProblem),
    ],
)
def test_the_problem_has_the_class_of_the_first_shortfall(row: Row, kind: type) -> None:
    problem = preflight.Preflight((row, Row('choice', 'other', False, 'also')), {}).problem()
    assert type(problem) is kind
    assert '2 shortfalls' in str(problem)
    assert 'also' in str(problem)


def test_no_shortfall_no_problem() -> None:
    assert preflight.Preflight((Row('a', 'b', True, ''), Row('a', 'c', None, '')), {}).problem() is None


def test_table_marks_shortfalls() -> None:
    text = table(
        [Row('a', 'servers', False, 'need 4, have 1', 4, 1, 2), Row('a', 'x', True, 'y'), Row('a', 'z', None, 'q', 3)]
    )
    assert text.splitlines() == [
        'SHORT    servers  need 4, have 1',
        'ok       x        y',
        'unknown  z        need 3: q',
    ]


VECTORS = st.dictionaries(st.sampled_from(sorted(quota.KINDS)), st.integers(0, 1000)).map(Vector)


@given(VECTORS, VECTORS, st.integers(0, 9))
def test_vectors_add_up(one: Vector, two: Vector, times: int) -> None:
    for kind in quota.KINDS:
        assert (one + two)[kind] == one[kind] + two[kind] == (two + one)[kind]
        assert (one * times)[kind] == one[kind] * times


@given(
    VECTORS,
    st.dictionaries(
        st.sampled_from(sorted(quota.KINDS)), st.builds(Limit, st.integers(-1, 1000), st.integers(0, 1000))
    ),
)
def test_short_exactly_where_the_free_amount_does_not_reach(need: Vector, limits: dict[str, Limit]) -> None:
    short = {row.subject for row in preflight.quota_rows(need, limits) if row.ok is False}
    expected = {
        quota.KINDS[kind][1]
        for kind, limit in limits.items()
        if need[kind] and limit.limit >= 0 and need[kind] > max(limit.limit - limit.used, 0)
    }
    assert short == expected
