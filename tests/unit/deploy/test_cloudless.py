"""A cluster that was made to look at its topology, then one for a cloud in the same run, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scs_ci.core.errors import UsageProblem
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory, StageRun
from scs_ci.deploy import objects, stage
from scs_ci.deploy.objects import Release
from scs_ci.deploy.variables import CloudChoice

pytestmark = pytest.mark.unit

TIME = '2026-11-25T00:00:00Z'
CLUSTER = 'scs-ci-1-c0'
RELEASE = Release('t', 'v0', 'openstack', 'a', '1.34', 'v1.34.1')
CLOUD = {'auth_type': 'password'}


class Plane:
    """A management cluster that deletes as soon as it is asked, and remembers what it was asked for."""

    def __init__(self, *clusters: dict[str, Any]) -> None:
        self.clusters = list(clusters)
        self.deleted: list[str] = []

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return next((obj for obj in self.clusters if obj['metadata']['name'] == name), None)

    def list(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        return self.clusters

    def delete(self, api_version: str, kind: str, name: str, namespace: str) -> None:
        self.deleted.append(f'{kind} {namespace}/{name}')
        self.clusters = [obj for obj in self.clusters if obj['metadata']['name'] != name]


def cluster(cloudless: bool, name: str = CLUSTER) -> dict[str, Any]:
    return objects.cluster('n', name, RELEASE, {}, '', cloudless=cloudless)


def deployment(tmp_path: Path, plane: Any, cloud: dict[str, str]) -> stage.Deployment:
    run = RunDirectory.create(tmp_path, RunInfo('run-one', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'sandbox'))
    setup = stage.Setup(plane, 'n', cloud, CloudChoice, lambda *_: [], lambda *_: {})
    return stage.Deployment(StageRun(run, 'deploy', None), setup, RELEASE, CLUSTER)


def test_only_a_cluster_for_no_cloud_is_marked() -> None:
    assert cluster(True)['metadata']['annotations'] == {objects.CLOUDLESS: 'true'}
    assert 'annotations' not in cluster(False)['metadata']


def test_a_topology_is_made_anew_for_a_cloud(tmp_path: Path) -> None:
    other = cluster(False, 'scs-ci-1-c1')
    plane = Plane(cluster(True), other)
    run = deployment(tmp_path, plane, CLOUD)
    stage._demand_place(run)
    assert plane.deleted == [f'Cluster n/{CLUSTER}']
    assert plane.clusters == [other], 'of another version, and nobody waits for it'
    assert 'made for no cloud' in (tmp_path / 'progress.log').read_text()


@pytest.mark.parametrize(('cloudless', 'cloud'), [(True, {}), (False, CLOUD)])
def test_the_same_again_goes_on_with_what_is_there(tmp_path: Path, cloudless: bool, cloud: dict[str, str]) -> None:
    plane = Plane(cluster(cloudless))
    stage._demand_place(deployment(tmp_path, plane, cloud))
    assert plane.deleted == []


@pytest.mark.parametrize('cloud', [{}, CLOUD])
def test_nothing_there(tmp_path: Path, cloud: dict[str, str]) -> None:
    plane = Plane()
    stage._demand_place(deployment(tmp_path, plane, cloud))
    assert plane.deleted == []


def test_a_cluster_in_a_cloud_is_not_changed_for_its_topology(tmp_path: Path) -> None:
    plane = Plane(cluster(False))
    with pytest.raises(UsageProblem, match='it is in a cloud') as caught:
        stage._demand_place(deployment(tmp_path, plane, {}))
    assert '--delete' in caught.value.advice
    assert plane.deleted == []
