"""Mirror and relay as processes, across the border of a network namespace, with real clients."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from scs_sandbox.netns import within

pytestmark = pytest.mark.integration

PORT = 5480
START_SECONDS = 15.0  # Python and cryptography on a machine that does other things, too
END_SECONDS = 10.0


@pytest.fixture
def namespace() -> Iterator[Path]:
    """A lab of this test's own: a namespace with loopback only."""
    name = f'scs-sandbox-t{os.getpid()}-charts'
    subprocess.run(['ip', 'netns', 'add', name], check=True)
    try:
        subprocess.run(['ip', '-n', name, 'link', 'set', 'lo', 'up'], check=True)
        yield Path('/run/netns') / name
    finally:
        subprocess.run(['ip', 'netns', 'delete', name], check=True)


@contextlib.contextmanager
def process(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, '-m', *(str(argument) for argument in arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
                raise


def until(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + START_SECONDS
    while not reached():
        assert time.monotonic() < limit, f'not within {START_SECONDS} s'
        time.sleep(0.05)


def answers(namespace: Path, port: int) -> bool:
    def connect() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
            return True
        return False

    return within(namespace, connect)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One repository with one chart, packed by tar as helm does."""
    repository = tmp_path / 'mirror' / 'charts.example' / 'stable'
    chart = tmp_path / 'build' / 'hello'
    (chart / 'templates').mkdir(parents=True)
    (chart / 'Chart.yaml').write_text('apiVersion: v2\nname: hello\nversion: 1.2.3\n')
    (chart / 'templates' / 'c.yaml').write_text('kind: ConfigMap\napiVersion: v1\nmetadata: {name: hello}\n')
    repository.mkdir(parents=True)
    subprocess.run(['tar', '-C', chart.parent, '-czf', repository / 'hello-1.2.3.tgz', 'hello'], check=True)
    entry = {'name': 'hello', 'version': '1.2.3', 'apiVersion': 'v2', 'urls': ['hello-1.2.3.tgz']}
    (repository / 'index.yaml').write_text(yaml.safe_dump({'apiVersion': 'v1', 'entries': {'hello': [entry]}}))
    return tmp_path / 'mirror'


@pytest.fixture
def mirror(namespace: Path, directory: Path, tmp_path: Path) -> Iterator[Path]:
    """State directory of a running mirror."""
    state = tmp_path / 'state'
    options = ['--state', state, '--listen', f'127.0.0.1:{PORT}', '--namespace', namespace, '--directory', directory]
    with process('scs_sandbox.charts', *options):
        until(lambda: answers(namespace, PORT))
        yield state


def get(namespace: Path, url: str, state: Path) -> bytes:
    """GET through the mirror from inside the namespace."""

    def fetch() -> bytes:
        context = ssl.create_default_context(cafile=str(state / 'ca.crt'))
        proxy = urllib.request.ProxyHandler({'https': f'http://127.0.0.1:{PORT}'})
        opener = urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=context))
        with opener.open(url, timeout=10) as response:
            body: bytes = response.read()
            return body

    return within(namespace, fetch)


def test_mirror_answers_inside_and_nowhere_else(namespace: Path, mirror: Path, directory: Path) -> None:
    archive = directory / 'charts.example' / 'stable' / 'hello-1.2.3.tgz'
    assert get(namespace, 'https://charts.example/stable/hello-1.2.3.tgz', mirror) == archive.read_bytes()
    with pytest.raises(OSError):
        socket.create_connection(('127.0.0.1', PORT), 1)
    assert (mirror / 'ca.key').stat().st_mode & 0o777 == 0o600
    log = (mirror / 'access.log').read_text()
    assert f'GET https://charts.example/stable/hello-1.2.3.tgz 200 {archive.stat().st_size} mirror' in log


def test_unknown_host_and_missing_file_say_why(namespace: Path, mirror: Path) -> None:
    with pytest.raises(OSError, match='is not mirrored: no folder'):
        get(namespace, 'https://other.example/index.yaml', mirror)
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(namespace, 'https://charts.example/stable/none.tgz', mirror)
    with caught.value as error:
        assert error.code == 404
        assert b'has no file' in error.read()


def test_other_ports_are_not_touched(namespace: Path, mirror: Path) -> None:
    with pytest.raises(OSError, match='port 443 only, not 6443'):
        get(namespace, 'https://charts.example:6443/', mirror)


def test_clients_without_the_authority_refuse(namespace: Path, mirror: Path, tmp_path: Path) -> None:
    stranger = tmp_path / 'other'
    stranger.mkdir()
    shutil.copy('/etc/ssl/certs/ca-certificates.crt', stranger / 'ca.crt')
    with pytest.raises(OSError, match='CERTIFICATE_VERIFY_FAILED'):
        get(namespace, 'https://charts.example/stable/index.yaml', stranger)


def test_helm_resolves_dependencies_through_it(namespace: Path, mirror: Path, tmp_path: Path, helm: Path) -> None:
    chart = tmp_path / 'parent'
    chart.mkdir()
    dependency = {'name': 'hello', 'version': '1.2.3', 'repository': 'https://charts.example/stable'}
    metadata = {'apiVersion': 'v2', 'name': 'parent', 'version': '0.1.0', 'dependencies': [dependency]}
    (chart / 'Chart.yaml').write_text(yaml.safe_dump(metadata))
    environment = {
        'PATH': '/usr/bin:/bin',
        'HOME': str(tmp_path),
        'HTTPS_PROXY': f'http://127.0.0.1:{PORT}',
        'SSL_CERT_FILE': str(mirror / 'ca.crt'),
    }
    command = ['ip', 'netns', 'exec', namespace.name, str(helm), 'template', 'r', str(chart), '--dependency-update']
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert 'name: hello' in done.stdout


@pytest.fixture
def helm() -> Path:
    """The helm of the built programs."""
    tools = os.environ.get('SCS_CI_TOOLS')
    assert tools, 'SCS_CI_TOOLS is not set: run the tests by `make test`'
    return Path(tools) / 'bin' / 'helm'


def test_taken_address_and_missing_lab_are_told(namespace: Path, mirror: Path, tmp_path: Path) -> None:
    options = ['--state', tmp_path / 'second', '--listen', f'127.0.0.1:{PORT}', '--namespace']
    for place, reason in ((namespace, 'Address already in use'), (Path('/run/netns/none'), 'No such file')):
        with process('scs_sandbox.charts', *options, place) as second:
            _, message = second.communicate(timeout=START_SECONDS)
        assert second.returncode == 3
        assert reason in message
        assert 'next: ' in message
        assert 'Traceback' not in message


def test_relay_carries_both_ways_and_ends_with_its_process(namespace: Path, tmp_path: Path) -> None:
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers['Content-Length']))
            self.send_response(200)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body[::-1])

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = within(namespace, lambda: http.server.ThreadingHTTPServer(('127.0.0.1', 0), Echo))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    body = os.urandom(500_000)
    code = (
        f'from pathlib import Path; from scs_sandbox.relay import parse, relay; relay(Path({str(namespace)!r}), [parse('
    )
    script = tmp_path / 'relay_once.py'
    script.write_text(f"{code}'127.0.0.1:{port}=127.0.0.1:{server.server_address[1]}')])\n")
    with subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True) as relay:
        try:
            assert relay.stderr is not None
            assert 'relay 127.0.0.1:' in relay.stderr.readline()
            request = urllib.request.Request(f'http://127.0.0.1:{port}/', data=body)
            with urllib.request.urlopen(request, timeout=10) as response:
                assert response.read() == body[::-1]
        finally:
            relay.send_signal(signal.SIGTERM)
            assert relay.wait(END_SECONDS) == 0
            server.shutdown()
            server.server_close()
    with pytest.raises(OSError):
        socket.create_connection(('127.0.0.1', port), 1)
