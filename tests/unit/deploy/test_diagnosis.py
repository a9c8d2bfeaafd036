"""Causes found in trees of objects as Cluster API shows them."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.core import errors
from scs_ci.deploy.diagnosis import complaints, log_complaints, problem

pytestmark = pytest.mark.unit


def obj(kind: str, name: str = 'c0', *conditions: tuple[str, str, str], **status: Any) -> dict[str, Any]:
    entries = [{'type': t, 'status': 'False', 'reason': r, 'message': m} for t, r, m in conditions]
    return {'kind': kind, 'metadata': {'name': name}, 'status': {'conditions': entries, **status}}


def event(kind: str, name: str, reason: str, message: str, severity: str = 'Warning') -> dict[str, Any]:
    return {'type': severity, 'reason': reason, 'message': message, 'involvedObject': {'kind': kind, 'name': name}}


CLUSTER = obj('Cluster', 'c0', ('InfrastructureReady', 'NotReady', 'waiting'), ('Available', 'NotAvailable', '* x'))
NO_HOST = 'No valid host was found. There are not enough hosts available.'


@pytest.mark.parametrize(
    ('objects', 'events', 'kind', 'first'),
    [
        (
            [
                CLUSTER,
                obj('OpenStackServer', 's', ('InstanceReady', 'InstanceStateError', NO_HOST), instanceState='ERROR'),
            ],
            [],
            errors.CapacityProblem,
            'OpenStackServer s',
        ),
        (
            [CLUSTER, obj('OpenStackCluster', 'o')],
            [event('OpenStackCluster', 'o', 'Failedcreatenetwork', 'Quota exceeded for resources: network.')],
            errors.QuotaProblem,
            'OpenStackCluster o: Failedcreatenetwork',
        ),
        (
            [
                obj(
                    'Cluster',
                    'c0',
                    ('TopologyReconciled', 'ReconcileFailed', 'failed to apply patch: doc is missing path'),
                )
            ],
            [],
            errors.ProductProblem,
            'Cluster c0: TopologyReconciled=False ReconcileFailed: failed',
        ),
        (
            [
                obj(
                    'OpenStackServer',
                    's',
                    ('InstanceReady', 'InvalidMachineSpec', 'no images were found with the given'),
                )
            ],
            [],
            errors.ImageProblem,
            'OpenStackServer s',
        ),
        (
            [CLUSTER, obj('OpenStackCluster', 'o', ('NetworkReady', 'NetworkCreateFailed', 'Authentication failed'))],
            [],
            errors.CredentialProblem,
            'OpenStackCluster o',
        ),
        (
            [
                CLUSTER,
                obj('OpenStackCluster', 'o', ('NetworkReady', 'NetworkCreateFailed', 'dial tcp: connection refused')),
            ],
            [],
            errors.NetworkProblem,
            'OpenStackCluster o',
        ),
        ([CLUSTER, obj('OpenStackServer', 's', instanceState='ERROR')], [], errors.BootProblem, 'OpenStackServer s'),
        (
            [
                obj(
                    'Cluster',
                    'c0',
                    (
                        'TopologyReconciled',
                        'ReconcileFailed',
                        'admission webhook "validation.x" denied the request: spec: Forbidden: cannot be modified',
                    ),
                )
            ],
            [],
            errors.ProductProblem,
            'Cluster c0: TopologyReconciled=False ReconcileFailed: admission webhook',
        ),
        ([CLUSTER], [], errors.InfrastructureProblem, 'still waiting'),
        (
            [obj('OpenStackCluster', 'o', failureMessage='strange')],
            [],
            errors.InfrastructureProblem,
            'OpenStackCluster o',
        ),
        (
            [obj('KubeadmControlPlane', 'k', ('X', 'Odd', 'strange'))],
            [],
            errors.ProductProblem,
            'KubeadmControlPlane k',
        ),
    ],
)
def test_verdict(objects: Any, events: Any, kind: type[errors.Problem], first: str) -> None:
    found = problem('gave up on', 'Cluster c0', 'still waiting', complaints(objects, events), product=False)
    assert type(found) is kind
    assert found.answer.startswith(first)
    assert found.advice


def test_deepest_complaint_comes_first_and_repetitions_once() -> None:
    twice = event('Machine', 'm', 'FailedX', 'x')
    server = obj('OpenStackServer', 's', ('InstanceReady', 'InstanceCreateFailed', 'boom'))
    found = complaints([obj('Cluster', 'c0', ('A', 'Odd', 'b')), server], [twice, twice])
    assert [complaint.kind for complaint in found] == ['OpenStackServer', 'Machine', 'Cluster']


def test_nobody_complains() -> None:
    assert complaints([CLUSTER], [event('Machine', 'm', 'SuccessfulCreate', 'ok', 'Normal')]) == []
    assert isinstance(problem('x', 'y', 'z', [], product=True), errors.ProductProblem)


def test_operator_reports_failures_as_normal_events() -> None:
    (found,) = complaints([], [event('ClusterAddon', 'a', 'TemplateNewClusterStackFailed', 'bad yaml', 'Normal')])
    assert found.text == 'TemplateNewClusterStackFailed: bad yaml'


CAPO_LOG = r"""I1125 02:31:05 1 x.go:1] "Reconciling" OpenStackCluster="ns/c0-wvtqr"
E1125 02:31:05 1 c.go:4] "Reconciler error" err="auth err: Post \"http://c/v3\": connection refused" name="ns/c0-wvtqr"
E1125 02:31:06 1 c.go:4] "Reconciler error" err="the object has been modified" name="ns/c0-wvtqr"
E1125 02:31:07 1 controller.go:474] "Reconciler error" err="of somebody else" name="ns/other"
"""
CSO_LOG = """Error: chart file "db" is larger than the maximum file size 5242880
{"level":"ERROR","name":"ns/openstack-x-1-34-v1","error":"failed to template\\n: exit status 1"}
"""


@pytest.mark.parametrize(
    ('text', 'wanted', 'said'),
    [
        (CAPO_LOG, 'c0', 'auth err: Post "http://c/v3": connection refused'),
        (
            CSO_LOG,
            'openstack-x-1-34-v1',
            'failed to template : exit status 1 Error: chart file "db" is larger than the',
        ),
        (CAPO_LOG, 'c7', ''),
        ('', 'c0', ''),
    ],
)
def test_log_tells_what_conditions_hide(text: str, wanted: str, said: str) -> None:
    found = log_complaints('capo', text, 'ns', [wanted])
    assert [complaint.subject for complaint in found] == (['log of capo'] if said else [])
    assert all(complaint.text.startswith(said) for complaint in found)


def test_unreachable_cloud_is_no_matter_of_the_credential() -> None:
    found = problem('x', 'y', 'z', log_complaints('capo', CAPO_LOG, 'ns', ['c0']), product=False)
    assert isinstance(found, errors.NetworkProblem)


def test_layers_that_repeat_each_other_are_told_once() -> None:
    below = obj('OpenStackCluster', 'o', ('Ready', 'OpenStackError', 'failed to get external network: 404'))
    above = obj('Cluster', 'c0', ('InfrastructureReady', 'OpenStackError', 'failed to get external network: 404'))
    answer = 'has nothing; Ready=False OpenStackError: failed to get external network: 404 after 63 s'
    found = problem('gave up on', 'OpenStackCluster o', answer, complaints([above, below]), product=False)
    assert found.answer == (
        'OpenStackCluster o: Ready=False OpenStackError: failed to get external network: 404; '
        'has nothing; Ready=False OpenStackError after 63 s'
    )


def test_log_counts_as_deep_as_the_kind_it_speaks_of() -> None:
    log = 'E1125 c.go:4] "x" err="no flavors were found: name=X" controllerKind="OpenStackServer" name="ns/c0-a"'
    (logged,) = log_complaints('capo', log, 'ns', ['c0'])
    assert (logged.kind, logged.depth) == ('OpenStackServer', 14)
    above = complaints([obj('Machine', 'm', ('InfrastructureReady', 'Odd', 'strange'))])
    found = problem('gave up on', 'OpenStackServer of c0', 'not looked at yet', [logged, *above], product=False)
    assert found.answer.startswith('log of capo: no flavors were found: name=X; Machine m')
    assert 'flavor' in found.advice


def test_release_missing_in_the_registry_is_no_fault_of_the_stack() -> None:
    waiting = obj('ClusterStackRelease', 'r', ('Ready', 'ReleaseAssetsNotDownloadedYet', 'assets not downloaded yet'))
    log = (
        '{"controllerKind":"ClusterStackRelease","name":"ns/r","error":"failed to download release assets: not found"}'
    )
    found = problem(
        'gave up on', 'r', 'z', complaints([waiting]) + log_complaints('cso', log, 'ns', ['r']), product=True
    )
    assert type(found) is errors.InfrastructureProblem
    assert found.answer == 'log of cso: failed to download release assets: not found; z'
