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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scs_ci.stack import archive

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / 'examples/cluster-stacks'
ADDRESS = '127.0.0.1'
# The registry answers within a second; a machine that runs other tests at the same time needs a multiple.
START_SECONDS = 30


def scs_ci(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run scs-ci as a user would."""
    argv = [sys.executable, '-m', 'scs_ci', *map(str, words)]
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), **environment}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)


def csctl(tools: Path, stack: Path, work: Path, *words: str, environment: Mapping[str, str] | None = None) -> Path:
    """The release directory that csctl makes of a stack, in hash mode without other words."""
    argv = [tools / 'bin/csctl', 'create', stack, '-o', work / 'csctl', *(words or ('-m', 'hash'))]
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(argv, cwd=work, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (release,) = (work / 'csctl').iterdir()
    return release


def content(release: Path) -> dict[str, object]:
    """Files of a release; archives as the files inside, without their order, times and owners."""
    return {
        path.name: archive.unpack(path.read_bytes()) if path.suffix == '.tgz' else path.read_bytes()
        for path in release.iterdir()
    }


@dataclass(frozen=True)
class Registry:
    """A running registry: host:port and the file of its certificate."""

    host: str
    ca: Path


@contextmanager
def registry(program: Path, directory: Path, htpasswd: str = '', auth: str = '', hours: int = 2) -> Iterator[Registry]:
    """A real registry with TLS on a free port of the loopback; gone afterwards.

    htpasswd: lines `user:bcrypt`; auth: its configuration for another kind of login; hours: left to its certificate.
    """
    port = free_port()
    certificate(directory, hours)
    if htpasswd:
        auth = f'auth:\n  htpasswd: {{realm: test, path: {directory}/htpasswd}}\n'
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


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def certificate(directory: Path, hours: int = 2) -> None:
    """server.crt, signed by itself and valid for so long, and server.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    # of several in one file of CAs the right one is found by its name
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f'test {directory.name} {os.urandom(4).hex()}')])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    builder = builder.not_valid_before(now - datetime.timedelta(days=2))
    signed = builder.not_valid_after(now + datetime.timedelta(hours=hours)).sign(key, hashes.SHA256())
    (directory / 'server.crt').write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (directory / 'server.key').write_bytes(content)
