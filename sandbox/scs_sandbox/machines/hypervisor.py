"""Start, stop and remove servers. Every function can be called in any state and continues from there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SandboxError
from ..run import run
from . import cgroups, disk, links
from .disk import Place
from .model import Bind, Image, Port, Server
from .process import Process, alive, reap, recorded, send, wait_gone

STOP_TIMEOUT = 15.0  # seconds for systemd to power off (2.2 s when idle); Nova's own shutdown_timeout is 60
KILL_TIMEOUT = 10.0  # seconds for the kernel to end all processes of a namespace after SIGKILL
START_TIMEOUT = 20.0  # seconds until systemd is process 1 (0.3 s when idle)
INIT = '/lib/systemd/systemd'
POWER_OFF = signal.SIGRTMIN + 3  # systemd: halt at once, as `systemctl start poweroff.target`
# Read once: an agent that runs while its checkout changes must not start half of the new programs.
STAGE = (Path(__file__).parent / 'stage.sh').read_text()
STARTER = (Path(__file__).parent / 'starter.py').read_text()


@dataclass(frozen=True)
class Host:
    """What the hypervisor works with. sandbox: its name. servers: directory that holds one directory per server."""

    sandbox: str
    servers: Path
    images: dict[str, Image]
    shared: tuple[Bind, ...]
    layout: cgroups.Layout

    def place(self, server_id: str) -> Place:
        """The directory of a server."""
        return Place(self.servers / server_id)

    def groups(self, server_id: str) -> tuple[Path, ...]:
        """The control groups of a server."""
        return cgroups.groups(self.layout, self.sandbox, server_id)


def init_of(host: Host, server_id: str) -> Process | None:
    """Process 1 of a server that runs, else None."""
    found = recorded(host.place(server_id).record).get('init')
    return found if alive(found) else None


def state(host: Host, server_id: str) -> str:
    """running, stopped, crashed (it ended without being told to) or absent."""
    place = host.place(server_id)
    if not place.directory.is_dir():
        return 'absent'
    if init_of(host, server_id):
        return 'running'
    return 'crashed' if place.crashed.exists() else 'stopped'


def start(host: Host, server: Server) -> bool:
    """Make the disk when it is new, and boot. Returns False when the server runs already.

    Raises SandboxError; nothing runs then.
    """
    if init_of(host, server.id):
        return False
    image = host.images.get(server.image)
    if image is None:
        raise SandboxError(
            'cannot start',
            f'server {server.id}',
            f'image {server.image!r} is not one of {", ".join(host.images) or "none"}',
            'name the tree in the configuration of the agent',
        )
    place = host.place(server.id)
    _end_processes(host, server.id)
    try:
        disk.create(place, server, image)
        place.crashed.unlink(missing_ok=True)
        hierarchies = {h.path.name: h.options for h in host.layout.hierarchies if h.options}
        disk.prepare(place, server, image, host.shared, hierarchies)
        place.go.unlink(missing_ok=True)
        os.mkfifo(place.go, 0o600)
    except OSError as error:
        raise SandboxError(
            'cannot make disk of', f'server {server.id}', str(error), 'free disk space or repair the state directory'
        ) from error
    try:
        init = _in_groups(host, server, lambda: _launch(host, server, image))
        links.converge(host.sandbox, server.id, init.pid, server.ports)
        _release(place, server.id, init)
    except SandboxError:
        _end_processes(host, server.id)
        raise
    return True


def stop(host: Host, server_id: str, *, hard: bool = False) -> bool:
    """Power off and keep the disk. hard: without asking systemd. Returns False when it did not run."""
    init = init_of(host, server_id)
    if init is None:
        _end_processes(host, server_id)
        return False
    if not hard and send(init, POWER_OFF):
        wait_gone(init, STOP_TIMEOUT)
    _end_processes(host, server_id)
    return True


def delete(host: Host, server_id: str, ports: tuple[Port, ...]) -> list[str]:
    """End everything of a server and remove its disk. Returns what was removed."""
    removed = [f'server {server_id}'] if host.place(server_id).directory.exists() else []
    _end_processes(host, server_id)
    for port in ports:
        links.detach(host.sandbox, port)
    removed += [f'control group {path}' for path in cgroups.remove(host.groups(server_id))]
    if host.place(server_id).directory.exists():
        shutil.rmtree(host.place(server_id).directory)
    return removed


def apply_ports(host: Host, server: Server, old: tuple[Port, ...]) -> None:
    """Attach and detach interfaces of a running server so that it has exactly server.ports."""
    init = init_of(host, server.id)
    if init is not None:
        links.converge(host.sandbox, server.id, init.pid, server.ports, old)


def collect(host: Host, server_id: str) -> str | None:
    """Look whether a server that ran has ended by itself. Returns 'reboot', 'halt' or 'crash', None when it runs or is
    not known.

    After 'crash' the state is crashed. Only a child tells how it ended; a server adopted from an earlier agent counts
    as crashed.
    """
    place = host.place(server_id)
    found = recorded(place.record)
    init = found.get('init')
    if init is None or alive(init):
        return None
    status = reap(init)
    _end_processes(host, server_id)
    if status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP:
        return 'reboot'
    if status is not None and (os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGINT):
        return 'halt'
    place.crashed.write_text('unknown\n' if status is None else f'wait status {status}\n')
    return 'crash'


def _in_groups(host: Host, server: Server, launch: Callable[[], Process]) -> Process:
    """Make the control groups of a server and start it in them. Until the first process joins they are empty, and who
    manages groups on this host may remove such that are not its own: what finds none is tried once more.
    """
    limits = cgroups.Limits(server.memory_mb << 20, server.vcpus)
    cgroups.create(host.layout, host.sandbox, server.id, limits)
    try:
        return launch()
    except SandboxError:
        if cgroups.complete(host.layout, host.sandbox, server.id):
            raise
    cgroups.create(host.layout, host.sandbox, server.id, limits)
    return launch()


def _launch(host: Host, server: Server, image: Image) -> Process:
    place = host.place(server.id)
    environment = {
        'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
        'STAGE_DIR': str(place.directory),
        'STAGE_LOWER': str(image.path),
        'STAGE_NAME': server.hostname.split('.')[0],
        'STAGE_CGROUP': str(host.layout.version),
        'STAGE_INIT': INIT,
    }
    console_group = cgroups.console_group(host.layout, host.sandbox)
    plan = {
        'groups': [str(group) for group in host.groups(server.id)],
        'console_group': str(console_group),
        'record': str(place.record),
        'console': str(place.console),
        'command': ['/bin/sh', '-c', STAGE],
        'environment': environment,
    }
    run(
        [sys.executable, '-I', '-S', '-c', STARTER],
        what='cannot start',
        subject=f'server {server.id}',
        text=json.dumps(plan),
        advice='check that this host allows new namespaces and control groups to root',
    )
    init = recorded(place.record).get('init')
    if init is None or not alive(init):
        raise SandboxError('cannot start', f'server {server.id}', _tail(place), 'look into its console.log')
    return init


def _release(place: Place, server_id: str, init: Process) -> None:
    """Let process 1 go on, and wait until it has become systemd."""
    limit = time.monotonic() + START_TIMEOUT
    while alive(init) and time.monotonic() < limit:
        try:
            handle = os.open(place.go, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise SandboxError(
                    'cannot start', f'server {server_id}', str(error), 'look into its console.log'
                ) from error
            time.sleep(0.005)
            continue
        os.write(handle, b'go\n')
        os.close(handle)
        break
    while alive(init) and time.monotonic() < limit:
        if (Path('/proc') / str(init.pid) / 'comm').read_text().strip() == 'systemd':
            return
        time.sleep(0.01)
    answer = f'systemd is not process 1 after {START_TIMEOUT:.0f} s' if alive(init) else _tail(place)
    raise SandboxError('cannot start', f'server {server_id}', answer, f'look into {place.console}')


def _end_processes(host: Host, server_id: str) -> None:
    """SIGKILL to process 1 ends every process of its namespace; the control groups tell about the rest."""
    place = host.place(server_id)
    found = recorded(place.record)
    for process in found.values():
        if send(process, signal.SIGKILL):
            wait_gone(process, KILL_TIMEOUT)
        reap(process)
    limit = time.monotonic() + KILL_TIMEOUT
    while left := cgroups.processes(host.groups(server_id)):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > limit:
            raise SandboxError(
                'cannot end',
                f'server {server_id}',
                f'processes {sorted(left)} stay after SIGKILL',
                'look why the kernel keeps them',
            )
        time.sleep(0.02)
    place.record.unlink(missing_ok=True)


def _tail(place: Place) -> str:
    try:
        return place.console.read_text(errors='replace')[-600:].strip() or 'it wrote nothing'
    except OSError as error:
        return str(error)
