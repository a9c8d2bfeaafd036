"""The command line: usage, exit codes, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from scs_sandbox import cli, status
from scs_sandbox.lifecycle import locked
from scs_sandbox.sandboxes import find

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('SCS_SANDBOX_HOME', str(tmp_path))
    return tmp_path


def test_unknown_command_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(['dance'])
    assert ended.value.code == 2
    assert 'dance' in capsys.readouterr().err


def test_impossible_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['--name', '../evil', 'status']) == 3
    assert 'next:' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['--name', 'nope', 'status'], ['status', '--name', 'nope']])
def test_name_may_stand_in_front_or_behind(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 3
    assert 'sandbox nope is down' in capsys.readouterr().out


@pytest.mark.parametrize('words', [['exec', 'true'], ['clouds'], ['faults', 'show'], ['logs', 'nova']])
def test_commands_on_a_sandbox_that_is_down_say_so(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['--name', 'nope', *words]) == 3
    text = capsys.readouterr().err
    assert 'next:' in text
    assert 'Traceback' not in text


def test_exec_without_command_is_usage() -> None:
    assert cli.main(['exec', '--']) == 2


def test_charts_that_are_not_there_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['up', '--charts', str(home / 'none')]) == 3
    assert 'no such directory' in capsys.readouterr().err
    assert list(home.iterdir()) == []


def test_inside_drops_openstack_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OS_CLOUD', 'production')
    found = cli._inside(find('x'))
    assert 'OS_CLOUD' not in found
    assert found['OS_CLIENT_CONFIG_FILE'].endswith('/x/clouds.yaml')


def test_status_of_nothing_is_down() -> None:
    assert status.table(status.collect(find('nope'))) == 'sandbox nope is down'


def test_lock_on_a_removed_directory_is_taken_again() -> None:
    sandbox = find('x')
    with locked(sandbox):
        sandbox.state.rmdir()
    with locked(sandbox):
        assert sandbox.state.is_dir()
