"""Clusters of a purged run: taken out of the store now, or by the next start of the plane, and of no other run."""

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from scs_ci import cli
from scs_ci.core import files, shape
from scs_ci.core.errors import ToolProblem
from scs_ci.core.outcome import Exit, Outcome
from scs_ci.core.records import Record, RunInfo
from scs_ci.core.run import RunDirectory
from scs_ci.plane import store
from scs_ci.plane.layout import Layout, Settings
from scs_ci.plane.lifecycle import Plane
from scs_ci.plane.processes import Processes

pytestmark = pytest.mark.unit

NOW = datetime.datetime(2026, 11, 28, 8, tzinfo=datetime.UTC)
INFO = RunInfo('0af0c4e0-1111-4222', 'tests', '2026-11-25T00:00:00Z', '2026-11-25T06:00:00Z', 'e2e', 'c', 'abc', 'x')


def ranges(space: str) -> list[tuple[str, str]]:
    entries = [entry['request_delete_range'] for entry in store.transaction(space)['success']]
    return [tuple(base64.b64decode(entry[key]).decode() for key in ('key', 'range_end')) for entry in entries]  # type: ignore[misc]


def covered(space: str, key: str) -> bool:
    return any(first <= key < behind for first, behind in ranges(space))


@pytest.mark.parametrize('kind', ['clusters', 'machines'])
def test_everything_of_the_namespace_and_nothing_else(kind: str) -> None:
    place = f'/registry/cluster.x-k8s.io/{kind}'
    assert covered('scs-ci-1', f'{place}/scs-ci-1/scs-ci-1-c0')
    for other in ('scs-ci-10', 'scs-ci-', 'scs-ci-1-2', 'scs-ci-2'):
        assert not covered('scs-ci-1', f'{place}/{other}/scs-ci-1-c0'), other
    assert not covered('scs-ci-1', '/registry/cluster.x-k8s.io/clusterclasses/scs-ci-1/x')
    assert not covered('scs-ci-1', '/registry/secrets/scs-ci-1/x')


def answering(monkeypatch: pytest.MonkeyPatch, status: int, body: Any) -> None:
    answer = SimpleNamespace(status=status, data=json.dumps(body).encode())
    monkeypatch.setattr(urllib3.PoolManager, 'request', lambda *_, **__: answer)


def test_clusters_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{'response_delete_range': {'deleted': '2'}}, {'response_delete_range': {}}]
    answering(monkeypatch, 200, {'succeeded': True, 'responses': answers})
    assert store.forget('scs-ci-1') == 2
    answering(monkeypatch, 200, {'responses': [{'response_delete_range': {'header': {}}}]})
    assert store.forget('scs-ci-1') == 0


def test_a_store_that_refuses_or_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 503, {'error': 'no leader'})
    with pytest.raises(ToolProblem, match='HTTP 503.*no leader'):
        store.forget('scs-ci-1')

    def silent(*_: object, **__: object) -> None:
        raise urllib3.exceptions.NewConnectionError(None, 'refused')  # type: ignore[arg-type]

    monkeypatch.setattr(urllib3.PoolManager, 'request', silent)
    with pytest.raises(ToolProblem, match='namespace scs-ci-1.*refused'):
        store.forget('scs-ci-1')


CRD = {
    'apiVersion': 'apiextensions.k8s.io/v1',
    'kind': 'CustomResourceDefinition',
    'metadata': {'name': 'things.example.org', 'annotations': {'a': 'b'}},
    'spec': {
        'group': 'example.org',
        'names': {'kind': 'Thing', 'plural': 'things', 'shortNames': ['th']},
        'versions': [
            {'name': 'v1', 'served': True, 'storage': False},
            {'name': 'v2', 'served': True, 'storage': True},
        ],
    },
}


def test_a_definition_as_it_is_stored() -> None:
    found = store.stored(CRD, NOW, 'some-uid')
    assert found['spec'] == CRD['spec']
    assert found['metadata'] == {
        'name': 'things.example.org',
        'annotations': {'a': 'b'},
        'uid': 'some-uid',
        'generation': 1,
        'creationTimestamp': '2026-11-28T08:00:00Z',
    }
    names = {'kind': 'Thing', 'plural': 'things', 'shortNames': ['th'], 'singular': 'thing', 'listKind': 'ThingList'}
    assert found['status']['acceptedNames'] == names
    assert found['status']['storedVersions'] == ['v2']
    assert {entry['type']: entry['status'] for entry in found['status']['conditions']} == {
        'NamesAccepted': 'True',
        'Established': 'True',
    }
    assert 'status' not in CRD  # the caller's object is as it was


