"""What pods and nodes of a cluster complain about."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.core import errors
from scs_ci.deploy.diagnosis import deepest_first, problem
from scs_ci.deploy.inside import in_cluster
from scs_ci.plane.kube import Refused, Unreachable

pytestmark = pytest.mark.unit


class Cluster:
    """A cluster with these pods and nodes; log: what each container wrote."""

    def __init__(self, pods: Any = (), nodes: Any = (), log: str = '', live: bool = True) -> None:
        self.objects, self.log, self.live = {'Pod': pods, 'Node': nodes}, log, live

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return list(self.objects.get(kind, []))

    def call(self, method: str, path: str, body: Any = None, **wish: Any) -> Any:
        if not self.live:
            raise Unreachable('cannot get', path, 'no route to host', 'look')
        if 'previous' not in path and self.log:
            raise Refused('cannot get', path, 'container is waiting to start', '', 400)
        return self.log


def pod(container: dict[str, Any], **status: Any) -> dict[str, Any]:
    whole = {'containerStatuses': [{'name': 'main', 'image': 'i', 'ready': False, **container}], **status}
    return {'kind': 'Pod', 'metadata': {'name': 'p-1', 'namespace': 'kube-system'}, 'status': whole}


BACK_OFF = {'waiting': {'reason': 'CrashLoopBackOff'}}
ENDED = {'terminated': {'exitCode': 2, 'reason': 'Error'}}
SILENT = {
    'kind': 'Node',
    'metadata': {'name': 'n-1'},
    'status': {
        'conditions': [{'type': 'Ready', 'status': 'Unknown', 'reason': 'NodeStatusUnknown', 'message': 'gone'}]
    },
}
PLACELESS = {
    'kind': 'Pod',
    'metadata': {'name': 'p-2'},
    'status': {
        'conditions': [{'type': 'PodScheduled', 'status': 'False', 'reason': 'Unschedulable', 'message': '0/2'}]
    },
}


@pytest.mark.parametrize(
    ('cluster', 'told', 'kind'),
    [
        (Cluster([pod({'state': BACK_OFF, 'lastState': ENDED, 'restartCount': 3})], log='one\nno flag -x\n'),
         'pod p-1: container main crashes (Error, exit code 2 after 3 restarts): no flag -x',
         errors.ProductProblem),
        (Cluster([pod({'state': BACK_OFF, 'lastState': {'terminated': {'exitCode': 0}}})]),
         'pod p-1: container main crashes (exit code 0)', errors.ProductProblem),
        (Cluster([pod({'state': {'terminated': {'exitCode': 137, 'reason': 'OOMKilled', 'message': 'm'}}})]),
         'pod p-1: container main crashes (OOMKilled, exit code 137): m', errors.ProductProblem),
        (Cluster([pod({'state': {'waiting': {'reason': 'CreateContainerConfigError', 'message': 'no secret'}}})]),
         'pod p-1: container main crashes (CreateContainerConfigError): no secret', errors.ProductProblem),
        (Cluster([pod({'state': {'waiting': {'reason': 'ImagePullBackOff'}}})]), 'image: i (pod p-1: ImagePullBackOff)',
         errors.ImageProblem),
        (Cluster(nodes=[SILENT]), 'node n-1: Ready=Unknown NodeStatusUnknown: gone', errors.InfrastructureProblem),
        (Cluster([PLACELESS, PLACELESS]), 'pod p-2: is not scheduled: 0/2', errors.InfrastructureProblem),
    ],
)  # fmt: skip
def test_the_nearest_to_the_cause(cluster: Cluster, told: str, kind: type[errors.Problem]) -> None:
    found = deepest_first(in_cluster(cluster))  # type: ignore[arg-type]
    ended = problem('gave up on', 'Workloads of c', 'waiting', found, product=False)
    assert ended.answer.startswith(told), ended.answer
    assert type(ended) is kind


@pytest.mark.parametrize(
    'container',
    [
        {'state': {'running': {}}, 'ready': True, 'lastState': ENDED},  # came up at the second try
        {'state': {'terminated': {'exitCode': 0}}},  # an init container or a job that is done
        {'state': {'waiting': {'reason': 'PodInitializing'}}},
    ],
)
def test_what_is_well_says_nothing(container: dict[str, Any]) -> None:
    assert in_cluster(Cluster([pod(container)])) == []  # type: ignore[arg-type]


def test_a_dead_cluster_says_nothing() -> None:
    assert in_cluster(Cluster([pod({'state': BACK_OFF})], live=False)) == []  # type: ignore[arg-type]


def control_plane(name: str, ready: str = 'True') -> dict[str, Any]:
    labels = {'node-role.kubernetes.io/control-plane': ''}
    return {
        'metadata': {'name': name, 'labels': labels},
        'status': {'conditions': [{'type': 'Ready', 'status': ready}]},
    }


def member(node: str, ready: str = 'True', container: dict[str, Any] | None = None) -> dict[str, Any]:
    found = pod(container or {'ready': ready == 'True'}, conditions=[{'type': 'Ready', 'status': ready}])
    labels = {'component': 'etcd', 'tier': 'control-plane'}
    return {**found, 'metadata': {'name': f'etcd-{node}', 'labels': labels}, 'spec': {'nodeName': node}}


THREE = [control_plane('a'), control_plane('b'), control_plane('c')]
ORPHAN = {**pod({'state': BACK_OFF, 'lastState': ENDED}), 'metadata': {'name': 'kube-apiserver-c'}}


@pytest.mark.parametrize(
    ('last', 'told'),
    [
        ([], 'etcd member of node c: is lost: the node has no pod of etcd; pod kube-apiserver-c: container main crash'),
        ([member('c', 'False', {'state': BACK_OFF, 'lastState': ENDED})],
         'etcd member of node c: is lost: pod etcd-c is not ready, ended with exit code 2; pod etcd-c: container'),
        ([member('c', 'False')], 'etcd member of node c: is lost: pod etcd-c is not ready; pod kube-apiserver-c'),
    ],
)  # fmt: skip
def test_a_lost_member_of_etcd_explains_its_api_server(last: list[dict[str, Any]], told: str) -> None:
    cluster = Cluster([member('a'), member('b'), *last, ORPHAN], THREE)
    found = deepest_first(in_cluster(cluster))  # type: ignore[arg-type]
    ended = problem('gave up on', 'KubeadmControlPlane of c', 'EtcdClusterHealthy=False', found, product=True)
    assert ended.answer.startswith(told), ended.answer
    assert type(ended) is errors.InfrastructureProblem


@pytest.mark.parametrize(
    ('pods', 'nodes'),
    [
        ([member('a'), member('b'), member('c')], THREE),
        ([], THREE),  # etcd is elsewhere
        ([member('a', 'False')], THREE[:1]),  # none runs: the cluster never came up, and other things say why
        ([member('a'), member('b')], [*THREE[:2], control_plane('c', 'False')]),  # the node itself is not well
        ([member('a')], [THREE[0], {'metadata': {'name': 'worker'}, 'status': THREE[0]['status']}]),
    ],
)
def test_no_member_is_called_lost_that_is_not(pods: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
    told = [complaint.text for complaint in in_cluster(Cluster(pods, nodes))]  # type: ignore[arg-type]
    assert not [text for text in told if 'is lost' in text]
