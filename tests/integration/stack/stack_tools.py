"""How the tests of the stack room find programs, run commands and start a registry."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / 'examples/cluster-stacks'
ADDRESS = '127.0.0.1'
# The registry answers within a second; a machine that runs other tests at the same time needs a multiple.
START_SECONDS = 30


def scs_ci(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run scs-ci as a user would."""
    argv = [sys.executable, '-m', 'scs_ci', *map(str, words)]
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), 'PYTHONDONTWRITEBYTECODE': '1', **environment}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)


@dataclass(frozen=True)
class Registry:
    """A running registry: host:port and the file of its certificate."""

    host: str
    ca: Path


@contextmanager
def registry(program: Path, directory: Path, htpasswd: str = '') -> Iterator[Registry]:
    """A real registry with TLS on a free port of the loopback; gone afterwards. htpasswd: lines `user:bcrypt`."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port = probe.getsockname()[1]
    certificate(directory)
    auth = f'auth:\n  htpasswd: {{realm: test, path: {directory}/htpasswd}}\n' if htpasswd else ''
    (directory / 'htpasswd').write_text(htpasswd)
    (directory / 'registry.yaml').write_text(
        f'version: 0.1\nlog: {{level: error}}\n{auth}storage:\n  filesystem: {{rootdirectory: {directory}/data}}\n'
        f'http:\n  addr: {ADDRESS}:{port}\n'
        f'  tls: {{certificate: {directory}/server.crt, key: {directory}/server.key}}\n'
    )
    with (directory / 'registry.log').open('wb') as log:
        child = subprocess.Popen([program, 'serve', directory / 'registry.yaml'], stdout=log, stderr=log)
    try:
        _answers(port, child)
        yield Registry(f'{ADDRESS}:{port}', directory / 'server.crt')
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def _answers(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert child.poll() is None, 'the registry ended'
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError('the registry does not listen')


def certificate(directory: Path) -> None:
    """server.crt, signed by itself, and server.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'test registry')])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    signed = builder.not_valid_after(now + datetime.timedelta(hours=2)).sign(key, hashes.SHA256())
    (directory / 'server.crt').write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (directory / 'server.key').write_bytes(content)
