"""What becomes of Octavia's objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scs_sandbox.services import balancing

pytestmark = pytest.mark.unit


def member(identifier: str, status: str = 'ACTIVE', operating: str = 'NO_MONITOR') -> Any:
    return SimpleNamespace(id=identifier, provisioning_status=status, operating_status=operating, enabled=True)


def balancer(status: str = 'ACTIVE', **changes: Any) -> Any:
    pool = SimpleNamespace(
        id='pool',
        provisioning_status='ACTIVE',
        operating_status='ONLINE',
        enabled=True,
        members=[member('m1', operating='ONLINE'), member('m2', operating='ONLINE')],
        health_monitor=None,
    )
    listener = SimpleNamespace(
        id='listener', provisioning_status='ACTIVE', operating_status='ONLINE', enabled=True, l7policies=[]
    )
    made = {'pools': [pool], 'listeners': [listener], 'enabled': True, 'operating_status': 'ONLINE', **changes}
    return SimpleNamespace(id='lb', provisioning_status=status, **made)


STAT = """# pxname,svname,status,weight,bin,bout,scur,stot,ereq,
listener,FRONTEND,{listener},,1,2,3,4,5,
pool:listener,m1,{m1},1,0,0,0,0,,
pool:listener,m2,{m2},{weight},0,0,0,0,,
pool:listener,BACKEND,{pool},1,0,0,0,0,,
"""


def rows(m1: str, m2: str, pool: str = 'UP', listener: str = 'OPEN', weight: int = 1) -> dict[str, Any]:
    return balancing.report(STAT.format(m1=m1, m2=m2, pool=pool, listener=listener, weight=weight))


def test_pending_becomes_active_and_the_rest_stays() -> None:
    found = balancer('PENDING_UPDATE')
    found.pools[0].members.append(member('m3', 'PENDING_CREATE'))
    assert balancing.settled(found, failed=False) == {
        'members': [{'id': 'm3', 'provisioning_status': 'ACTIVE'}],
        'loadbalancers': [{'id': 'lb', 'provisioning_status': 'ACTIVE'}],
    }


def test_what_could_not_be_done_is_an_error() -> None:
    assert balancing.settled(balancer('PENDING_CREATE'), failed=True) == {
        'loadbalancers': [{'id': 'lb', 'provisioning_status': 'ERROR'}]
    }


def test_everything_goes_with_its_load_balancer_children_first() -> None:
    found = balancing.settled(balancer('PENDING_DELETE'), failed=False)
    assert list(found) == ['members', 'pools', 'listeners', 'loadbalancers']
    assert {row['provisioning_status'] for part in found.values() for row in part} == {'DELETED'}


def test_members_go_with_their_pool_and_the_listener_stays() -> None:
    found = balancer('PENDING_UPDATE')
    found.pools[0].provisioning_status = 'PENDING_DELETE'
    settled = balancing.settled(found, failed=False)
    assert [row['id'] for row in settled['members']] == ['m1', 'm2']
    assert settled['pools'] == [{'id': 'pool', 'provisioning_status': 'DELETED'}]
    assert 'listeners' not in settled


def test_a_health_monitor_is_online_when_it_is_on() -> None:
    found = balancer('PENDING_UPDATE')
    found.pools[0].health_monitor = SimpleNamespace(id='h', provisioning_status='PENDING_CREATE', enabled=False)
    row = balancing.settled(found, failed=False)['healthmonitors'][0]
    assert row == {'id': 'h', 'provisioning_status': 'ACTIVE', 'operating_status': 'OFFLINE'}


def test_what_did_not_change_is_not_told() -> None:
    assert balancing.health(balancer(), rows('UP', 'UP')) == {}


@pytest.mark.parametrize(
    ('m2', 'pool', 'expected'),
    [
        ('DOWN', 'UP', {'members': 'ERROR', 'pools': 'DEGRADED', 'loadbalancers': 'DEGRADED'}),
        ('DOWN 1/2', 'DOWN', {'members': 'ERROR', 'pools': 'ERROR', 'loadbalancers': 'ERROR'}),
        ('DRAIN', 'UP', {'members': 'DRAINING'}),
        ('MAINT', 'UP', {'members': 'OFFLINE'}),
        ('no check', 'UP', {'members': 'NO_MONITOR'}),
        ('UP 1/3', 'UP', {}),
    ],
)
def test_reports_become_operating_statuses(m2: str, pool: str, expected: dict[str, str]) -> None:
    found = balancing.health(balancer(), rows('UP', m2, pool))
    assert {kind: part[0]['operating_status'] for kind, part in found.items()} == expected


def test_a_member_without_weight_is_draining() -> None:
    found = balancing.health(balancer(), rows('UP', 'UP', weight=0))
    assert found == {'members': [{'id': 'm2', 'operating_status': 'DRAINING'}]}


def test_a_full_listener_degrades_its_load_balancer() -> None:
    found = balancing.health(balancer(), rows('UP', 'UP', listener='FULL'))
    assert {kind: part[0]['operating_status'] for kind, part in found.items()} == {
        'listeners': 'DEGRADED',
        'loadbalancers': 'DEGRADED',
    }


def test_without_a_report_an_active_listener_is_an_error_and_a_new_one_is_off() -> None:
    nothing = {'listeners': {}, 'pools': {}}
    assert balancing.health(balancer(), nothing)['listeners'][0]['operating_status'] == 'ERROR'
    assert balancing.health(balancer('PENDING_UPDATE'), nothing)['listeners'][0]['operating_status'] == 'OFFLINE'
    off = balancing.health(balancer(enabled=False), nothing)
    assert off['listeners'][0]['operating_status'] == off['loadbalancers'][0]['operating_status'] == 'OFFLINE'
    assert off['pools'][0]['operating_status'] == 'OFFLINE'


def test_counters_of_listeners_are_told() -> None:
    assert rows('UP', 'UP')['counters'] == [
        {
            'id': 'listener',
            'bytes_in': 1,
            'bytes_out': 2,
            'active_connections': 3,
            'total_connections': 4,
            'request_errors': 5,
        }
    ]


def test_counters_go_on_after_a_reload() -> None:
    row = rows('UP', 'UP')['counters'][0]
    later = {**row, 'total_connections': 9, 'active_connections': 0}
    assert balancing.since(row, None) == row
    assert balancing.since(later, row)['total_connections'] == 5
    assert balancing.since(later, row)['active_connections'] == 0
    assert balancing.since(row, later) == row


def test_updates_are_put_together_by_kind() -> None:
    assert balancing.merged([{'a': [{'id': '1'}]}, {'a': [{'id': '2'}], 'b': []}]) == {
        'a': [{'id': '1'}, {'id': '2'}],
        'b': [],
    }