def test_names_that_are_given_stay() -> None:
    names = {'kind': 'Thing', 'plural': 'things', 'singular': 'one', 'listKind': 'Some'}
    crd = {**CRD, 'spec': {**CRD['spec'], 'names': names}}  # type: ignore[dict-item]
    assert store.stored(crd, NOW, 'u')['status']['acceptedNames'] == names


@pytest.mark.parametrize(('answer', 'new'), [({}, True), ({'count': '0'}, True), ({'count': '7'}, False)])
def test_a_store_is_new_without_keys(monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], new: bool) -> None:
    answering(monkeypatch, 200, answer)
    assert store.is_new() is new


def test_a_definition_that_the_store_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 400, {'error': 'request is too large'})
    with pytest.raises(ToolProblem, match='definition things.example.org.*request is too large'):
        store.put_definitions([CRD], NOW)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A plane that does not run."""
    found = Layout(tmp_path / 'plane')
    found.records.mkdir(parents=True)
    files.write_json(found.settings, shape.dump(Settings('tools')))
    return found


def marks(layout: Layout) -> list[str]:
    return [path.name for path in layout.purged.glob('*')]


def test_a_plane_that_does_not_run_forgets_at_its_next_start(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = Plane(layout.state)
    assert plane.forget('scs-ci-1') is None
    assert marks(layout) == ['scs-ci-1']
    forgotten: list[str] = []
    monkeypatch.setattr(store, 'forget', lambda space: forgotten.append(space) or 1)
    plane._forget_purged()
    plane._forget_purged()  # once is enough
    assert (forgotten, marks(layout)) == (['scs-ci-1'], [])
    assert '1 clusters of scs-ci-1 forgotten' in capsys.readouterr().err


def test_a_plane_that_runs_forgets_at_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, 'alive', lambda *_: True)
    monkeypatch.setattr(store, 'forget', lambda space: 1)
    assert Plane(layout.state).forget('scs-ci-1') == 1
    assert marks(layout) == []


def test_one_that_runs_elsewhere_forgets_later(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(space: str) -> int:
        raise ToolProblem('cannot delete', space)

    monkeypatch.setattr(Processes, 'alive', lambda *_: True)
    monkeypatch.setattr(store, 'forget', silent)
    assert Plane(layout.state).forget('scs-ci-1') is None
    assert marks(layout) == ['scs-ci-1']


class TestPurge:
    @pytest.fixture
    def run(self, tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
        """Its cloud cannot be had; what the plane must not do again is settled before."""
        monkeypatch.setenv('OS_CLIENT_CONFIG_FILE', str(tmp_path / 'absent.yaml'))
        made = RunDirectory.create(tmp_path / 'run', INFO)
        self.plane(made, layout)
        return made

    def plane(self, run: RunDirectory, layout: Layout, **facts: Any) -> None:
        known = {'state': str(layout.state), 'existing': False, **facts}
        run.write_record(Record('plane', Outcome.PASSED, INFO.created, 1.0, facts=known))

    def test_the_plane_of_the_run_is_told(self, run: RunDirectory, layout: Layout) -> None:
        assert cli.main(['purge', '--run', str(run.path)]) != Exit.PASSED
        assert marks(layout) == [run.names.namespace]
        assert 'does not run: its next start forgets' in (run.path / 'progress.log').read_text()

    def test_somebody_elses_management_cluster_is_left_alone(self, run: RunDirectory, layout: Layout) -> None:
        self.plane(run, layout, existing=True)
        cli.main(['purge', '--run', str(run.path)])
        assert marks(layout) == []

    def test_a_run_that_is_kept_is_not_forgotten(self, run: RunDirectory, layout: Layout) -> None:
        assert cli.main(['purge', '--keep', '--run', str(run.path)]) == Exit.PASSED
        assert marks(layout) == []


def test_by_hand(layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ['plane', 'forget', '--run-id', INFO.id, '--state']
    assert cli.main([*words, str(layout.state)]) == Exit.PASSED
    assert 'the next start forgets' in capsys.readouterr().out
    assert cli.main([*words, str(tmp_path / 'nowhere')]) == Exit.USAGE
    assert 'it was never started' in capsys.readouterr().err
    assert not (tmp_path / 'nowhere').exists()
