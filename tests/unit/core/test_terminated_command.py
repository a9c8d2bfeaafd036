"""A command that is ended from outside says so, leaves a record and no child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scs_ci import cli

pytestmark = pytest.mark.unit
SECONDS = 60  # Python starts within one; a busy machine needs a multiple
# A command whose stage waits for a child in a session of its own, as conformance does.
COMMAND = """
import sys, types
from pathlib import Path
from scs_ci import cli
from scs_ci.conformance import launch
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory, run_stage

def run(options):
    info = RunInfo('run-one', 'tests', '2026-11-25T00:00:00Z', '2026-11-25T06:00:00Z', 'e2e', '/c', 'abc', 'x')
    made = RunDirectory.create(Path(sys.argv[1]), info)
    argv = ['sh', '-c', 'echo $$; exec sleep 600']
    def body(state):
        launch.run(argv, made.path / 'child.log', 600, state.say, made.clock, str)
    run_stage(made, 'conformance', body)
    return 0

module = types.ModuleType('scs_ci.cli.waiting')
module.arguments, module.run = (lambda parser: None), run
sys.modules['scs_ci.cli.waiting'] = module
cli.COMMANDS['waiting'] = ('waiting', 'wait')
sys.exit(cli.main(['waiting']))
"""


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_like_ctrl_c(tmp_path: Path, number: signal.Signals) -> None:
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    argv = [sys.executable, '-c', COMMAND, str(tmp_path / 'run')]
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as child:
        log = tmp_path / 'run/child.log'
        for _ in range(SECONDS * 10):
            if log.exists() and log.read_text().strip():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.1)
        child.send_signal(number)
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 3
    assert 'interrupted' in said
    record = json.loads((tmp_path / 'run/stages/conformance.json').read_text())
    assert (record['outcome'], record['verdict']) == ('error', 'interrupted')
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_the_handler_is_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    cli.main(['report', '--run', '/nowhere'])
    assert [signal.getsignal(number) for number in numbers] == before
    capsys.readouterr()


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cli._terminable():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
