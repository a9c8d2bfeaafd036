"""The agent's process: unix socket in, log file out, one pass at start and then every few seconds."""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import signal
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import SandboxError
from ..machines import cgroups
from ..machines.process import Process, record, start_time
from ..resolver import serve as resolver
from .protocol import EOF_LIMIT, OPERATIONS
from .store import read_config
from .worker import Worker

WATCH_PAUSE = 1.0  # seconds between looks for ended servers
PASS_PAUSE = 30.0  # seconds between passes over everything; repairs what somebody removed by hand
MALFORMED = 'cannot read request: it is not one line with a JSON object\n  next: see scs_sandbox/agent/protocol.py'
PR_SET_CHILD_SUBREAPER = 36

log = logging.getLogger('scs_sandbox.agent')


def dispatch(worker: Worker, request: Mapping[str, Any], stop: Callable[[], None]) -> dict[str, Any]:
    """Carry out one request. Returns the reply; an error of the sandbox becomes a reply, too."""
    op = request.get('op')
    try:
        return {'ok': True, **_operate(worker, str(op), request, stop)}
    except SandboxError as error:
        log.error('%s: %s', op, error)
        return {'ok': False, 'error': str(error)}
    except (KeyError, TypeError) as error:
        return {
            'ok': False,
            'error': f'cannot read request {op}: field {error}\n  next: see scs_sandbox/agent/protocol.py',
        }
    except OSError as error:
        log.exception('%s', op)
        return {'ok': False, 'error': f'cannot carry out {op}: {error}\n  next: see log/agent.log of the sandbox'}


def _operate(worker: Worker, op: str, request: Mapping[str, Any], stop: Callable[[], None]) -> dict[str, Any]:
    operations: dict[str, Callable[[], dict[str, Any]]] = {
        'server-apply': lambda: {'state': worker.server_apply(request['server'])},
        'server-delete': lambda: {'removed': worker.server_delete(str(request['id']))},
        'server-reboot': lambda: {'state': worker.server_reboot(str(request['id']), hard=bool(request.get('hard')))},
        'server-power': lambda: {'state': worker.server_power(str(request['id']), on=bool(request['on']))},
        'server-ports': lambda: {'state': worker.server_ports(str(request['id']), request['ports'])},
        'server-status': lambda: {'state': worker.server_status(str(request['id']))},
        'volume-attach': lambda: {
            'changes': worker.volumes.attach(str(request['server']), str(request['volume']), dict(request['facts']))
        },
        'volume-detach': lambda: {'changes': worker.volumes.detach(str(request['volume']))},
        'volume-delete': lambda: {'removed': worker.volumes.delete(str(request['volume']))},
        'network-apply': lambda: {'changes': worker.network_apply(request['snapshot'])},
        'balancers-apply': lambda: {'errors': worker.balancers_apply(str(request['region']), request['balancers'])},
        'status': lambda: worker.status(),
        'converge': lambda: {'errors': worker.converge()},
    }
    if op == 'stop':
        stop()
        return {}
    if op not in operations:
        raise SandboxError('cannot carry out', op, 'there is no such operation', f'use one of {", ".join(OPERATIONS)}')
    return operations[op]()


class Server(socketserver.ThreadingUnixStreamServer):
    """One thread per connection; Nova and Neutron together open a few dozen at most."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path, worker: Worker, stop: Callable[[], None]) -> None:
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            super().__init__(str(path), Handler)
        finally:
            os.umask(before)
        self.worker, self.stop = worker, stop


class Handler(socketserver.StreamRequestHandler):
    """One request, one reply."""

    server: Server
    timeout = 60.0  # seconds for a client that connects and says nothing

    def handle(self) -> None:
        """Read a line, answer a line."""
        try:
            line = self.rfile.readline(EOF_LIMIT)
        except OSError as error:
            log.warning('a client sent no complete request: %s', error)
            return
        if not line:
            return
        try:
            request = json.loads(line)
            reply = dispatch(self.server.worker, request, self.server.stop) if isinstance(request, dict) else None
        except ValueError:
            reply = None
        answer = reply or {'ok': False, 'error': MALFORMED}
        try:
            self.wfile.write(json.dumps(answer).encode() + b'\n')
        except OSError as error:
            log.warning('a client left before its answer: %s', error)


def serve(state: Path) -> None:
    """Run the agent of a sandbox until SIGTERM, SIGINT or the operation stop. Servers and network stay as they are."""
    config = read_config(state)
    _logging(state)
    lock = _only_one(state)
    # Process 1 of a server is orphaned by its starter; as its next parent the agent learns how it ended.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    worker = Worker(state, config, cgroups.host_layout())
    ended = threading.Event()

    def end(_signal: int = 0, _frame: FrameType | None = None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    record(state / 'agent.pid', agent=Process(os.getpid(), start_time(os.getpid()) or 0))
    for error in worker.converge():
        log.error('at start: %s', error)
    upstream = resolver.start(state)
    log.info('names are resolved; other names by %s', ', '.join(upstream) or 'nobody')
    with Server(state / 'agent.sock', worker, end) as server:
        threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.2}, daemon=True).start()
        log.info('agent of sandbox %s serves, process %d', config.name, os.getpid())
        _attend(worker, ended)
        server.shutdown()
    (state / 'agent.sock').unlink(missing_ok=True)
    (state / 'agent.pid').unlink(missing_ok=True)
    log.info('agent ends')
    os.close(lock)


def _only_one(state: Path) -> int:
    """Two agents would work against each other.

    Returns the descriptor that holds the lock; it ends with the process.
    """
    descriptor = os.open(state / 'agent.lock', os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SandboxError(
            'cannot start agent of', f'sandbox {state.name}', 'another one runs', 'use that one, or end it'
        ) from error
    return descriptor


def _attend(worker: Worker, ended: threading.Event) -> None:
    """Watch servers every second, converge everything every half minute, until told to end."""
    passed = 0.0
    while not ended.wait(WATCH_PAUSE):
        passed += WATCH_PAUSE
        try:
            worker.watch()
            if passed >= PASS_PAUSE:
                passed = 0.0
                worker.converge()
        except (SandboxError, OSError) as error:
            log.error('while watching: %s', error)


def _logging(state: Path) -> None:
    directory = state / 'log'
    directory.mkdir(exist_ok=True, mode=0o700)
    handler = logging.FileHandler(directory / 'agent.log')
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(threadName)s %(message)s'))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
