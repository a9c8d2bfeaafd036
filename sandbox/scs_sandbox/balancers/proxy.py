"""Start, reload and end the proxies of load balancers. Every function can be called in any state."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import SandboxError
from ..machines.process import Process, alive, reap, record, recorded, send, start_time, wait_gone
from ..names import balancer_namespace, namespace_path
from ..run import run
from .model import Balancer, Place

PROGRAM = 'haproxy'
READY_TIMEOUT = 10.0  # seconds until a started or reloaded proxy answers with its new configuration; 0.1 s when idle
END_TIMEOUT = 5.0  # seconds for the kernel to end a killed process
ANSWER_TIMEOUT = 2.0  # seconds for an answer on its socket, which comes from memory
PAUSE = 0.02
# Beside Octavia's own configuration: a host need not allow as many open files as that asks for, and nothing else is
# worth a thread per processor here.
OWN = 'global\n    no strict-limits\n    nbthread 1\n    description {digest}\n'


def running(place: Place) -> Process | None:
    """The master process of a proxy that runs, else None."""
    found = recorded(place.record).get('proxy')
    return found if alive(found) else None


def known(state: Path) -> list[str]:
    """Load balancers with files."""
    parent = Place(state, '').parent
    return sorted(path.name for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def converge(state: Path, sandbox: str, balancer: Balancer) -> list[str]:
    """Let the proxy run with the configuration of the balancer; without one, let none run.

    Returns what was changed. Raises SandboxError with HAProxy's words when it refuses the configuration or does not
    start.
    """
    place = Place(state, balancer.id)
    if balancer.config is None:
        return end(place)
    process = running(place)
    if process is not None and not _at_home(process, sandbox, balancer.id):
        end(place)
        process = None
    if process is not None and loaded(place) == balancer.digest:
        return []
    _write(place, balancer)
    if process is None:
        _start(place, sandbox, balancer)
        return [f'load balancer {balancer.id}: proxy started']
    _save_members(place)
    send(process, signal.SIGUSR2)
    _await(place, balancer, process)
    return [f'load balancer {balancer.id}: proxy reloaded']


def end(place: Place) -> list[str]:
    """End a proxy at once, and with it all its connections. Returns what was ended."""
    found = recorded(place.record).get('proxy')
    ended = []
    if found is not None and alive(found):
        # The workers look at their master's pipe and end with it.
        send(found, signal.SIGTERM)
        if not wait_gone(found, END_TIMEOUT):
            send(found, signal.SIGKILL)
            wait_gone(found, END_TIMEOUT)
        ended = [f'load balancer {place.id}: proxy {found.pid} ended']
    if found is not None:
        reap(found)
    place.record.unlink(missing_ok=True)
    place.socket.unlink(missing_ok=True)
    return ended


def remove(place: Place) -> list[str]:
    """End a proxy and remove its files."""
    ended = end(place)
    if place.directory.exists():
        shutil.rmtree(place.directory)
    return ended


def processes(state: Path) -> Iterable[Process]:
    """Recorded proxies that run."""
    return filter(None, (running(Place(state, identifier)) for identifier in known(state)))


def loaded(place: Place) -> str | None:
    """Digest of the configuration that a proxy runs with, None when it does not answer."""
    with contextlib.suppress(OSError):
        for line in ask(place.socket, 'show info').splitlines():
            name, _, value = line.partition(':')
            if name == 'description':
                return value.strip()
    return None


def ask(path: Path, command: str) -> str:
    """One command of HAProxy's socket and its answer. Raises OSError when nobody answers."""
    parts = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(ANSWER_TIMEOUT)
        link.connect(str(path))
        link.sendall(command.encode() + b'\n')
        while part := link.recv(1 << 16):
            parts.append(part)
    return b''.join(parts).decode(errors='replace')


def _at_home(process: Process, sandbox: str, identifier: str) -> bool:
    """Whether a proxy is in the namespace of its balancer, and not in one that was removed and made again."""
    try:
        own = Path(f'/proc/{process.pid}/ns/net').stat()
        wanted = namespace_path(balancer_namespace(sandbox, identifier)).stat()
    except OSError:
        return False
    return os.path.samestat(own, wanted)


def _write(place: Place, balancer: Balancer) -> None:
    """The configuration, once HAProxy has said that it can be."""
    place.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = place.directory / 'own.cfg'
    own.write_text(OWN.format(digest=balancer.digest))
    fresh = place.config.with_suffix('.new')
    fresh.write_text(balancer.config or '')
    run(
        [PROGRAM, '-c', '-q', '-f', str(fresh), '-f', str(own)],
        what='cannot use configuration of',
        subject=f'load balancer {balancer.id}',
        advice=f'look into {fresh}',
    )
    fresh.replace(place.config)


def _start(place: Place, sandbox: str, balancer: Balancer) -> None:
    place.members.unlink(missing_ok=True)
    place.socket.unlink(missing_ok=True)
    command = [
        'nsenter',
        f'--net={namespace_path(balancer_namespace(sandbox, balancer.id))}',
        PROGRAM,
        '-W',
        '-db',
        '-f',
        str(place.config),
        '-f',
        str(place.directory / 'own.cfg'),
    ]
    with place.log.open('ab') as log:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd='/'
            )
        except OSError as error:
            raise SandboxError(
                'cannot start proxy of', f'load balancer {balancer.id}', str(error), 'install util-linux'
            ) from error
    process = Process(child.pid, start_time(child.pid) or 0)
    record(place.record, proxy=process)
    _await(place, balancer, process)


def _await(place: Place, balancer: Balancer, process: Process) -> None:
    limit = time.monotonic() + READY_TIMEOUT
    while loaded(place) != balancer.digest:
        ended = not alive(process)
        if ended or time.monotonic() > limit:
            text = place.log.read_text(errors='replace')[-600:].strip() if place.log.exists() else ''
            raise SandboxError(
                'cannot start proxy of',
                f'load balancer {balancer.id}',
                f'{"it ended" if ended else f"no answer within {READY_TIMEOUT:.0f} s"}: {text or "it wrote nothing"}',
                f'look into {place.log}',
            )
        time.sleep(PAUSE)


def _save_members(place: Place) -> None:
    """Without it every member counts as healthy after a reload, until its checks have failed again."""
    with contextlib.suppress(OSError):  # a proxy that does not answer is about to be replaced anyway
        place.members.write_text(ask(place.socket, 'show servers state'))
