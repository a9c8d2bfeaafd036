"""Ports: whether they are free, who holds one, whether a health endpoint answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..core.clock import Clock, Expired, wait
from ..core.errors import ToolProblem
from .layout import LOOPBACK, Layout, Port

# The main thread of a process that was stopped is gone a moment before its last thread closes the sockets.
RELEASE_SECONDS = 2
HEALTH_SECONDS = 1  # for one answer on loopback; a controller that needs longer is not ready
SERVER_SECONDS = 2  # for the API server's own answer; it asks etcd meanwhile
LISTEN = '0A'  # state in /proc/net/tcp


def demand_free(service: str, ports: Sequence[Port], clock: Clock) -> None:
    """ToolProblem naming the holder when one of the ports cannot be bound."""
    for port in ports:
        try:
            wait(partial(_free, port), RELEASE_SECONDS, 'free port', pause=0.05, clock=clock)
        except Expired as error:
            holder = holder_of(port.number)
            raise ToolProblem(
                'cannot start',
                f'{service}: port {port.number} ({port.purpose})',
                f'in use by {holder}' if holder else str(refusal(port)),
                "stop that process, or run the plane in a network namespace of its own ('ip netns exec')",
            ) from error


def _free(port: Port) -> bool:
    return refusal(port) is None


def refusal(port: Port) -> str | None:
    """Why the port cannot be bound, or None when it can."""
    with socket.socket() as probe:
        # As the Go programs do it: connections of a stopped predecessor in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('' if port.open else LOOPBACK, port.number))
        except OSError as error:
            return error.strerror or str(error)
    return None


def holder_of(port: int) -> str:
    """The process that listens on the port, 'name (PID n)'; empty when it cannot be told."""
    wanted = {f'socket:[{inode}]' for inode in _listening_inodes(port)}
    for entry in Path('/proc').iterdir():
        if not wanted or not entry.name.isdigit():
            continue
        try:
            if any(str(fd.readlink()) in wanted for fd in (entry / 'fd').iterdir()):
                return f'{(entry / "comm").read_text().strip()} (PID {entry.name})'
        except OSError:
            continue  # ended, or not ours to read
    return ''


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rsplit(':', 1)[1], 16) == port:
                found.add(fields[9])
    return found


def healthy(port: int, path: str = '/readyz') -> bool:
    """Whether the health endpoint on loopback says 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=HEALTH_SECONDS)
    try:
        connection.request('GET', path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def serving(layout: Layout) -> bool:
    """Whether the plane's own API server says that it is ready; without the Kubernetes client, which loads slowly."""
    try:
        trusted = ssl.create_default_context(cafile=layout.pki / 'ca.crt')
        trusted.load_cert_chain(layout.pki / 'admin.crt', layout.pki / 'admin.key')
        connection = http.client.HTTPSConnection(LOOPBACK, 6443, timeout=SERVER_SECONDS, context=trusted)
        with contextlib.closing(connection):
            connection.request('GET', '/readyz')
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # also without certificates: then nothing has started
        return False


def listening(port: int) -> bool:
    """Whether something on loopback accepts connections."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=HEALTH_SECONDS):
            return True
    except OSError:
        return False
