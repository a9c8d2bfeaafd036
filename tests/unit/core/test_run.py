"""The run directory: records are written whatever happens, and damaged ones are refused."""

import datetime
import json
import sys
from pathlib import Path

import pytest

from scs_ci.cli.common import show
from scs_ci.core import files
from scs_ci.core.errors import ProductProblem, QuotaProblem, ToolProblem, UsageProblem
from scs_ci.core.outcome import Exit, Outcome
from scs_ci.core.records import Finding, Leftover, Leftovers, Plan, PlannedVersion, Record, RunInfo, Severity
from scs_ci.core.redact import MASK, Redactor
from scs_ci.core.run import RunDirectory, StageRun, run_stage, skip_stage, version_stage

pytestmark = pytest.mark.unit

INFO = RunInfo(
    id='0af0c4e0-1111-4222-8333-444455556666',
    owner='tests',
    created='2026-11-25T00:00:00Z',
    expires='2026-11-25T06:00:00Z',
    tier='e2e',
    checkout='examples/cluster-stacks',
    commit='abc',
    cloud='sandbox',
)
KEY = 'openstack-demo-1-34'


def planned(*stages: str, **skipped: str) -> PlannedVersion:
    return PlannedVersion(
        KEY, 'providers/openstack/demo', 'openstack', 'demo', 'v1.34.7', 'A', 'all', stages, dict(skipped)
    )


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = RunDirectory.create(tmp_path / 'run', INFO)
    made.write_plan(Plan((planned('check', 'build', 'publish', deploy='no provider'),)))
    return made


def test_what_is_written_is_read_back(run: RunDirectory) -> None:
    again = RunDirectory.open(run.path)
    assert again.info == INFO
    assert again.plan() == run.plan()
    finding = Finding('names', Severity.WARNING, 'a/Chart.yaml', 3, 'odd', seen='x', wanted='y')
    record = Record(
        'check', Outcome.PASSED, INFO.created, 1.5, version=KEY, findings=(finding,), facts={'n': [1, None]}
    )
    run.write_record(record)
    assert again.record('check', KEY) == record
    leftovers = Leftovers(True, (Leftover('server', 'id', 'name'),))
    run.write_leftovers(leftovers)
    assert again.leftovers() == leftovers


def test_absence_is_not_an_error_for_records(run: RunDirectory) -> None:
    assert run.record('deploy', KEY) is None
    assert run.leftovers() is None


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{', 'cannot parse'),
        ('[]', 'format None'),
        ('{"format": 7}', 'format 7'),
        ('{"format": 1, "stage": "check"}', "key 'outcome' is missing"),
        (
            '{"format": 1, "stage": "check", "outcome": "green", "started": "", "seconds": 1}',
            "'green' is not one of passed, failed, error, skipped",
        ),
        (
            '{"format": 1, "stage": "check", "outcome": "passed", "started": "", "seconds": true}',
            'True is not float',
        ),
        (
            '{"format": 1, "stage": "check", "outcome": "passed", "started": "", "seconds": 1, "colour": 1}',
            "unknown key 'colour'",
        ),
    ],
)
def test_damaged_record_names_the_file_and_the_place(run: RunDirectory, content: str, words: str) -> None:
    files.write_atomic(run.place(KEY) / 'check.json', content)
    with pytest.raises(ToolProblem) as caught:
        run.record('check', KEY)
    assert words in str(caught.value)
    assert 'check.json' in str(caught.value)


def test_directory_of_another_run_is_refused(run: RunDirectory) -> None:
    import dataclasses

    with pytest.raises(UsageProblem, match=INFO.id):
        RunDirectory.create(run.path, dataclasses.replace(INFO, id='another-run'))
    assert RunDirectory.create(run.path, INFO).info == INFO


def test_missing_run_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r'no run\.json'):
        RunDirectory.open(tmp_path)


@pytest.mark.parametrize('below', ['', 'run'])
def test_a_file_is_no_run_directory(tmp_path: Path, below: str) -> None:
    (tmp_path / 'file').write_text('x')
    with pytest.raises(UsageProblem, match='it is a file'):
        RunDirectory.open(tmp_path / 'file' / below)
    with pytest.raises(UsageProblem, match='file is a file'):
        RunDirectory.create(tmp_path / 'file' / below, INFO)


