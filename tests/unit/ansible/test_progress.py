"""The callback that shows progress.log while a task runs."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[3] / 'plugins/callback/scs_progress.py'

pytestmark = pytest.mark.unit


@pytest.fixture(scope='module')
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location('scs_progress', FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shown(plugin: ModuleType, tmp_path: Path) -> Any:
    """A callback and the lines that it has displayed."""
    callback, lines = plugin.CallbackModule(), list[str]()
    callback._display = SimpleNamespace(display=lines.append)
    yield callback, lines
    callback.follow('')


def say(callback: Any, **facts: str) -> None:
    callback.v2_runner_on_ok(SimpleNamespace(_result={'ansible_facts': facts}))


def test_only_new_and_whole_lines_are_shown(shown: Any, tmp_path: Path) -> None:
    callback, lines = shown
    log = tmp_path / 'progress.log'
    log.write_text('before\n')
    say(callback, start_run_directory=str(tmp_path))
    with log.open('a') as file:
        file.write('one\ntwo\nha')
    say(callback, fetch_run_directory='')
    assert lines == ['one', 'two']


def test_a_line_appears_while_the_task_runs(shown: Any, plugin: ModuleType, tmp_path: Path) -> None:
    callback, lines = shown
    say(callback, start_run_directory=str(tmp_path))
    (tmp_path / 'progress.log').write_text('live\n')
    deadline = time.monotonic() + 20 * plugin.PAUSE
    while not lines and time.monotonic() < deadline:
        time.sleep(plugin.PAUSE / 10)
    assert lines == ['live']


def test_what_was_fetched_is_not_shown_again(shown: Any, tmp_path: Path) -> None:
    callback, lines = shown
    say(callback, start_run_directory=str(tmp_path))
    say(callback, fetch_run_directory='')
    (tmp_path / 'progress.log').write_text('seen\nalready\n')
    say(callback, fetch_run_directory=str(tmp_path))
    with (tmp_path / 'progress.log').open('a') as file:
        file.write('new\n')
    callback.v2_playbook_on_stats(None)
    assert lines == ['new']


def test_results_without_the_fact_mean_nothing(shown: Any) -> None:
    callback, lines = shown
    callback.v2_runner_on_ok(SimpleNamespace(_result={}))
    assert callback.follower is None
    assert lines == []
