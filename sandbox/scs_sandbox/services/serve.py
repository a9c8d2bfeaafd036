"""python -m scs_sandbox.services.serve RECORDS FILE -- OpenStack projects, each as one process.

FILE holds a list of Service as JSON. Each becomes a process, which is recorded in the directory RECORDS and writes its
file `ready` when it listens, or ends with exit code 1 and a traceback in its log when it cannot start. This process
ends as soon as all are made: it only loads what all of them need, once, for pages of memory that they then share.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .. import processes
from . import environment, loading, sqlite_writers, unused, workers
from .middleware import Middleware, Rules

THREADS = 10
# New objects between two looks for garbage; with Python's 700, a fifth of a request's time goes into looking.
GARBAGE = 20_000
QUEUE = 256  # connections that wait for a thread; a burst of parallel clients must not be refused
IDLE = 60.0  # seconds that a kept-alive connection may be silent
NICENESS = os.getpriority(os.PRIO_PROCESS, 0)  # of this process, so of all
# Nobody waits for these while they start; Nova's compute services wait for the others, and are the last to be ready.
LATER = {'glance': 10, 'cinder': 5, 'octavia': 10}  # more niceness until they listen
APPLICATIONS = {
    'keystone': 'keystone.wsgi.api',
    'placement': 'placement.wsgi.api',
    'glance': 'glance.wsgi.api',
    'nova': 'nova.wsgi.osapi_compute',
    'neutron': 'neutron.wsgi.api',
    'cinder': 'cinder.wsgi.api',
    'octavia': 'octavia.wsgi.api',
}


@dataclass(frozen=True)
class Service:
    """A project to be served. etc: directory of its configuration; ready, log: files that it writes."""

    name: str
    etc: str
    address: str
    port: int
    ready: str
    log: str


def application(service: str, etc: Path) -> Any:
    """The WSGI application of a service, its workers running."""
    workers.PREPARE.get(service, workers.nothing)(etc)
    made = importlib.import_module(APPLICATIONS[service]).application
    workers.START.get(service, workers.nothing)(etc)
    return made


def serve(service: Service) -> None:
    """Start the service and answer until SIGTERM."""
    from cheroot import wsgi

    sys.argv = [service.name]  # OpenStack's libraries parse it
    etc, ready = Path(service.etc), Path(service.ready)
    # A load balancer of Octavia stayed PENDING_UPDATE once with connections that are kept; why is not known.
    sqlite_writers.install(keep=service.name != 'octavia')
    unused.load_policies_once()
    rules = Rules(service.name, environment.state() / 'faults.json')
    wrapped = Middleware(application(service.name, etc), rules, etc.parent / 'log' / f'{service.name}-access.log')
    server = wsgi.Server((service.address, service.port), wrapped, numthreads=THREADS, request_queue_size=QUEUE)
    server.timeout = IDLE
    server.prepare()
    _keep_what_is_loaded()
    for thread in Path('/proc/self/task').iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), NICENESS)
    temporary = ready.with_suffix('.new')
    temporary.write_text(f'{os.getpid()}\n')
    temporary.rename(ready)
    server.serve()


def _keep_what_is_loaded() -> None:
    """Never look for garbage among modules and configuration, which stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()


def _end(*_: Any) -> None:
    # Projects leave threads behind that are not daemons and would keep the process for ever.
    os._exit(0)


def _guarded(function: Callable[[], None]) -> NoReturn:
    try:
        function()
    except BaseException:  # noqa: BLE001 - outermost entry; a service that cannot start must end with all its threads
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def _live(service: Service) -> NoReturn:
    """The life of the process of a service, which begins as a copy of this one."""
    os.setsid()
    log = os.open(service.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    Path('/proc/self/comm').write_text(service.name)  # how tools name it: all have the command line of the first one
    threading.current_thread().name = service.name
    os.nice(LATER.get(service.name, 0))
    _guarded(lambda: serve(service))


def main() -> None:
    directory, file = map(Path, sys.argv[1:3])
    services = [Service(**entry) for entry in json.loads(file.read_text())]
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # until all modules are loaded
    loading.common()
    gc.freeze()  # what is looked at for garbage is written to, and no longer shared
    for service in services:
        pid = os.fork()
        if not pid:
            _live(service)
        processes.record(directory, processes.found(service.name, pid, service.log))


if __name__ == '__main__':
    main()
