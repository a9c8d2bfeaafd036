"""Outcomes, errors, names, time, child processes, redaction, progress, command line."""

import datetime
import io
import os
import sys
import time
from pathlib import Path

import pytest

from scs_ci import cli
from scs_ci.core import clock, errors, naming, process
from scs_ci.core.outcome import Exit, Outcome, exit_code, worst
from scs_ci.core.progress import Progress
from scs_ci.core.redact import MASK, Redactor, secrets_of

pytestmark = pytest.mark.unit


class FakeClock:
    """Time that passes only in sleep()."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.time, datetime.UTC)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.mark.parametrize(
    ('outcomes', 'verdict', 'code'),
    [
        (['passed', 'passed'], 'passed', 0),
        (['passed', 'skipped'], 'skipped', 0),
        (['skipped', 'error'], 'error', 3),
        (['error', 'failed', 'passed'], 'failed', 1),
        ([], 'error', 3),
    ],
)
def test_worst(outcomes: list[str], verdict: str, code: int) -> None:
    found = worst(Outcome(o) for o in outcomes)
    assert found == verdict
    assert exit_code(found) == code


def test_problem_has_four_parts() -> None:
    problem = errors.CapacityProblem('cannot boot', 'server x', 'No valid host\nwas found.', 'free capacity')
    assert str(problem) == 'cannot boot server x: No valid host\nwas found.\n  next: free capacity'
    assert problem.reason == 'cannot boot server x: No valid host was found.'
    assert (problem.outcome, problem.exit, problem.verdict) == ('error', 3, 'capacity')
    assert (errors.ProductProblem.outcome, errors.ProductProblem.exit) == ('failed', 1)
    assert errors.UsageProblem.exit == 2
    assert errors.LeftoversProblem.exit == 4


def test_names_follow_from_the_run_id() -> None:
    found = naming.names('0af0c4e0-1111-4222-8333-444455556666')
    assert found.prefix == 'scs-ci-0af0c4e01111'
    assert found.cluster(2) == 'scs-ci-0af0c4e01111-c2'
    assert naming.names('nightly-7') != naming.names('nightly-8')
    assert len(naming.names('nightly-7').short) == naming.SHORT
    assert naming.names(naming.new_run_id()).short


@pytest.mark.parametrize('run', ['', 'x', '../../etc', 'A b', 'ünïcode-run', 'a' * 80])
def test_bad_run_id_is_refused(run: str) -> None:
    with pytest.raises(errors.UsageProblem):
        naming.names(run)


def test_wait_polls_until_true_and_once_more_at_the_deadline() -> None:
    fake, seen = FakeClock(), []

    def poll() -> str | None:
        seen.append(fake.time)
        return 'done' if fake.time >= 5 else None

    assert clock.wait(poll, 5, 'x', pause=2, clock=fake) == 'done'
    assert seen == [0, 2, 4, 5]
    with pytest.raises(clock.Expired, match='y: not within 3 s'):
        clock.wait(lambda: None, 3, 'y', clock=fake)


def _ended(pid: int) -> bool:
    """Whether a process is gone or nobody has asked for its end; one that was killed closes its pipes before that."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] in 'ZX'
    except OSError:
        return True


def test_child_process_is_bounded_and_its_children_die_with_it(tmp_path: Path) -> None:
    mark = tmp_path / 'pid'
    start = time.monotonic()
    with pytest.raises(errors.ToolProblem, match='no end within'):
        process.run(['sh', '-c', f'sleep 60 & echo $! > {mark}; wait'], timeout=1)
    assert time.monotonic() - start < 30
    assert clock.wait(lambda: _ended(int(mark.read_text())), 10, 'end of the child', pause=0.05)


def test_failed_program_shows_its_last_words() -> None:
    assert process.run(['sh', '-c', 'cat; exit 3'], timeout=5, stdin='hello').code == 3
    with pytest.raises(errors.ToolProblem) as caught:
        process.check(['sh', '-c', 'echo bad news >&2; exit 3'], timeout=5)
    assert 'exit code 3' in str(caught.value)
    assert 'bad news' in str(caught.value)
    with pytest.raises(errors.ToolProblem, match='cannot start'):
        process.run(['/no/such/program'], timeout=5)
    with pytest.raises(errors.ToolProblem, match='cannot find'):
        process.program('no-such-program')


def test_secrets_are_found_at_any_depth_and_replaced() -> None:
    clouds = {'clouds': {'a': {'auth': {'password': 'pa$$word1', 'username': 'demo'}, 'x': [{'token': 'abcdefgh'}]}}}
    found = secrets_of(clouds)
    assert found == {'pa$$word1', 'abcdefgh'}
    redactor = Redactor(found | {'x'})
    assert redactor.text('u pa$$word1 x') == f'u {MASK} x'
    assert redactor.data(clouds)['clouds']['a']['auth'] == {'password': MASK, 'username': 'demo'}


def test_progress_says_each_change_once(tmp_path: Path) -> None:
    stream, log = io.StringIO(), tmp_path / 'progress.log'
    progress = Progress(stream, log, FakeClock())
    for text in ('BUILD', 'BUILD', 'ACTIVE'):
        progress.say(text, 'server a')
    progress.say('BUILD', 'server b')
    assert stream.getvalue() == log.read_text()
    assert [line.split(None, 1)[1] for line in log.read_text().splitlines()] == [
        'server a: BUILD',
        'server a: ACTIVE',
        'server b: BUILD',
    ]


def test_progress_survives_a_closed_stream(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    progress = Progress(os.fdopen(writer, 'w'), tmp_path / 'log', FakeClock())
    progress.say('still here')
    assert 'still here' in (tmp_path / 'log').read_text()


def test_progress_goes_on_without_its_log(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(stream, log=tmp_path / 'gone' / 'progress.log')
    progress.say('one')
    progress.say('two')
    assert [line.split('s  ')[-1] for line in stream.getvalue().splitlines()] == [
        'one',
        f'cannot write file {tmp_path}/gone/progress.log: No such file or directory; going on without this log',
        'two',
    ]


def test_every_command_exists_and_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            cli.main([name, '--help'])
        assert stopped.value.code == 0
        assert f'scs-ci {name}' in capsys.readouterr().out


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ['no-such-command'], ['check', '--no-such-option']):
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        assert stopped.value.code == Exit.USAGE
    assert 'usage' in capsys.readouterr().err


def test_a_crash_is_one_line_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from scs_ci.cli import report

    for error, code in ((ZeroDivisionError('oops'), 3), (KeyboardInterrupt(), 3), (errors.ProductProblem('bad'), 1)):

        def broken(_: object, error: BaseException = error) -> int:
            raise error

        monkeypatch.setattr(report, 'run', broken)
        assert cli.main(['report', '--run', str(tmp_path)]) == code
        shown = capsys.readouterr().err
        assert 'Traceback' not in shown
        assert 'scs-ci report:' in shown


def test_module_entry_point() -> None:
    env = {**os.environ, 'PYTHONPATH': str(Path(cli.__file__).parents[2])}
    done = process.run([sys.executable, '-m', 'scs_ci', '--help'], timeout=30, env=env)
    assert done.code == 0
    assert 'leftovers' in done.stdout


def test_a_program_that_does_not_end_has_a_problem_of_its_own() -> None:
    with pytest.raises(errors.TimeoutProblem, match='no end within 0 s'):
        process.run([sys.executable, '-c', 'import time; time.sleep(60)'], timeout=0.2)
