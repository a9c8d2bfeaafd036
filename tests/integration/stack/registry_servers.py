"""Small servers beside registries: a login endpoint that gives tokens as Harbor does, and whatever answers wrongly."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from stack_tools import ADDRESS, certificate

ISSUER, SERVICE = 'test issuer', 'test registry'
ACCOUNT = ('robot$project-ci', 'pa$$word')


@dataclass(frozen=True)
class Asked:
    """A request to a server of these tests."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass(frozen=True)
class Answer:
    """status 0: close the connection without a word. seconds: to think before."""

    status: int
    body: bytes = b''
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Server:
    """A running server: where, the file of its certificate, and what it was asked."""

    host: str
    ca: Path
    asked: list[Asked]


@contextmanager
def serve(directory: Path, answer: Callable[[Asked], Answer], hours: int = 2400) -> Iterator[Server]:
    """A server with TLS on a free port of the loopback that answers so; gone afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate(directory, hours)
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def answer_it(self) -> None:
            self.rfile.read(int(self.headers.get('Content-Length') or 0))
            asked.append(Asked(self.command, self.path, dict(self.headers)))
            said = answer(asked[-1])
            time.sleep(said.seconds)
            if not said.status:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in {'Content-Length': str(len(said.body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != 'HEAD':
                self.wfile.write(said.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer_it

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer((ADDRESS, 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / 'server.crt', directory / 'server.key')
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)
    thread.start()
    try:
        yield Server(f'{ADDRESS}:{server.server_address[1]}', directory / 'server.crt', asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def login_endpoint(directory: Path) -> Iterator[Server]:
    """Gives tokens for exactly what is asked: everything to the account, pulls to everybody."""

    def answer(asked: Asked) -> Answer:
        wanted = f'Basic {base64.b64encode(":".join(ACCOUNT).encode()).decode()}'
        sent = asked.headers.get('Authorization', '')
        if sent and sent != wanted:
            return Answer(401, b'{"errors": [{"code": "UNAUTHORIZED"}]}')
        access = []
        for scope in asked.query.get('scope', []):
            kind, name, actions = scope.split(':')
            allowed = [a for a in actions.split(',') if sent or a == 'pull']
            access.append({'type': kind, 'name': name, 'actions': allowed})
        return Answer(200, json.dumps({'token': _token(directory, access)}).encode())

    with serve(directory, answer) as running:
        yield running


def token_auth(server: Server) -> str:
    """Configuration of a registry that sends its clients to the login endpoint."""
    return (
        f'auth:\n  token: {{realm: "https://{server.host}/token", service: {SERVICE}, issuer: {ISSUER}, '
        f'rootcertbundle: {server.ca}}}\n'
    )


def _token(directory: Path, access: list[dict[str, object]]) -> str:
    """A JSON web token, signed by the key of the directory (RFC 7515, ES256)."""
    key = serialization.load_pem_private_key((directory / 'server.key').read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signed = x509.load_pem_x509_certificate((directory / 'server.crt').read_bytes())
    chain = base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()
    now = int(time.time())
    claims = {'iss': ISSUER, 'sub': '', 'aud': SERVICE, 'exp': now + 300, 'nbf': now - 10, 'iat': now, 'access': access}
    parts = [{'typ': 'JWT', 'alg': 'ES256', 'x5c': [chain]}, claims]
    head = '.'.join(_unpadded(json.dumps(part).encode()) for part in parts)
    r, s = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f'{head}.{_unpadded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}'


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip('=')


@dataclass
class Stalling:
    """A way to a server that passes on so many bytes and then nothing. stalled: set when that has happened."""

    host: str
    stalled: threading.Event


@contextmanager
def stalling(host: str, most: int) -> Iterator[Stalling]:
    """A port of the loopback that leads to the server at `host`, for the first `most` bytes of its clients."""
    name, _, port = host.rpartition(':')
    stalled, left, ends = threading.Event(), [most], []

    def forward(source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if counted:
                    left[0] -= len(data)
                    if left[0] < 0:
                        stalled.set()
                        return
                target.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = door.accept()
                server = socket.create_connection((name, int(port)))
                ends.extend((client, server))
                for words in ((client, server, True), (server, client, False)):
                    threading.Thread(target=forward, args=words, daemon=True).start()

    with socket.create_server((ADDRESS, 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield Stalling(f'{ADDRESS}:{door.getsockname()[1]}', stalled)
        finally:
            for end in ends:
                end.close()
