"""Readiness predicates, case by case: the states that were seen in a real management cluster."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.deploy.readiness import PREDICATES

pytestmark = pytest.mark.unit


def made(*conditions: dict[str, Any], generation: int = 1, spec: dict[str, Any] | None = None, **status: Any):
    meta = {'name': 'x', 'generation': generation}
    return {'kind': 'X', 'metadata': meta, 'spec': spec or {}, 'status': {'conditions': list(conditions), **status}}


def cond(kind: str, value: bool = True, reason: str = '', message: str = '', **more: Any) -> dict[str, Any]:
    return {'type': kind, 'status': str(value), 'reason': reason, 'message': message, **more}


RELEASE = [cond('ClusterStackReleaseDownloaded'), cond('HelmChartApplied'), cond('Ready')]
MANAGED = {'managedSubnets': [{'cidr': '10.8.0.0/20'}], 'managedSecurityGroups': {}}
CASES: list[tuple[str, Any, bool, bool, str]] = [
    ('ClusterStackRelease', None, False, False, 'absent'),
    ('ClusterStackRelease', made(*RELEASE, ready=True), True, False, 'ready'),
    ('ClusterStackRelease', made(*RELEASE), False, False, 'though no condition is False'),
    ('ClusterStackRelease', made(*RELEASE[:2], cond('Ready', False), ready=True), False, False, 'Ready=False'),
    (
        'ClusterStackRelease',
        made(cond('Ready', False), cond('ClusterStackReleaseDownloaded', False, 'IssueWithReleaseAssets', 'not found')),
        False,
        True,
        'ClusterStackReleaseDownloaded=False IssueWithReleaseAssets: not found',
    ),
    ('ClusterClass', None, False, False, 'absent'),
    ('ClusterClass', made(cond('VariablesReconciled'), observedGeneration=1), True, False, 'variables reconciled'),
    ('ClusterClass', made(cond('VariablesReconciled'), generation=2, observedGeneration=1), False, False, 'Variables'),
    (
        'ClusterClass',
        made(cond('RefVersionsUpToDate', False), cond('VariablesReconciled'), observedGeneration=1),
        True,
        False,
        '',
    ),
    ('Cluster', made(cond('TopologyReconciled', observedGeneration=1)), True, False, 'topology reconciled'),
    (
        'Cluster',
        made(cond('TopologyReconciled', observedGeneration=1), generation=2),
        False,
        False,
        'not looked at yet',
    ),
    (
        'Cluster',
        made(cond('TopologyReconciled', False, 'ReconcileFailed', 'doc is\nmissing path', observedGeneration=1)),
        False,
        False,
        'TopologyReconciled=False ReconcileFailed: doc is missing path',
    ),
    ('OpenStackCluster', made(spec=MANAGED), False, False, 'has nothing; not looked at yet'),
    (
        'OpenStackCluster',
        made(spec=MANAGED, ready=True, network={'id': 'n'}, router={'id': 'r'}, controlPlaneSecurityGroup={'id': 's'}),
        True,
        False,
        'are there',
    ),
    (
        'OpenStackCluster',
        made(spec=MANAGED, network={'id': 'n'}, router={'id': 'r'}),
        False,
        False,
        'has network, router;',
    ),
    ('OpenStackCluster', made(ready=True, network={'id': 'n'}), True, False, 'are there'),
    ('OpenStackCluster', made(spec=MANAGED, failureMessage='no'), False, True, 'has nothing'),
    ('OpenStackServer', made(instanceState='BUILD'), False, False, 'BUILD'),
    ('OpenStackServer', made(instanceState='ERROR'), False, True, 'ERROR'),
    ('OpenStackServer', made(instanceState='ACTIVE', instanceID='7c1e'), True, False, 'ACTIVE (7c1e)'),
]


@pytest.mark.parametrize(('kind', 'obj', 'ready', 'failed', 'text'), CASES)
def test_predicate(kind: str, obj: Any, ready: bool, failed: bool, text: str) -> None:
    state = PREDICATES[kind](obj)
    assert (state.ready, state.failed) == (ready, failed)
    assert text in state.text
