"""Processes are ended by PID and start time, never by anything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scs_sandbox import processes
from scs_sandbox.errors import SandboxError
from scs_sandbox.processes import Process

pytestmark = pytest.mark.integration
SLEEP = 'import time; print("here", flush=True); time.sleep(60)'
STUBBORN = 'import signal, time; signal.signal(15, signal.SIG_IGN); print("here", flush=True); time.sleep(60)'

# Its first thread ends alone, as the first one of a process with many may when all are told to.
HEADLESS = (
    'import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1.5,)).start(); '
    'print("here", flush=True); ctypes.CDLL(None).pthread_exit(None)'
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    begun: list[Process] = []

    def begin(program: str = SLEEP, name: str = 'sleeper') -> Process:
        env = {'PATH': os.environ['PATH'], processes.MARK: str(tmp_path)}
        log = tmp_path / 'log' / f'{name}.log'
        process = processes.spawn(name, [sys.executable, '-c', program], tmp_path / 'run', log, environment=env)
        begun.append(process)
        while not log.read_text():
            assert processes.alive(process)
        return process

    yield begin
    processes.stop(begun)


def test_spawned_process_is_recorded_and_ends(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    process = start()
    assert processes.recorded(tmp_path / 'run') == [process]
    assert processes.alive(process)
    assert processes.stop([process]) == [process]
    assert not processes.alive(process)
    assert processes.stop([process]) == []


def test_other_process_with_the_same_pid_is_left_alone(start) -> None:  # type: ignore[no-untyped-def]
    process = start()
    assert processes.stop([replace(process, start=process.start - 1)]) == []
    assert processes.alive(process)


def test_stubborn_process_is_killed(start) -> None:  # type: ignore[no-untyped-def]
    process = start(STUBBORN)
    assert processes.stop([process], timeout=0.2) == [process]
    assert not processes.alive(process)


def test_process_whose_first_thread_ended_is_alive_until_the_last_one_did(start) -> None:  # type: ignore[no-untyped-def]
    process = start(HEADLESS)
    stat = Path(f'/proc/{process.pid}/stat')
    while stat.read_text().rpartition(')')[2].split()[0] != 'Z':
        assert processes.alive(process)
    assert processes.alive(process)
    while processes.alive(process):
        assert stat.exists()


def test_unrecorded_process_is_found_by_its_mark(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    process = start()
    assert [p.pid for p in processes.marked(str(tmp_path))] == [process.pid]
    assert processes.marked(str(tmp_path / 'other')) == []


def test_half_written_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / 'nova.json').write_text('{"name": "no')
    assert processes.recorded(tmp_path) == []


def test_missing_program_is_said(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match='/no/such/program'):
        processes.spawn('x', ['/no/such/program'], tmp_path, tmp_path / 'log', environment={})
