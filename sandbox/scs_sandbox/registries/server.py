"""The mirror as an HTTP server. Plain HTTP inside the lab: what is pulled is verified by its digest."""

from __future__ import annotations

import http.server
import shutil
import socket
from pathlib import Path

from .. import serving
from .layouts import Layouts
from .model import Answer, Source, error, parse
from .upstream import Upstream

HINT = 'the mirror knows /v2/NAME/manifests/REFERENCE and /v2/NAME/blobs/DIGEST with ?ns=REGISTRY, as containerd asks'


class Mirror(serving.Server):
    """Answers containerd on a listening socket."""

    def __init__(self, listener: socket.socket, source: Source, log: Path) -> None:
        super().__init__(listener, Handler, log)
        self.source = source


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a machine."""

    protocol_version = 'HTTP/1.1'
    server: Mirror

    def log_message(self, format: str, *args: object) -> None:
        """The access log says all of it."""

    def do_GET(self) -> None:
        """Answer from the source."""
        answer = self._answer()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(answer.size))
        self.end_headers()
        if self.command != 'HEAD':
            self._send(answer.content)
        self.server.record(self.client_address[0], self.command, self.path, answer.status, answer.size, answer.origin)

    do_HEAD = do_GET

    def _answer(self) -> Answer:
        if self.path.partition('?')[0] in ('/v2', '/v2/'):
            return Answer(200, b'{}', 'none', {'Content-Type': 'application/json'})
        # containerd sends one header for each media type
        accept = ', '.join(self.headers.get_all('Accept') or ['*/*'])
        request = parse(self.path, accept)
        return self.server.source.get(request) if request else error(404, 'UNSUPPORTED', HINT)

    def _send(self, content: bytes | Path) -> None:
        if isinstance(content, bytes):
            self.wfile.write(content)
            return
        with content.open('rb') as opened:
            shutil.copyfileobj(opened, self.wfile)


def serve(
    state: Path, address: tuple[str, int], namespace: Path | None, cache: Path, directory: Path | None = None
) -> None:
    """Answer until SIGTERM or SIGINT.

    state: directory for `access.log`. address: where to listen, in `namespace` (path, /run/netns/NAME) if given; the
    registries are asked from the namespace that this process is in. directory: OCI layouts as <registry>/<repository>;
    without it the real registries are asked, with a cache in `cache`.
    """
    source: Source = Layouts(directory) if directory else Upstream(cache)
    serving.run(Mirror(serving.listener(address, namespace), source, state / 'access.log'))
