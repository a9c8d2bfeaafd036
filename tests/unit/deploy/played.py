"""A usable cluster as played objects, in the management cluster and in itself."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scs_ci.core.records import PlannedVersion, RunInfo
from scs_ci.core.run import RunDirectory, StageRun
from scs_ci.deploy import finish, stage, usable
from scs_ci.deploy.addons import Expected
from scs_ci.deploy.objects import Release
from scs_ci.deploy.variables import CloudChoice

TIME = '2026-11-25T00:00:00Z'
NAME = 'scs-ci-1-c0'
VERSION = PlannedVersion('k', 'p', 'openstack', 'a', 'v1.34.1', 'csctl', 'all', ('deploy',))
LABELS = {'cluster.x-k8s.io/cluster-name': NAME}
COUNTS = {'replicas': 1, 'readyReplicas': 1, 'upToDateReplicas': 1}
CONFIG_MAP = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'x'}, 'data': {'a': 'b'}}
WANTED = [
    Expected('one', CONFIG_MAP),
    Expected('two', {'apiVersion': 'v1', 'kind': 'StorageClass', 'metadata': {'name': 'fast'}}),
]


def true(*kinds: str, **status: Any) -> dict[str, Any]:
    return {'conditions': [{'type': kind, 'status': 'True'} for kind in kinds], **status}


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {'metadata': {'name': name, 'labels': LABELS}, **fields}


def management() -> dict[str, list[dict[str, Any]]]:
    topology = {'controlPlane': {'replicas': 1}, 'workers': {'machineDeployments': [{'replicas': 1}]}}
    kubeconfig = {'value': base64.b64encode(b'kubeconfig').decode()}
    return {
        'Cluster': [named(NAME, spec={'topology': topology}, status=true(*usable.CLUSTER))],
        'Secret': [named(f'{NAME}-kubeconfig', data=kubeconfig)],
        'ClusterAddon': [named(f'cluster-addon-{NAME}', status=true('Ready'))],
        'KubeadmControlPlane': [named('cp', spec={'replicas': 1}, status=true(*usable.CONTROL_PLANE, **COUNTS))],
        'Machine': [named(name, status=true('NodeHealthy')) for name in ('a', 'b')],
        'MachineDeployment': [named('md', spec={'replicas': 1}, status=true('Available', **COUNTS))],
        'Event': [],
    }


def workload() -> dict[str, list[dict[str, Any]]]:
    return {
        'ConfigMap': [CONFIG_MAP],
        'StorageClass': [{'metadata': {'name': 'fast', 'annotations': {usable.DEFAULT_CLASS: 'true'}}}],
        'Node': [named(name, status=true('Ready')) for name in ('a', 'b')],
        'Deployment': [named('coredns', spec={'replicas': 1}, status={'updatedReplicas': 1, 'availableReplicas': 1})],
    }


class Played:
    """An API whose objects are lists by kind."""

    def __init__(self, objects: dict[str, list[dict[str, Any]]], allowed: bool = True) -> None:
        self.objects, self.allowed = objects, allowed

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return next((o for o in self.list(api_version, kind) if o['metadata']['name'] == name), None)

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return [{'kind': kind, **obj} for obj in self.objects.get(kind, [])]

    def kinds(self, api_version: str) -> dict[str, bool]:
        return {'ConfigMap': True, 'StorageClass': False}

    def events(self, namespace: str) -> list[dict[str, Any]]:
        return self.objects['Event']

    def call(self, method: str, path: str, body: Any = None, **wish: Any) -> Any:
        return {'status': {'allowed': self.allowed}}


def finished(
    tmp_path: Path,
    plane: dict[str, Any],
    inside: dict[str, Any],
    allowed: bool = True,
    absent: tuple[str, ...] = (),
) -> stage.Deployment:
    """The way from the first server to the end, over these objects. absent: images that nobody has."""

    @contextlib.contextmanager
    def connect(kubeconfig: str) -> Iterator[Played]:
        assert kubeconfig == 'kubeconfig'
        yield Played(inside, allowed)

    run = RunDirectory.create(tmp_path, RunInfo('run-one', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'sandbox'))
    release = Release('t', 'v0', 'openstack', 'a', '1.34', 'v1.34.1')
    setup = stage.Setup(
        Played(plane), 'n', {}, CloudChoice, lambda *_: [], lambda *_: {},
        patience=0.001, until='cluster', connect=connect, addons=lambda *_: WANTED, absent=absent,
    )  # fmt: skip
    deployment = stage.Deployment(StageRun(run, 'deploy', None), setup, release, NAME)
    finish.finish(deployment, VERSION)
    return deployment
