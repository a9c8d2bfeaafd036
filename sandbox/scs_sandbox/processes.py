"""Processes that outlive the command that started them: recorded by PID and start time, so that only our own are ever
ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import SandboxError

END_TIMEOUT = 10.0  # seconds from SIGTERM to SIGKILL; services end at once, the agent finishes the operation under way
MARK = 'SCS_SANDBOX_STATE'  # variable with the state directory in the environment of every process of a sandbox
KILL_TIMEOUT = 5.0  # seconds for the kernel to end a killed process, which only a stuck device delays


@dataclass(frozen=True)
class Process:
    """name: 'nova'. start: field 22 of /proc/PID/stat, clock ticks since boot. log: where its output goes."""

    name: str
    pid: int
    start: int
    log: str


@dataclass(frozen=True)
class Memory:
    """MiB; rss counts shared pages in full, pss divides them among their users."""

    rss: int
    pss: int


def start_time(pid: int) -> int | None:
    """When the process started, or None when there is none.

    A zombie counts as none, unless it is only the first of several threads: the others may still hold files and locks.
    """
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    gone = fields[0] == 'X' or (fields[0] == 'Z' and int(fields[17]) <= 1)
    return None if gone else int(fields[19])


def alive(process: Process) -> bool:
    """Whether this very process still runs; another one with its PID does not count."""
    return start_time(process.pid) == process.start


def spawn(
    name: str,
    command: Sequence[str],
    directory: Path,
    log: Path,
    *,
    environment: dict[str, str],
    netns: str | None = None,
    stdin: int | None = None,
) -> Process:
    """Start a process in a session of its own and record it as directory/name.json.

    netns: name of a network namespace (`ip netns`) to start it in. Raises SandboxError when the program is missing.
    """
    full = [*(['nsenter', f'--net=/run/netns/{netns}', '--'] if netns else []), *command]
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open('ab') as output:
        try:
            child = subprocess.Popen(
                full,
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                cwd='/',
            )
        except OSError as error:
            raise SandboxError(
                'cannot start', name, f'{full[0]}: {error.strerror}', 'install the missing program'
            ) from error
    process = found(name, child.pid, str(log))
    record(directory, process)
    return process


def found(name: str, pid: int, log: str) -> Process:
    """A process that was just started, and may have ended already."""
    return Process(name, pid, start_time(pid) or 0, log)


def marked(state: str) -> list[Process]:
    """Living processes whose environment says that they belong to the sandbox with this state directory.

    Finds what a killed `up` had started and not yet recorded. This process does not count.
    """
    wanted = f'{MARK}={state}'.encode()
    found = []
    for path in Path('/proc').glob('[0-9]*/environ'):
        pid = int(path.parent.name)
        try:
            mine = wanted in path.read_bytes().split(b'\0')
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or not even root may look: the machine's own process 1 in a container
        started = start_time(pid) if mine and pid != os.getpid() else None
        if started is not None:
            found.append(Process(str(pid), pid, started, ''))
    return found


def record(directory: Path, process: Process) -> None:
    """Write the record of a process, replacing an older one at once."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = directory / f'{process.name}.new'
    temporary.write_text(json.dumps(asdict(process)) + '\n')
    temporary.rename(directory / f'{process.name}.json')


def recorded(directory: Path) -> list[Process]:
    """All recorded processes of a directory, dead or alive, by name.
    A half-written record of a killed command is no record."""
    found = []
    for path in sorted(directory.glob('*.json')):
        try:
            found.append(Process(**json.loads(path.read_text())))
        except (ValueError, TypeError):
            continue
    return found


def stop(
    processes: Sequence[Process], *, timeout: float = END_TIMEOUT, send: Callable[[int, int], None] = os.kill
) -> list[Process]:
    """End processes: all get SIGTERM, after the timeout SIGKILL. Returns those that were alive.

    Raises SandboxError when one survives SIGKILL.
    """
    ours = [p for p in processes if alive(p)]
    for number, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, KILL_TIMEOUT)):
        _signal([p for p in ours if alive(p)], number, send)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and any(lives(p) for p in ours):
            time.sleep(0.02)
    if left := [p for p in ours if alive(p)]:
        names = ', '.join(f'{p.name} (PID {p.pid})' for p in left)
        raise SandboxError(
            'cannot end', names, 'still there after SIGKILL', 'look into /proc/PID/stack for what the kernel waits for'
        )
    return ours


def _signal(processes: Sequence[Process], number: int, send: Callable[[int, int], None]) -> None:
    for process in processes:
        try:
            send(process.pid, number)
        except ProcessLookupError:
            continue


def lives(process: Process) -> bool:
    """alive(), after collecting the exit status in case it is a child of this very command."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return alive(process)


def forget(directory: Path, processes: Sequence[Process]) -> None:
    """Remove the records of processes."""
    for process in processes:
        (directory / f'{process.name}.json').unlink(missing_ok=True)


def memory(pid: int) -> Memory | None:
    """Memory of a process; None when it is gone."""
    try:
        lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    values = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return Memory(values['Rss:'] // 1024, values['Pss:'] // 1024)


def tail(log: Path, lines: int = 25) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        return '\n'.join(log.read_text(errors='replace').splitlines()[-lines:])
    except FileNotFoundError:
        return ''
