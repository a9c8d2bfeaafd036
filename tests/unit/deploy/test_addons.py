"""Addons verified by an own rendering with the real helm: what is absent, foreign, different or broken is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scs_ci.core.errors import ProductProblem
from scs_ci.deploy import addons
from scs_ci.plane.kube import Refused
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.helm import helm
from scs_ci.stack.model import LAYOUT_A, Stack, build_model

pytestmark = pytest.mark.unit

CONFIG = (
    'addonStages:\n  AfterControlPlaneInitialized:\n  - {name: one, action: apply}\n  - {name: two, action: apply}\n'
)
CSCTL = 'config:\n  kubernetesVersion: v1.34.7\n  clusterStackName: a\n  provider: {type: openstack}\n'
OBJECT = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {host: "{{ .Values.host }}"}\n'
OBJECTS = {'Cluster': {'spec': {'controlPlaneEndpoint': {'host': '192.0.2.1'}}}}
OVERWRITE = 'values: |\n  host: {{ .Cluster.spec.controlPlaneEndpoint.host }}\n'


def stack_of(**changed: str | None) -> Stack:
    files: dict[str, str | None] = {'csctl.yaml': CSCTL, 'clusteraddon.yaml': CONFIG}
    for stage in ('one', 'two'):
        files[f'cluster-addon/{stage}/Chart.yaml'] = f'apiVersion: v2\nname: {stage}\nversion: 1.0.0\n'
        files[f'cluster-addon/{stage}/templates/x.yaml'] = OBJECT % stage
        files[f'cluster-addon/{stage}/overwrite.yaml'] = OVERWRITE
    files |= changed
    return build_model('p', LAYOUT_A, {name: text.encode() for name, text in files.items() if text is not None})


class Cluster:
    """The workload API with ConfigMaps of kube-system."""

    def __init__(self, **hosts: str) -> None:
        self.hosts = hosts

    def kinds(self, api_version: str) -> dict[str, bool]:
        return {'ConfigMap': True} if api_version == 'v1' else {}

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        found = name in self.hosts and namespace == 'kube-system'
        meta = {'name': name, 'namespace': namespace, 'generation': 1}
        return {'kind': kind, 'metadata': meta, 'data': {'host': self.hosts[name]}} if found else None

    def apply(self, obj: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
        """As a server that writes everything in small letters."""
        assert dry_run, 'a look must change nothing'
        if 'refused' in self.hosts.values():
            raise Refused('cannot dry-run', 'ConfigMap', 'data is immutable', '', 422)
        assert obj['metadata']['namespace'] == 'kube-system'
        data = {key: value.lower() for key, value in obj['data'].items()}
        return {**obj, 'metadata': {**obj['metadata'], 'generation': 2}, 'data': data}


def rendered(tmp_path: Path, stack: Stack) -> list[addons.Expected]:
    with helm(None) as program:
        return addons.expected(stack, OBJECTS, program, ChartSource(tmp_path))


def test_all_there(tmp_path: Path) -> None:
    wanted = rendered(tmp_path, stack_of())
    assert [entry.stage for entry in wanted] == ['one', 'two']
    assert addons.mismatches(Cluster(one='192.0.2.1', two='192.0.2.1'), wanted) == []


def test_absent_and_different_are_told_by_stage(tmp_path: Path) -> None:
    assert addons.mismatches(Cluster(one='192.0.2.9'), rendered(tmp_path, stack_of())) == [
        "stage one: ConfigMap one differs: data.host is '192.0.2.9', rendered '192.0.2.1'",
        'stage two: ConfigMap two is absent in namespace kube-system',
    ]


def test_what_the_server_writes_otherwise_is_no_difference(tmp_path: Path) -> None:
    wanted = rendered(tmp_path, stack_of(**{'cluster-addon/two/overwrite.yaml': 'values: |\n  host: SMALL\n'}))
    assert addons.mismatches(Cluster(one='192.0.2.1', two='small'), wanted) == []
    (found,) = addons.mismatches(Cluster(one='192.0.2.1', two='other'), wanted)
    assert found == "stage two: ConfigMap two differs: data.host is 'other', rendered 'SMALL'"


def test_a_difference_that_the_server_refuses_to_settle_stays(tmp_path: Path) -> None:
    (found,) = addons.mismatches(Cluster(one='refused', two='192.0.2.1'), rendered(tmp_path, stack_of()))
    assert "data.host is 'refused'" in found


def test_a_foreign_namespace_is_explained(tmp_path: Path) -> None:
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: other}\n'
    wanted = rendered(tmp_path, stack_of(**{'cluster-addon/two/templates/x.yaml': text}))
    (found,) = addons.mismatches(Cluster(one='192.0.2.1', two=''), wanted)
    assert 'absent in namespace other (the operator applies namespaced objects in kube-system only)' in found


def test_an_unknown_kind_is_absent(tmp_path: Path) -> None:
    text = 'apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: two}\n'
    wanted = rendered(tmp_path, stack_of(**{'cluster-addon/two/templates/x.yaml': text}))
    (found,) = addons.mismatches(Cluster(one='192.0.2.1'), wanted)
    assert 'the cluster has no kind Thing in example.org/v1' in found


def test_what_is_random_is_not_compared(tmp_path: Path) -> None:
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {host: {{ randAlphaNum 20 }}}\n'
    wanted = rendered(tmp_path, stack_of(**{'cluster-addon/two/templates/x.yaml': text}))
    assert addons.mismatches(Cluster(one='192.0.2.1', two='whatever'), wanted) == []


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        (
            {'cluster-addon/one/Chart.yaml': None},
            'addon stage cluster-addon/one: clusteraddon.yaml names it, there is no chart',
        ),
        ({'cluster-addon/one/templates/x.yaml': '{{ fail "no way" }}'}, 'no way'),
        ({'cluster-addon/one/overwrite.yaml': '{{ .Cluster.x.y }}'}, 'overwrite.yaml'),
    ],
)
def test_what_will_not_render_is_the_stacks_fault(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ProductProblem) as told:
        rendered(tmp_path, stack_of(**changed))
    assert said in str(told.value)


def test_failures_are_read_from_events_of_type_normal() -> None:
    def event(kind: str, reason: str) -> dict[str, Any]:
        return {'type': 'Normal', 'reason': reason, 'message': 'bad\nyaml', 'involvedObject': {'kind': kind}}

    events = [event('ClusterAddon', 'TemplateNewClusterStackFailed')] * 2 + [
        event('ClusterAddon', 'Applied'),
        event('ClusterAddon', 'FailedToApplyObjects'),
        event('Cluster', 'FailedSomething'),
    ]
    assert addons.failures(events) == ['TemplateNewClusterStackFailed: bad yaml']
