"""The proxy itself: CONNECT, TLS in the name of the host, GET and HEAD."""

from __future__ import annotations

import http.server
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from .. import serving
from .authority import Authority
from .sources import Answer, Directory, Source, Upstream

# Waiting for a client that takes its time with the handshake.
HANDSHAKE_SECONDS = 10.0
HTTPS = '443'


class Mirror(serving.Server):
    """Answers for hosts on a listening socket."""

    def __init__(self, listener: socket.socket, source: Source, authority: Authority, log: Path) -> None:
        super().__init__(listener, Proxy, log)
        self.source = source
        self.authority = authority


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
            secure.settimeout(serving.IDLE_SECONDS)
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
    serving.run(Mirror(serving.listener(address, namespace), source, authority, state / 'access.log'))
