"""Must-gather of a cluster and of its cloud: what is written, what is kept secret, what a dead source leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scs_ci.core.errors import NetworkProblem
from scs_ci.core.redact import Redactor
from scs_ci.deploy.gather_below import gather_cloud, gather_cluster
from scs_ci.plane.kube import Refused, Unreachable

pytestmark = pytest.mark.unit

REDACTOR = Redactor(['hunter2-hunter2'])
ENDED = {'terminated': {'exitCode': 1}}
POD = {
    'metadata': {'name': 'p', 'namespace': 'kube-system', 'managedFields': []},
    'spec': {'note': 'hunter2-hunter2'},
    'status': {'containerStatuses': [{'name': 'c', 'restartCount': 1, 'state': ENDED}]},
}
SERVERS = [{'kind': 'OpenStackServer', 'metadata': {'name': 'm'}, 'status': {'instanceID': 'id-m'}}]
JOIN = 'kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --certificate-key ' + 'a1' * 32 + '\n'


class Cluster:
    """dead_after: number of questions that it answers."""

    def __init__(self, dead_after: int = 1000) -> None:
        self.left = dead_after

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unreachable('cannot list', 'x', 'no route to host', 'look')

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        self._count()
        if kind == 'APIService':
            raise Refused('cannot list', kind, 'no such kind', '', 404)
        return [POD] if kind == 'Pod' else []

    def call(self, method: str, path: str, body: Any = None, **wish: Any) -> Any:
        self._count()
        return 'said hunter2-hunter2'


class Cloud:
    def __init__(self, dead: bool = False) -> None:
        self.dead = dead

    def resources(self, cluster: str) -> dict[str, list[dict[str, Any]]]:
        if self.dead:
            raise NetworkProblem('cannot reach', 'cloud', 'refused', 'wait')
        return {'servers': [{'id': 'id-m', 'user_data': 'c2VjcmV0'}], 'volumes': []}

    def server(self, server_id: str) -> None:
        raise AssertionError('the listing has it')

    def address(self, address: str) -> None:
        raise AssertionError('the listing has it')

    def console(self, server_id: str) -> str:
        if self.dead:
            raise NetworkProblem('cannot read', server_id, 'refused', 'wait')
        return JOIN


def names(written: list[Path], place: Path) -> set[str]:
    assert all(path.is_file() for path in written)
    return {str(path.relative_to(place)) for path in written}


def test_objects_and_logs_without_secrets(tmp_path: Path) -> None:
    written = gather_cluster(Cluster(), tmp_path, REDACTOR)  # type: ignore[arg-type]
    logs = {'workload/logs/kube-system/p_c.log', 'workload/logs/kube-system/p_c.previous.log'}
    assert logs | {'workload/Pod.yaml', 'workload/Node.yaml', 'workload/errors.txt'} <= names(written, tmp_path)
    assert not [path for path in written if 'hunter2' in path.read_text()]
    assert 'no such kind' in (tmp_path / 'workload/errors.txt').read_text()
    assert 'managedFields' not in (tmp_path / 'workload/Pod.yaml').read_text()


@pytest.mark.parametrize(('answers', 'files'), [(0, set()), (5, {'workload/Node.yaml', 'workload/Pod.yaml'})])
def test_a_cluster_that_dies_leaves_what_it_said(tmp_path: Path, answers: int, files: set[str]) -> None:
    written = gather_cluster(Cluster(answers), tmp_path, REDACTOR)  # type: ignore[arg-type]
    assert names(written, tmp_path) == files | {'workload/errors.txt'}
    assert 'no route to host' in (tmp_path / 'workload/errors.txt').read_text()


def test_cloud_and_consoles_without_secrets(tmp_path: Path) -> None:
    written = gather_cloud(Cloud(), 'c', SERVERS, tmp_path, REDACTOR)
    assert names(written, tmp_path) == {'cloud/servers.yaml', 'cloud/consoles/m.log'}
    told = ''.join(path.read_text() for path in written)
    assert 'c2VjcmV0' not in told
    assert 'abcdef.0123456789abcdef' not in told
    assert 'a1a1' not in told
    assert 'kubeadm join 10.0.0.1:6443 --token ********' in told


def test_a_dead_cloud_is_told(tmp_path: Path) -> None:
    written = gather_cloud(Cloud(dead=True), 'c', SERVERS, tmp_path, REDACTOR)
    assert names(written, tmp_path) == {'cloud/errors.txt'}
    assert 'cannot read id-m: refused' in (tmp_path / 'cloud/errors.txt').read_text()