def test_advice_is_printed(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record('purge', Outcome.ERROR, INFO.created, 1.0, reason='no answer', advice='look at the network')
    assert show([record], as_json=False) == Exit.ERROR
    assert capsys.readouterr().out == 'purge: error: no answer\n  next: look at the network\n'


def test_problem_becomes_the_record(run: RunDirectory) -> None:
    def body(state: StageRun) -> None:
        raise QuotaProblem('not enough', 'quota cores', 'have 4, need 8', 'free some')

    record = run_stage(run, 'preflight', body)
    assert record == run.record('preflight')
    assert (record.outcome, record.verdict) == (Outcome.ERROR, 'quota')
    assert record.reason == 'not enough quota cores: have 4, need 8'
    assert record.advice == 'free some'


def test_crash_becomes_an_error_with_its_place_and_a_traceback_file(run: RunDirectory) -> None:
    def body(state: StageRun) -> None:
        {}['key']

    record = run_stage(run, 'preflight', body)
    assert record.outcome is Outcome.ERROR
    assert "crashed: KeyError: 'key' (test_run.py:" in record.reason
    assert 'KeyError' in (run.path / record.artifacts[0]).read_text()


def test_interrupt_is_recorded_and_passed_on(run: RunDirectory) -> None:
    def body(state: StageRun) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(run, 'preflight', body)
    found = run.record('preflight')
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.ERROR, 'interrupted')


def test_error_findings_make_the_stage_fail(run: RunDirectory) -> None:
    def body(state: StageRun) -> None:
        state.findings += [
            Finding('a', Severity.WARNING, 'x', 1, 'only odd'),
            Finding('b', Severity.ERROR, 'y', 2, 'wrong'),
            Finding('b', Severity.ERROR, 'z', 3, 'wrong, too'),
        ]
        state.judge_findings()

    record = run_stage(run, 'check', body, KEY)
    assert record.outcome is Outcome.FAILED
    assert record.reason == 'y:2: b: wrong (and 1 more)'


def test_stages_follow_only_passed_ones_and_the_plan(run: RunDirectory) -> None:
    def fail(state: StageRun, version: PlannedVersion) -> None:
        raise ProductProblem('cannot render', version.path)

    def fine(state: StageRun, version: PlannedVersion) -> None:
        state.facts['path'] = version.path

    left_out = version_stage(run, 'build', fine)[0]
    assert (left_out.outcome, left_out.reason) == (Outcome.ERROR, f'cannot build {KEY}: check did not run')
    assert version_stage(run, 'check', fail)[0].outcome is Outcome.FAILED
    assert version_stage(run, 'build', fine)[0].reason == 'check failed'
    assert version_stage(run, 'check', fine, (KEY,))[0].outcome is Outcome.PASSED
    assert version_stage(run, 'build', fine)[0].facts == {'path': 'providers/openstack/demo'}
    assert version_stage(run, 'deploy', fine)[0].reason == 'no provider'
    with pytest.raises(UsageProblem, match='openstack-demo-1-34'):
        version_stage(run, 'build', fine, ('other',))


def test_secrets_reach_neither_record_nor_progress(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    run.keep_secret(Redactor(['geheim-123']))

    def body(state: StageRun) -> None:
        state.facts['cloud'] = {'password': 'x', 'url': 'http://u:geheim-123@h'}
        state.say('login with geheim-123')
        raise ProductProblem('refused', 'login', 'wrong password geheim-123')

    run_stage(run, 'preflight', body)
    everything = ''.join(p.read_text() for p in run.path.rglob('*') if p.is_file()) + capsys.readouterr().err
    assert 'geheim-123' not in everything
    found = run.record('preflight')
    assert found is not None
    assert found.facts['cloud'] == {'password': MASK, 'url': f'http://u:{MASK}@h'}


def test_skip_carries_its_reason(run: RunDirectory) -> None:
    assert skip_stage(run, 'deploy', 'not here', KEY).reason == 'not here'


def test_atomic_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / 'x.json'
    files.write_json(target, {'old': 1}, 0o600)
    assert target.stat().st_mode & 0o777 == 0o600

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'replace', full)
    with pytest.raises(ToolProblem, match='No space left on device'):
        files.write_json(target, {'new': 1})
    assert json.loads(target.read_text()) == {'old': 1}
    assert [p.name for p in tmp_path.iterdir()] == ['x.json']


def test_core_imports_only_the_standard_library() -> None:
    import ast

    import scs_ci.core

    folder = Path(scs_ci.core.__file__).parent
    for path in folder.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or '']
            assert all(n.split('.')[0] in sys.stdlib_module_names for n in names), (path.name, names)


def test_all_processes_of_a_run_count_from_its_start(tmp_path: Path) -> None:
    class Later:
        def monotonic(self) -> float:
            return 7.0

        def now(self) -> datetime.datetime:
            return datetime.datetime(2026, 11, 25, 0, 1, 30, tzinfo=datetime.UTC)

        def sleep(self, seconds: float) -> None:
            raise AssertionError('nothing waits here')

    RunDirectory.create(tmp_path, INFO, clock=Later()).progress.say('hello')
    assert (tmp_path / 'progress.log').read_text().split() == ['90.0s', 'hello']
