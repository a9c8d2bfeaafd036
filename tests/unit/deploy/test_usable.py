"""Predicates of a usable cluster, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.deploy import usable
from scs_ci.deploy.usable import PREDICATES, group, imageless

pytestmark = pytest.mark.unit


def made(*conditions: dict[str, Any], kind: str = 'X', spec: dict[str, Any] | None = None, **status: Any):
    meta = {'name': 'x', 'generation': 2}
    return {'kind': kind, 'metadata': meta, 'spec': spec or {}, 'status': {'conditions': list(conditions), **status}}


def cond(kind: str, value: bool = True, reason: str = '', message: str = '', seen: int | None = None) -> dict[str, Any]:
    entry = {'type': kind, 'status': str(value), 'reason': reason, 'message': message}
    return entry if seen is None else {**entry, 'observedGeneration': seen}


def all_of(kinds: tuple[str, ...], without: str = '') -> list[dict[str, Any]]:
    return [cond(kind, kind != without, 'Why' if kind == without else '') for kind in kinds]


def of(*items: dict[str, Any], wanted: int | None = None) -> dict[str, Any]:
    return group('Group', 'c', items, wanted)


FULL = {'replicas': 3, 'readyReplicas': 3, 'upToDateReplicas': 3}
PLANE = all_of(usable.CONTROL_PLANE)
ONCE_SAID = [cond(kind, seen=1 if kind == 'ControlPlaneInitialized' else 2) for kind in usable.CLUSTER]
READY_NODE = made(cond('Ready'), kind='Node')
TAINTED = made(cond('Ready'), kind='Node', spec={'taints': [{'key': usable.UNINITIALIZED}]})
DEPLOYED = made(kind='Deployment', spec={'replicas': 2}, observedGeneration=2, updatedReplicas=2, availableReplicas=2)
DAEMONS = {'observedGeneration': 2, 'desiredNumberScheduled': 3, 'updatedNumberScheduled': 3}
CLASS = {'kind': 'StorageClass', 'metadata': {'name': 'fast', 'annotations': {usable.DEFAULT_CLASS: 'true'}}}
CASES: list[tuple[str, Any, bool, str]] = [
    ('KubeadmControlPlane', None, False, 'absent'),
    ('KubeadmControlPlane', made(*PLANE, spec={'replicas': 3}, **FULL), True, '3 of 3 replicas'),
    ('KubeadmControlPlane', made(*PLANE, spec={'replicas': 3}, **{**FULL, 'readyReplicas': 2}), False, '2 readyRepl'),
    ('KubeadmControlPlane', made(*all_of(usable.CONTROL_PLANE, 'EtcdClusterHealthy')), False, 'EtcdClusterHealthy=Fal'),
    ('KubeadmControlPlane', made(*PLANE, cond('RollingOut'), spec={'replicas': 3}, **FULL), False, 'RollingOut=True'),
    ('KubeadmControlPlane', made(cond('Available', seen=1)), False, 'Available: not looked at yet'),
    ('Available', made(*all_of(usable.CLUSTER)), True, 'Available'),
    ('Available', made(*all_of(usable.CLUSTER, 'RemoteConnectionProbe')), False, 'RemoteConnectionProbe=False Why'),
    # said once and never again: its generation is that of the cluster's first days
    ('Available', made(*ONCE_SAID), True, 'Available'),
    ('Initialized', made(cond('ControlPlaneInitialized', seen=1)), True, 'ControlPlaneInitialized'),
    ('Initialized', made(cond('ControlPlaneInitialized', False, 'Why', seen=1)), False, 'Why'),
    ('ClusterAddon', None, False, 'absent'),
    ('ClusterAddon', made(), False, 'not looked at yet'),
    ('ClusterAddon', made(cond('Ready'), cond('HelmChartApplied')), True, 'no stage left'),
    ('ClusterAddon', made(cond('Ready', False), cond('HelmChartFound', False, 'Gone')), False, 'Ready=False'),
    ('ClusterAddon', made(cond('Ready'), cond('HelmChartFound', False, 'Gone')), False, 'HelmChartFound=False Gone'),
    ('ClusterAddon', made(cond('Ready'), spec={'hook': 'A'}), False, 'hook A'),
    ('ClusterAddon', made(cond('Ready'), stages={'a': 'waiting'}), False, '1 stages'),
    ('Machines', of(made(cond('NodeHealthy')), wanted=2), False, '1 there, 2 wanted'),
    ('Machines', of(made(cond('NodeHealthy')), made(cond('NodeHealthy', False, 'No')), wanted=2), False, 'X x: NodeHe'),
    ('Machines', of(made(cond('NodeHealthy')), wanted=1), True, '1 of 1'),
    ('MachineDeployments', of(), True, '0 of 0'),
    ('MachineDeployments', of(made(cond('Available'), spec={'replicas': 3}, **FULL)), True, '1 of 1'),
    ('MachineDeployments', of(made(cond('Available'), spec={'replicas': 4}, **FULL)), False, '4 wanted'),
    ('Nodes', of(READY_NODE, wanted=1), True, '1 of 1'),
    ('Nodes', of(READY_NODE, TAINTED), False, 'no cloud controller manager'),
    ('Nodes', of(made(cond('Ready', False, 'KubeletNotReady', 'cni plugin not initialized'))), False, 'cni plugin'),
    ('Workloads', of(DEPLOYED), True, '1 of 1'),
    ('Workloads', of({**DEPLOYED, 'status': {**DEPLOYED['status'], 'observedGeneration': 1}}), False, 'not looked at'),
    ('Workloads', of(made(kind='DaemonSet', numberAvailable=2, **DAEMONS)), False, '3 of 3 pods updated, 2 available'),
    ('Workloads', of(made(kind='DaemonSet', numberAvailable=3, **DAEMONS)), True, ''),
    ('Workloads', of(made(kind='Deployment', spec={'replicas': 0}, observedGeneration=2)), True, ''),
    ('StorageClasses', of(CLASS), True, 'fast'),
    ('StorageClasses', of(), False, 'none'),
    ('StorageClasses', of(CLASS, CLASS), False, 'fast, fast'),
]


@pytest.mark.parametrize(('kind', 'obj', 'ready', 'text'), CASES)
def test_states(kind: str, obj: Any, ready: bool, text: str) -> None:
    state = PREDICATES[kind](obj)
    assert (state.ready, text in state.text) == (ready, True), state


def test_pods_without_image_are_named_by_image() -> None:
    def pod(name: str, reason: str, image: str) -> dict[str, Any]:
        return {
            'metadata': {'name': name},
            'status': {'containerStatuses': [{'image': image, 'state': {'waiting': {'reason': reason}}}]},
        }

    pods = [pod('a', 'ImagePullBackOff', 'i:1'), pod('b', 'ErrImagePull', 'i:1'), pod('c', 'CrashLoopBackOff', 'i:2')]
    assert imageless(pods) == ['i:1 (pod a: ImagePullBackOff)']
