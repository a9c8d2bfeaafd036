"""python -m scs_sandbox.services.serve SERVICE ETC ADDRESS PORT READY_FILE -- one OpenStack project as one process.

Writes READY_FILE when it listens. Ends with exit code 1 and a traceback in its log file when it cannot start.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import environment, sqlite_writers
from .middleware import Middleware, Rules

THREADS = 10
QUEUE = 256  # connections that wait for a thread; a burst of parallel clients must not be refused
IDLE = 60.0  # seconds that a kept-alive connection may be silent
NEIGHBOR_WAIT = 120.0  # seconds for another service to listen; all start at once, on a loaded host in about 20 s
APPLICATIONS = {
    'keystone': 'keystone.wsgi.api', 'placement': 'placement.wsgi.api', 'glance': 'glance.wsgi.api',
    'nova': 'nova.wsgi.osapi_compute', 'neutron': 'neutron.wsgi.api', 'cinder': 'cinder.wsgi.api', 'octavia': 'octavia.wsgi.api',
}
# Services with workers in the same process: module and function that is given the configuration directory.
PREPARE = {'cinder': 'prepare', 'octavia': 'prepare'}
WORKERS = {'nova': 'start_workers', 'cinder': 'start_workers'}


def wait_for(address: str, port: int, seconds: float = NEIGHBOR_WAIT) -> None:
    """Until something listens there. Raises TimeoutError."""
    limit = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > limit:
                raise TimeoutError(f'nothing listens at {address}:{port} after {seconds:.0f} s') from error
            time.sleep(0.05)


def application(service: str, etc: Path) -> Any:
    """The WSGI application of a service, its workers running."""
    drivers = importlib.import_module(f'.{service}', __package__) if service in WORKERS or service in PREPARE else None
    if service in PREPARE and drivers:
        getattr(drivers, PREPARE[service])(etc)
    made = importlib.import_module(APPLICATIONS[service]).application
    if service in WORKERS and drivers:
        getattr(drivers, WORKERS[service])()
    return made


def serve(service: str, etc: Path, address: str, port: int, ready: Path) -> None:
    """Start the service and answer until SIGTERM."""
    from cheroot import wsgi

    sys.argv = [service]  # OpenStack's libraries parse it
    sqlite_writers.install()
    rules = Rules(service, environment.state() / 'faults.json')
    wrapped = Middleware(application(service, etc), rules, etc.parent / 'log' / f'{service}-access.log')
    server = wsgi.Server((address, port), wrapped, numthreads=THREADS, request_queue_size=QUEUE)
    server.timeout = IDLE
    server.prepare()
    temporary = ready.with_suffix('.new')
    temporary.write_text(f'{os.getpid()}\n')
    temporary.rename(ready)
    server.serve()


def _end(*_: Any) -> None:
    # Projects leave threads behind that are not daemons and would keep the process for ever.
    os._exit(0)


def _guarded(function: Callable[[], None]) -> None:
    try:
        function()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    service, etc, address, port, ready = sys.argv[1:6]
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.current_thread().name = service
    _guarded(lambda: serve(service, Path(etc), address, int(port), Path(ready)))


if __name__ == '__main__':
    main()
