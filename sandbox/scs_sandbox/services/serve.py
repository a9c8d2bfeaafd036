"""python -m scs_sandbox.services.serve SERVICE ETC ADDRESS PORT READY_FILE -- one OpenStack project as one process.

Writes READY_FILE when it listens. Ends with exit code 1 and a traceback in its log file when it cannot start.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import environment, sqlite_writers, unused, workers
from .middleware import Middleware, Rules

THREADS = 10
# New objects between two looks for garbage; with Python's 700, a fifth of a request's time goes into looking.
GARBAGE = 20_000
QUEUE = 256  # connections that wait for a thread; a burst of parallel clients must not be refused
IDLE = 60.0  # seconds that a kept-alive connection may be silent
APPLICATIONS = {
    'keystone': 'keystone.wsgi.api',
    'placement': 'placement.wsgi.api',
    'glance': 'glance.wsgi.api',
    'nova': 'nova.wsgi.osapi_compute',
    'neutron': 'neutron.wsgi.api',
    'cinder': 'cinder.wsgi.api',
    'octavia': 'octavia.wsgi.api',
}


def application(service: str, etc: Path) -> Any:
    """The WSGI application of a service, its workers running."""
    workers.PREPARE.get(service, workers.nothing)(etc)
    made = importlib.import_module(APPLICATIONS[service]).application
    workers.START.get(service, workers.nothing)(etc)
    return made


def serve(service: str, etc: Path, address: str, port: int, ready: Path) -> None:
    """Start the service and answer until SIGTERM."""
    from cheroot import wsgi

    sys.argv = [service]  # OpenStack's libraries parse it
    # A load balancer of Octavia stayed PENDING_UPDATE once with connections that are kept; why is not known.
    sqlite_writers.install(keep=service != 'octavia')
    unused.load_policies_once()
    rules = Rules(service, environment.state() / 'faults.json')
    wrapped = Middleware(application(service, etc), rules, etc.parent / 'log' / f'{service}-access.log')
    server = wsgi.Server((address, port), wrapped, numthreads=THREADS, request_queue_size=QUEUE)
    server.timeout = IDLE
    server.prepare()
    _keep_what_is_loaded()
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


def _guarded(function: Callable[[], None]) -> None:
    try:
        function()
    except BaseException:  # noqa: BLE001 - outermost entry; a service that cannot start must end with all its threads
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    service, etc, address, port, ready = sys.argv[1:6]
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.current_thread().name = service
    gc.disable()  # until all modules are loaded
    _guarded(lambda: serve(service, Path(etc), address, int(port), Path(ready)))


if __name__ == '__main__':
    main()
