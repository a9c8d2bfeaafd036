"""Remove everything of a sandbox, in any state: with or without an agent, after kill -9 of anything. Safe to repeat.

What belongs to a sandbox is found by its records, by its control groups and by the prefix of its network namespaces;
nothing else is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from . import names
from .balancers import proxy
from .errors import SandboxError
from .machines import cgroups
from .machines.process import Process, alive, recorded, send, start_time, wait_gone
from .network import apply
from .run import run

END_TIMEOUT = 10.0  # seconds for the agent or a killed process; the kernel needs milliseconds


def down(state: Path) -> list[str]:
    """Remove processes, control groups, network namespaces, mounts and files of the sandbox with this state directory.

    Returns what was removed, one text each; nothing for a sandbox that is not there. Raises SandboxError for what
    cannot be removed,
    after everything else was.
    """
    name = names.check_name(state.name)
    layout = cgroups.host_layout()
    problems: list[SandboxError] = []
    removed = end_agent(state)
    removed += _end(_server_processes(state, name, layout), 'server process')
    removed += _end(list(proxy.processes(state)), 'load balancer')
    removed += _end(_namespace_processes(name), 'process in the lab')
    servers = sorted(
        {
            path.name
            for parent in cgroups.parents(layout, name)
            if parent.is_dir()
            for path in parent.iterdir()
            if path.is_dir() and path != cgroups.console_group(layout, name)
        }
    )
    for server in servers:
        try:
            cgroups.remove(cgroups.groups(layout, name, server))
            removed.append(f'control groups of server {server}')
        except SandboxError as error:
            problems.append(error)
    cgroups.drop_parents(layout, name)
    for namespace in apply.namespaces(name):
        try:
            removed += apply.remove_namespace(namespace)
        except SandboxError as error:
            problems.append(error)
    removed += unmount_below(state)
    removed += _remove_files(state)
    if problems:
        raise problems[0]
    return removed


def end_agent(state: Path) -> list[str]:
    """End the agent of a sandbox by its record: SIGTERM, then SIGKILL. Returns what was ended."""
    agent = recorded(state / 'agent.pid').get('agent')
    if agent is None or not alive(agent):
        return []
    send(agent, signal.SIGTERM)
    if not wait_gone(agent, END_TIMEOUT):
        send(agent, signal.SIGKILL)
        wait_gone(agent, END_TIMEOUT)
    return [f'agent {agent.pid}']


def mounts_below(mountinfo: str, state: Path) -> list[str]:
    """Mount points at or below state, the deepest first, from the text of /proc/self/mountinfo."""
    points = [line.split()[4].encode().decode('unicode_escape') for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if point == str(state) or point.startswith(f'{state}/')]


def unmount_below(state: Path) -> list[str]:
    """Detach mounts below the state directory. There should be none: servers mount in namespaces of their own."""
    points = mounts_below(Path('/proc/self/mountinfo').read_text(), state)
    for point in points:
        run(['umount', '-l', point], what='cannot unmount', subject=point)
    return [f'mount {point}' for point in points]


def _server_processes(state: Path, name: str, layout: cgroups.Layout) -> list[Process]:
    found = [
        process
        for path in (state / 'servers').glob('*/init.json')
        for process in recorded(path).values()
        if alive(process)
    ]
    pids = cgroups.processes(cgroups.parents(layout, name)) - {process.pid for process in found}
    return found + _processes(pids)


def _namespace_processes(name: str) -> list[Process]:
    """Processes in network namespaces of the sandbox, except this one and those that wait for it."""
    wanted = {_inode(names.namespace_path(space)) for space in apply.namespaces(name)} - {None}
    mine = _ancestors()
    pids = {int(entry.name) for entry in Path('/proc').iterdir() if entry.name.isdigit()} - mine
    return _processes(pid for pid in pids if _inode(Path(f'/proc/{pid}/ns/net')) in wanted) if wanted else []


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _ancestors() -> set[int]:
    found, pid = set(), os.getpid()
    while pid > 1:
        found.add(pid)
        try:
            pid = int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            break
    return found


def _processes(pids: Iterable[int]) -> list[Process]:
    return [Process(pid, start) for pid in sorted(pids) if (start := start_time(pid)) is not None]


def _end(processes: list[Process], kind: str) -> list[str]:
    """SIGKILL, because whoever could end them gently was asked before or is dead."""
    ended = [f'{kind} {process.pid} ({_command(process.pid)})' for process in processes]
    for process in processes:
        send(process, signal.SIGKILL)
    for process in processes:
        if not wait_gone(process, END_TIMEOUT):
            raise SandboxError(
                f'cannot end {kind}',
                str(process.pid),
                f'it stays {END_TIMEOUT:.0f} s after SIGKILL',
                'look why the kernel keeps it',
            )
    return ended


def _command(pid: int) -> str:
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return '?'


def _remove_files(state: Path) -> list[str]:
    if not state.exists():
        return []
    limit = time.monotonic() + END_TIMEOUT
    while True:
        try:
            shutil.rmtree(state)
            return [f'directory {state}']
        except OSError as error:
            # A process that was killed a moment ago may still have written.
            if time.monotonic() > limit:
                raise SandboxError(
                    'cannot remove', f'directory {state}', str(error), 'look who writes there'
                ) from error
            time.sleep(0.1)
