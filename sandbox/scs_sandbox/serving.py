"""Servers of the lab that are processes of ours: each connection in a thread, one line of access log per answer."""

from __future__ import annotations

import argparse
import http.server
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .cache import cache_home
from .errors import SandboxError
from .netns import within

# An idle keep-alive connection costs a thread; the next request of a client comes at once or never.
IDLE_SECONDS = 60.0
BACKLOG = 64


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Answers on a listening socket that somebody else has made."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: type[http.server.BaseHTTPRequestHandler], log: Path) -> None:
        super().__init__(listener.getsockname(), handler)
        self.socket = listener
        self._log = log.open('a', buffering=1)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """For the selector of serve_forever."""
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection."""
        connection, address = self.socket.accept()
        connection.settimeout(IDLE_SECONDS)
        return connection, address

    def server_close(self) -> None:
        """Close the listening socket and the log."""
        self.socket.close()
        self._log.close()

    def record(self, client: str, method: str, url: str, status: int, size: int, origin: str) -> None:
        """One line of the access log."""
        stamp = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
        with self._lock:
            self._log.write(f'{stamp} {client} {method} {url} {status} {size} {origin}\n')

    def handle_error(self, request: object, client_address: tuple[str, int]) -> None:
        """A client that goes away or does not trust the CA is a line in the log, not a traceback."""
        error = sys.exc_info()[1]
        self.record(client_address[0], '-', '-', 0, 0, f'connection ended: {type(error).__name__}: {error}')


def listener(address: tuple[str, int], namespace: Path | None = None) -> socket.socket:
    """A listening socket at an address, in a network namespace if given. Raises SandboxError when it is taken."""

    def make() -> socket.socket:
        try:
            return socket.create_server(address, backlog=BACKLOG)
        except OSError as error:
            where = f'{address[0]}:{address[1]}' + (f' in {namespace.name}' if namespace else '')
            advice = 'see who listens there with `ss -ltnp`, or take the sandbox down'
            raise SandboxError('cannot listen on', where, error.strerror or str(error), advice) from error

    return within(namespace, make) if namespace else make()


def run(server: Server) -> None:
    """Answer until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread, because shutdown waits for the loop that the signal has interrupted.
        signal.signal(number, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
    try:
        server.serve_forever()
    finally:
        server.server_close()


Serve = Callable[[Path, tuple[str, int], Path | None, Path, Path | None], None]


def main(package: str, description: str | None, mirrored: str, serve: Serve) -> int:
    """The command line of a mirror: serve until told to end; 3 with a message when that is impossible.

    package: its name, also that of its cache. mirrored: what a directory holds. serve: gets state, address, namespace,
    cache, directory.
    """
    parser = argparse.ArgumentParser(prog=f'python3 -m scs_sandbox.{package}', description=description)
    parser.add_argument('--state', type=Path, required=True, metavar='DIR', help='access log, and what else it needs')
    parser.add_argument('--listen', required=True, metavar='ADDRESS:PORT')
    parser.add_argument('--namespace', type=Path, metavar='PATH', help='network namespace to listen in')
    parser.add_argument('--directory', type=Path, metavar='DIR', help=f'{mirrored}; default: the real hosts')
    parser.add_argument('--cache', type=Path, default=cache_home() / package, metavar='DIR', help='of the real hosts')
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(':')
    try:
        if options.directory and not options.directory.is_dir():
            raise SandboxError('cannot mirror', str(options.directory), 'no such directory', 'correct --directory')
        serve(options.state, (host, int(port)), options.namespace, options.cache, options.directory)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 3
    return 0
