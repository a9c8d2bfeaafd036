"""What pods and nodes of a cluster complain about."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.core import errors
from scs_ci.deploy.diagnosis import Complaint, deepest_first, problem
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


class Witnesses(Cluster):
    """A cluster of three whose node c is silent. told: what the other members write of it, each the same."""

    def __init__(self, told: str, dumb: str = '') -> None:
        gone = control_plane('c', 'Unknown')
        gone['status']['addresses'] = [
            {'type': 'Hostname', 'address': 'c'},
            {'type': 'InternalIP', 'address': '10.8.0.9'},
        ]
        super().__init__([member(name) for name in 'abc'], [*THREE[:2], gone])
        self.told, self.dumb, self.asked = told, dumb, []  # type: ignore[var-annotated]

    def call(self, method: str, path: str, body: Any = None, **wish: Any) -> Any:
        if '/log?' in path:
            self.asked.append(path)
            if self.dumb and self.dumb in path:
                raise Unreachable('cannot get', path, 'no answer', 'look')
            assert 'sinceSeconds=30' in path, 'what was before the fault is none of its news'
        return self.told


def unhealthy(error: str) -> str:
    """A line of etcd 3.6.14 (rafthttp/probing_status.go)."""
    line = '{"level":"warn","ts":"2026-11-27T20:00:00.1Z","msg":"prober detected unhealthy status",'
    return f'{line}"round-tripper-name":"ROUND_TRIPPER_SNAPSHOT","remote-peer-id":"5d","error":"{error}"}}\n'


CLOSED = unhealthy('dial tcp 10.8.0.9:2380: connect: connection refused')
DEAD = unhealthy('dial tcp 10.8.0.9:2380: i/o timeout')
OTHER = unhealthy('dial tcp 10.8.0.91:2380: connect: connection refused')


@pytest.mark.parametrize('dumb', ['', 'etcd-a'])
def test_the_other_members_tell_of_one_whose_node_is_silent(dumb: str) -> None:
    cluster = Witnesses('2026 no JSON\n[1]\n' + DEAD + CLOSED + OTHER, dumb)
    down = Complaint('server c', 'Machine', 'node c was there and is silent; its host or kubelet is down', 0)
    found = deepest_first([*in_cluster(cluster), down])  # type: ignore[arg-type]
    ended = problem('gave up on', 'KubeadmControlPlane of c', 'EtcdClusterHealthy=False', found, product=True)
    witness = 'etcd-b' if dumb else 'etcd-a'
    told = f'etcd member of node c: is lost: nothing listens on port 2380 of 10.8.0.9, says pod {witness}; node c: '
    assert ended.answer.startswith(told), ended.answer
    assert type(ended) is errors.InfrastructureProblem
    assert not any('etcd-c' in path for path in cluster.asked)


@pytest.mark.parametrize('told', ['', DEAD, CLOSED + DEAD, OTHER])
def test_a_silent_node_that_refuses_nobody_is_not_called_lost(told: str) -> None:
    texts = [complaint.text for complaint in in_cluster(Witnesses(told))]  # type: ignore[arg-type]
    assert texts == ['Ready=Unknown'], texts
