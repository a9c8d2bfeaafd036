"""Processes that outlive the agent: named by process id and start time, so that a reused id is never taken for them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """pid: as the host counts. start: clock ticks since the host's boot, field 22 of /proc/<pid>/stat."""

    pid: int
    start: int


def start_time(pid: int) -> int | None:
    """Start time of a process, None when there is none or it is a zombie."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else int(fields[19])


def alive(process: Process | None) -> bool:
    """Whether exactly this process still runs."""
    return process is not None and start_time(process.pid) == process.start


def record(path: Path, **processes: Process) -> None:
    """Write processes by name, atomically."""
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps({name: asdict(process) for name, process in processes.items()}) + '\n')
    temporary.replace(path)


def recorded(path: Path) -> dict[str, Process]:
    """Processes that record() wrote; none when the file is missing or was cut off by a full disk."""
    try:
        return {
            name: Process(int(value['pid']), int(value['start']))
            for name, value in json.loads(path.read_text()).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def send(process: Process, number: int) -> bool:
    """Send a signal to exactly this process. Returns whether it was there."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def wait_gone(process: Process, timeout: float) -> bool:
    """Wait at most timeout seconds for the end of a process. Returns whether it ended."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not alive(process):
            return True
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(handle)


def reap(process: Process) -> int | None:
    """Collect a dead child. Returns its wait status, None when it is not our child or not dead."""
    with contextlib.suppress(ChildProcessError):
        pid, status = os.waitpid(process.pid, os.WNOHANG)
        if pid:
            return status
    return None
