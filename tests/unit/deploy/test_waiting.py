"""Waits on scripted objects and a clock that only moves when somebody sleeps."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from scs_ci.core import errors
from scs_ci.deploy.diagnosis import Complaint
from scs_ci.deploy.waiting import LIMITS, Limit, await_ready, limit_of

pytestmark = pytest.mark.unit

LIMIT = Limit(5, 'five seconds are enough', product=True)


class ManualClock:
    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.time, datetime.UTC)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def server(state: str) -> dict[str, Any]:
    return {
        'kind': 'OpenStackServer',
        'metadata': {'name': 's'},
        'status': {'instanceState': state, 'instanceID': '7c1e'},
    }


def topology(reason: str, message: str) -> dict[str, Any]:
    entry = {
        'type': 'TopologyReconciled',
        'status': 'False',
        'reason': reason,
        'message': message,
        'observedGeneration': 1,
    }
    return {'kind': 'Cluster', 'metadata': {'name': 'c0', 'generation': 1}, 'status': {'conditions': [entry]}}


def looks(*objects: Any) -> Callable[[], Any]:
    """One after the other; the last one for ever."""
    left = list(objects)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def watch(kind: str, look: Callable[[], Any], complaints: list[Complaint] | None = None) -> tuple[Any, list[str]]:
    said: list[str] = []
    found = await_ready(kind, f'{kind} x', look, said.append, lambda: complaints or [], ManualClock(), LIMIT)
    return found, said


def test_ready_after_some_looks() -> None:
    found, said = watch('OpenStackServer', looks(None, server('BUILD'), server('ACTIVE')))
    assert found['status']['instanceState'] == 'ACTIVE'
    assert said == ['OpenStackServer x: absent', 'OpenStackServer s: BUILD', 'OpenStackServer s: ACTIVE (7c1e)']


def test_failure_ends_the_wait_at_once() -> None:
    with pytest.raises(errors.CapacityProblem, match='No valid host') as caught:
        watch(
            'OpenStackServer',
            looks(server('ERROR')),
            [Complaint('OpenStackServer s', 'OpenStackServer', 'No valid host', 14)],
        )
    assert caught.value.what == 'cannot bring up'


def test_expired_wait_says_where_it_stood_and_why_that_long() -> None:
    with pytest.raises(errors.ProductProblem) as caught:
        watch('OpenStackServer', looks(server('BUILD')))
    assert caught.value.answer == 'BUILD after 5 s (five seconds are enough)'


def test_object_that_nobody_looks_at_is_not_to_blame() -> None:
    with pytest.raises(errors.InfrastructureProblem, match='absent after 5 s'):
        watch('Cluster', looks(None))


def test_covered_failure_is_remembered() -> None:
    look = looks(
        topology('ReconcileFailed', 'doc is missing path'), topology('MachineDeploymentsCreatePending', 'later')
    )
    with pytest.raises(errors.ProductProblem) as caught:
        watch('Cluster', look)
    assert 'doc is missing path' in caught.value.answer
    assert 'MachineDeploymentsCreatePending: later after 5 s' in caught.value.answer


def test_every_limit_has_a_reason() -> None:
    assert all(limit.reason and limit.seconds > 0 for limit in LIMITS.values())
    assert LIMITS['Cluster'].times(0.5).seconds == LIMITS['Cluster'].seconds / 2


def test_a_limit_of_ones_own_is_not_multiplied_and_says_so() -> None:
    assert limit_of('Machines', 2, {}).seconds == 2 * LIMITS['Machines'].seconds
    own = limit_of('Machines', 2, {'Machines': 7})
    assert own.seconds == 7
    assert own.reason == f'as asked, {LIMITS["Machines"].seconds:.0f} s are usual'
