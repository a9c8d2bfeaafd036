"""The way from the first server to a usable cluster, over played objects: what passes, and whom a bad end names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from played import NAME, finished, management, named, true, workload

from scs_ci.core.errors import ImageProblem, Problem, ProductProblem, ToolProblem
from scs_ci.deploy import usable

pytestmark = pytest.mark.unit


def test_a_usable_cluster(tmp_path: Path) -> None:
    done = finished(tmp_path, management(), workload())
    assert done.state.facts['machines'] == 2
    assert done.state.facts['addons'] == {'one': 1, 'two': 1}
    assert list(done.steps) == [
        'control plane initialized', 'addons', 'control plane', 'machines', 'cluster available', 'nodes', 'workloads',
    ]  # fmt: skip


def test_an_absent_addon_object_is_red_though_all_conditions_are_true(tmp_path: Path) -> None:
    with pytest.raises(ProductProblem, match='stage one: ConfigMap x is absent'):
        finished(tmp_path, management(), {**workload(), 'ConfigMap': []})


def test_a_stage_that_did_not_render_is_told_by_events_alone(tmp_path: Path) -> None:
    about = {'kind': 'ClusterAddon', 'name': f'cluster-addon-{NAME}'}
    event = {'type': 'Normal', 'reason': 'TemplateNewClusterStackFailed', 'message': 'bad', 'involvedObject': about}
    events = {'Event': [{**event, 'metadata': {'name': 'e'}}]}
    with pytest.raises(Problem, match='TemplateNewClusterStackFailed: bad') as told:
        finished(tmp_path / 'one', {**management(), **events}, {**workload(), 'ConfigMap': []})
    assert isinstance(told.value, ProductProblem)
    # a later try of the operator helped: everything is there
    assert 'workloads' in finished(tmp_path / 'two', {**management(), **events}, workload()).steps


def test_an_image_that_nobody_has_is_named(tmp_path: Path) -> None:
    waiting = {'image': 'example.org/i:1', 'state': {'waiting': {'reason': 'ImagePullBackOff'}}}
    inside = {
        **workload(),
        'Deployment': [named('coredns', spec={'replicas': 1}, status={})],
        'Pod': [named('coredns-1', status={'containerStatuses': [waiting]})],
    }
    with pytest.raises(ImageProblem, match='example.org/i:1'):
        finished(tmp_path, management(), inside)


@pytest.mark.parametrize(
    ('kind', 'objects', 'said'),
    [
        ('Machine', [named('a', status=true('NodeHealthy'))], '1 there, 2 wanted'),
        ('Cluster', [named(NAME, status=true('ControlPlaneInitialized'))], 'wanted'),
        ('ClusterAddon', [], 'absent'),
        ('KubeadmControlPlane', [named('cp', spec={'replicas': 1}, status=true(*usable.CONTROL_PLANE))], '0 replicas'),
    ],
)
def test_each_wait_of_the_management_cluster_can_fail(tmp_path: Path, kind: str, objects: Any, said: str) -> None:
    with pytest.raises(Problem, match=said):
        finished(tmp_path, {**management(), kind: objects}, workload())


def test_without_kubeconfig_nobody_can_look_inside(tmp_path: Path) -> None:
    with pytest.raises(ToolProblem, match=f'Secret {NAME}-kubeconfig: it is absent'):
        finished(tmp_path, {**management(), 'Secret': []}, workload())


def test_a_tainted_node_and_missing_rights_are_red(tmp_path: Path) -> None:
    tainted = [named(name, status=true('Ready'), spec={'taints': [{'key': usable.UNINITIALIZED}]}) for name in 'ab']
    with pytest.raises(Problem, match='no cloud controller manager'):
        finished(tmp_path / 'one', management(), {**workload(), 'Node': tainted})
    with pytest.raises(ProductProblem, match='may not do everything'):
        finished(tmp_path / 'two', management(), workload(), allowed=False)
