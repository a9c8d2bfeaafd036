"""A deploy that fails while a process of the plane is dead names that process, and else its own problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from scs_ci import cli
from scs_ci.cli import deploy
from scs_ci.core import files, shape
from scs_ci.core.errors import NetworkProblem
from scs_ci.core.outcome import Exit, Outcome
from scs_ci.core.records import Plan, PlannedVersion, Record, RunInfo
from scs_ci.core.run import RunDirectory
from scs_ci.plane.layout import Layout, Settings
from scs_ci.plane.processes import Started

pytestmark = pytest.mark.unit

INFO = RunInfo('0af0c4e0-1111-4222', 'tests', '2026-11-25T00:00:00Z', '2026-11-25T06:00:00Z', 'e2e', 'c', 'abc', 'x')
KEY = 'openstack-demo-1-34'
# No process has it: the largest PID that Linux gives is 2 ** 22.
DEAD = Started('capo', 2**22 + 1, '1', 'digest', 2, ('capo',))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    made = RunDirectory.create(tmp_path / 'run', INFO)
    version = PlannedVersion(KEY, 'providers/openstack/demo', 'openstack', 'demo', 'v1.34.7', 'A', 'all', ('deploy',))
    made.write_plan(Plan((version,)))
    facts = {'state': str(tmp_path / 'plane')}
    made.write_record(Record('plane', Outcome.PASSED, INFO.created, 1.0, facts=facts))

    def fails(*_: object) -> None:
        raise NetworkProblem('cannot call', 'webhook', 'connection refused', 'check the network')

    monkeypatch.setattr(deploy, 'make_setup', lambda *_: object())
    monkeypatch.setattr(deploy.stage, 'deploy', fails)
    return made


def test_a_dead_process_is_named_first(run: RunDirectory, tmp_path: Path) -> None:
    layout = Layout(tmp_path / 'plane')
    files.write_json(layout.settings, shape.dump(Settings('tools')))
    files.write_json(layout.records / 'capo.json', shape.dump(DEAD))
    assert cli.main(['deploy', '--run', str(run.path)]) == Exit.ERROR
    record = run.record('deploy', KEY)
    assert record is not None
    assert 'process capo of the management plane: ended by itself, so: cannot call webhook' in record.reason
    assert "'scs-ci plane up'" in record.advice


def test_without_a_plane_here_the_problem_is_told_as_it_is(run: RunDirectory) -> None:
    assert cli.main(['deploy', '--run', str(run.path)]) == Exit.ERROR
    record = run.record('deploy', KEY)
    assert record is not None
    assert (record.reason, record.verdict) == ('cannot call webhook: connection refused', 'network')
