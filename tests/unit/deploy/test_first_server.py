"""The last wait of deploy: the first control plane server, told by CAPO or by the cloud, whoever knows first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scs_ci.core.errors import Problem
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory, StageRun
from scs_ci.deploy import stage
from scs_ci.deploy.kinds import CONTROL_PLANE_LABEL
from scs_ci.deploy.objects import Release
from scs_ci.deploy.variables import CloudChoice

pytestmark = pytest.mark.unit

TIME = '2026-11-25T00:00:00Z'
CLUSTER = 'scs-ci-1-c0'


class Plane:
    """A management cluster with one OpenStackMachine and its server in the given state."""

    def __init__(self, state: str) -> None:
        labels = {'cluster.x-k8s.io/cluster-name': CLUSTER, CONTROL_PLANE_LABEL: ''}
        metadata = {'name': f'{CLUSTER}-abc', 'namespace': 'n', 'labels': labels}
        self.objects = {
            'OpenStackMachine': [{'metadata': metadata}],
            'OpenStackServer': [
                {'metadata': {'name': f'{CLUSTER}-abc'}, 'status': {'instanceState': state, 'instanceID': 'id-1'}},
                {'metadata': {'name': 'of-somebody-else'}, 'status': {'instanceState': 'ACTIVE', 'instanceID': 'id-2'}},
            ],
        }

    def list(self, api_version: str, kind: str, namespace: str, **_: Any) -> list[dict[str, Any]]:
        return self.objects.get(kind, [])

    def get(self, *_: Any) -> None:
        return None

    def events(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return []


def deployment(tmp_path: Path, plane: Plane, is_active: Any) -> stage.Deployment:
    run = RunDirectory.create(tmp_path, RunInfo('run-one', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'sandbox'))
    release = Release('t', 'v0', 'openstack', 'a', '1.34', 'v1.34.1')
    setup = stage.Setup(plane, 'n', {}, CloudChoice, lambda *_: [], lambda *_: {}, patience=0.005, is_active=is_active)
    return stage.Deployment(StageRun(run, 'deploy', None), setup, release, CLUSTER)


def test_the_cloud_is_believed_before_capo_looks_again(tmp_path: Path) -> None:
    asked: list[str] = []
    server = stage._await_server(deployment(tmp_path, Plane('BUILD'), lambda name: asked.append(name) or True))
    assert server['status'] == {'instanceState': 'ACTIVE', 'instanceID': 'id-1'}
    assert asked == ['id-1']


def test_without_a_word_of_the_cloud_capo_decides(tmp_path: Path) -> None:
    assert stage._await_server(deployment(tmp_path, Plane('ACTIVE'), None))['status']['instanceID'] == 'id-1'


def test_neither_knows_it_active(tmp_path: Path) -> None:
    asked: list[str] = []
    with pytest.raises(Problem, match='BUILD'):
        stage._await_server(deployment(tmp_path, Plane('BUILD'), lambda name: asked.append(name)))
    # 3 s of looks, twice a second, every fourth of which asks
    assert 1 <= len(asked) <= 3
