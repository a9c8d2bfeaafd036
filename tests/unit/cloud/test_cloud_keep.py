"""A run that is kept on purpose: recorded, not an error, and never by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from scs_ci.cli import main
from scs_ci.core.outcome import Outcome
from scs_ci.core.records import Plan, PlannedVersion, Record, RunInfo
from scs_ci.core.run import RunDirectory

pytestmark = pytest.mark.unit

TIME = '2026-11-25T00:00:00Z'


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A green run that is not purged yet."""
    made = RunDirectory.create(tmp_path, RunInfo('kept-run', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'nowhere'))
    version = PlannedVersion('openstack-a-1-34', 'a', 'openstack', 'a', 'v1.34.1', 'A', 'all', ('check',))
    made.write_plan(Plan((version,), ('discover', 'purge')))
    made.write_record(Record('discover', Outcome.PASSED, TIME, 1.0))
    made.write_record(Record('check', Outcome.PASSED, TIME, 1.0, version=version.key))
    return made


def test_kept_run_is_no_error_and_says_so(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['report', '--run', str(run.path), '--exit-only']) == 3
    assert main(['purge', '--run', str(run.path), '--keep']) == 0
    record = run.record('purge')
    assert record is not None
    assert record.outcome is Outcome.SKIPPED
    assert 'scs-ci purge --run DIR' in record.reason
    assert main(['report', '--run', str(run.path)]) == 0
    assert 'kept as asked for' in (run.path / 'report/comment.md').read_text()
    capsys.readouterr()


def test_keeping_needs_a_run_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['purge', '--run-id', 'kept-run', '--cloud', 'nowhere', '--keep']) == 2
    assert '--keep is for a run directory' in capsys.readouterr().err
