"""The proxy itself: CONNECT, TLS in the name of the host, GET and HEAD."""

from __future__ import annotations

import http.server
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from ..errors import SandboxError
from ..netns import within
from .authority import Authority
from .sources import Answer, Directory, Source, Upstream

# An idle keep-alive connection costs a thread; helm's next request comes at once or never.
IDLE_SECONDS = 60.0
# Waiting for a client that takes its time with the handshake.
HANDSHAKE_SECONDS = 10.0
HTTPS = '443'
BACKLOG = 64


class Mirror(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Answers on a listening socket that somebody else has made, each connection in a thread."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, source: Source, authority: Authority, log: Path) -> None:
        super().__init__(listener.getsockname(), Proxy)
        self.socket = listener
        self.source = source
        self.authority = authority
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


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: Mirror

    def log_message(self, format: str, *args: object) -> None:
        """The access log says all of it."""

    def reply(self, url: str, answer: Answer) -> None:
        """Send an answer and record it."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer.body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer.body)
        self.server.record(self.client_address[0], self.command, url, answer.status, len(answer.body), answer.origin)


class Proxy(_Handler):
    """What a client says before the TLS connection."""

    def do_CONNECT(self) -> None:
        """Become the host if the source answers for it."""
        host, _, port = self.path.rpartition(':')
        refusal = self._refusal(host, port)
        if refusal:
            # The reason phrase is all that Go's HTTP client shows of a refused CONNECT.
            self.send_response(502, refusal)
            self.send_header('Content-Length', '0')
            self.end_headers()
            self.server.record(self.client_address[0], 'CONNECT', self.path, 502, 0, refusal)
            return
        self.send_response(200, 'Connection established')
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        self._become(host)

    def _refusal(self, host: str, port: str) -> str:
        if not host or not set(host) <= HOST_CHARACTERS or host.startswith('.') or '..' in host:
            return f'{host!r} is no host name'
        if port != HTTPS:
            return f'chart mirror answers for port {HTTPS} only, not {port}; put the address into NO_PROXY'
        return self.server.source.refusal(host)

    def _become(self, host: str) -> None:
        self.connection.settimeout(HANDSHAKE_SECONDS)
        with self.server.authority.context(host).wrap_socket(self.connection, server_side=True) as secure:
            secure.settimeout(IDLE_SECONDS)
            Host(secure, self.client_address, self.server, host)

    def do_GET(self) -> None:
        """Plain HTTP is not mirrored: its content could not be told from somebody else's."""
        text = "this proxy answers HTTPS (CONNECT) only\n  next: use https:// in the chart's repository\n"
        self.reply(self.path, Answer(501, text.encode(), 'none'))

    do_HEAD = do_GET


HOST_CHARACTERS = frozenset('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-')


class Host(_Handler):
    """What a client says inside the TLS connection, to the host it thinks it talks to."""

    def __init__(self, connection: ssl.SSLSocket, address: tuple[str, int], server: Mirror, host: str) -> None:
        self.host = host
        super().__init__(connection, address, server)

    def do_GET(self) -> None:
        """Answer from the source."""
        headers: Mapping[str, str] = dict(self.headers.items())
        self.reply(f'https://{self.host}{self.path}', self.server.source.get(self.host, self.path, headers))

    do_HEAD = do_GET


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


def serve(
    state: Path,
    address: tuple[str, int],
    namespace: Path | None,
    cache: Path,
    directory: Path | None = None,
) -> None:
    """Answer until SIGTERM or SIGINT.

    state: directory for the CA (`ca.crt` for clients) and `access.log`. address: where to listen, in `namespace` (path,
    /run/netns/NAME) if given; charts are fetched from the namespace that this process is in. directory: charts
    as `<host>/<path>`; without it the real hosts are asked, with a cache in `cache`.
    """
    source: Source = Directory(directory) if directory else Upstream(cache)
    authority = Authority(state)  # first: who finds the port open looks for ca.crt next
    mirror = Mirror(listener(address, namespace), source, authority, state / 'access.log')
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread, because shutdown waits for the loop that the signal has interrupted.
        signal.signal(number, lambda _number, _frame: threading.Thread(target=mirror.shutdown).start())
    try:
        mirror.serve_forever()
    finally:
        mirror.server_close()
