"""Workloads that only images which are declared to be absent keep from rolling out, and everything else that is red."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from played import finished, management, workload

from scs_ci.core.errors import ImageProblem, Problem, ProductProblem
from scs_ci.core.outcome import Outcome
from scs_ci.deploy.unproven import Unproven, of_workloads, waits_for

pytestmark = pytest.mark.unit

ABSENT = ('quay.io/cilium/',)
AGENT, MISTYPED = 'quay.io/cilium/cilium:v1.18.9', 'quay.io/cilum/cilium:v1.18.9'


def container(image: str = AGENT, ready: bool = False, **state: Any) -> dict[str, Any]:
    return {'name': 'main', 'image': image, 'ready': ready, 'state': state}


def waiting(image: str = AGENT, reason: str = 'ImagePullBackOff') -> dict[str, Any]:
    return container(image, waiting={'reason': reason})


def pod(*containers: dict[str, Any], ready: bool = False, init: Any = (), **meta: Any) -> dict[str, Any]:
    conditions = [{'type': 'Ready', 'status': str(ready)}]
    status = {'conditions': conditions, 'initContainerStatuses': list(init), 'containerStatuses': list(containers)}
    return {'metadata': {'name': 'p', 'labels': {'app': 'cilium'}, **meta}, 'status': status}


def daemons(wanted: int = 2, ready: int = 0, updated: int | None = None) -> dict[str, Any]:
    numbers = {'desiredNumberScheduled': wanted, 'numberAvailable': ready}
    numbers['updatedNumberScheduled'] = wanted if updated is None else updated
    meta = {'name': 'cilium', 'labels': {}}
    selector = {'matchLabels': {'app': 'cilium'}}
    return {'kind': 'DaemonSet', 'metadata': meta, 'spec': {'selector': selector}, 'status': numbers}


RUNS, CRASHES = container(running={}), container(waiting={'reason': 'CrashLoopBackOff'})
BEHIND = container('x', waiting={'reason': 'PodInitializing'})
MAKES = container('x', waiting={'reason': 'ContainerCreating'})


@pytest.mark.parametrize(
    ('what', 'images'),
    [
        (pod(waiting()), (AGENT,)),
        (pod(waiting(reason='ErrImagePull')), (AGENT,)),
        (pod(BEHIND, init=[waiting()]), (AGENT,)),
        (pod(RUNS, waiting()), (AGENT,)),
        (pod(waiting(), init=[container('x', terminated={'exitCode': 0})]), (AGENT,)),
        (pod(RUNS, ready=True), ()),
        (pod(waiting(MISTYPED)), ()),
        (pod(waiting(), waiting(MISTYPED)), ()),
        (pod(waiting(), CRASHES), ()),
        (pod(waiting(), container('x', terminated={'exitCode': 1})), ()),
        (pod(waiting(), MAKES), ()),
        (pod(RUNS), ()),
        (pod(), ()),
    ],
)
def test_what_a_pod_waits_for(what: dict[str, Any], images: tuple[str, ...]) -> None:
    assert waits_for(what, ABSENT) == images
    assert waits_for(what, ()) == (), 'nothing is excused that is not declared'


@pytest.mark.parametrize(
    ('workload_', 'pods', 'excused'),
    [
        (daemons(), [pod(waiting()), pod(waiting())], True),
        (daemons(ready=1), [pod(RUNS, ready=True), pod(waiting())], True),
        (daemons(), [pod(waiting())], False),
        (daemons(), [pod(waiting()), pod(CRASHES)], False),
        (daemons(updated=1), [pod(waiting()), pod(waiting())], False),
        (daemons(), [pod(waiting()), pod(waiting(), labels={'app': 'other'})], False),
        (daemons(), [pod(waiting()), pod(waiting(), deletionTimestamp='now')], False),
        ({**daemons(), 'spec': {}}, [pod(waiting()), pod(waiting())], False),
        (daemons(ready=2), [pod(RUNS, ready=True), pod(RUNS, ready=True)], False),
    ],
)
def test_what_keeps_a_workload(workload_: dict[str, Any], pods: list[dict[str, Any]], excused: bool) -> None:
    found = of_workloads([workload_], pods, ABSENT)
    assert found == ([Unproven('DaemonSet cilium', (AGENT,))] if excused else [])


def test_the_record_names_what_is_not_proven(tmp_path: Path) -> None:
    inside = {**workload(), 'DaemonSet': [daemons(1)], 'Pod': [pod(waiting())]}
    state = finished(tmp_path / 'one', management(), inside, absent=ABSENT).state
    assert state.facts['unproven'] == [{'workload': 'DaemonSet cilium', 'images': (AGENT,)}]
    assert state.simulated == {'DaemonSet cilium (no image)'}
    assert (state.outcome, state.reason) == (
        Outcome.PASSED,
        'not proven: DaemonSet cilium, whose images cannot be had here',
    )
    state = finished(tmp_path / 'two', management(), workload(), absent=ABSENT).state
    assert (state.facts['unproven'], state.simulated, state.reason) == ([], set(), '')


def test_other_workloads_stay_red_and_the_declared_image_is_not_blamed(tmp_path: Path) -> None:
    crash = {**pod(CRASHES, labels={'app': 'x'}), 'kind': 'Pod'}
    other = {**daemons(1), 'metadata': {'name': 'other'}, 'spec': {'selector': {'matchLabels': {'app': 'x'}}}}
    inside = {**workload(), 'DaemonSet': [daemons(1), other], 'Pod': [pod(waiting()), crash]}
    with pytest.raises(Problem, match='DaemonSet other: 1 of 1 pods updated, 0 available; without image: D') as told:
        finished(tmp_path / 'one', management(), inside, absent=ABSENT)
    assert isinstance(told.value, ProductProblem)
    with pytest.raises(ImageProblem, match=AGENT):
        finished(tmp_path / 'two', management(), {**inside, 'DaemonSet': [daemons(1)], 'Pod': [pod(waiting())]})
