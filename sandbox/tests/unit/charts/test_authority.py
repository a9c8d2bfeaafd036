"""The certificates of the mirror."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from scs_sandbox.charts.authority import Authority

pytestmark = pytest.mark.unit


def handshake(authority: Authority, host: str) -> str | None:
    """Version of TLS that a client as strict as Python 3.13 agrees on. Raises SSLCertVerificationError."""
    context = ssl.create_default_context(cafile=authority.certificate_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname=host)
    server = authority.context('charts.example').wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.version()


def test_a_strict_client_trusts_the_mirror(tmp_path: Path) -> None:
    assert handshake(Authority(tmp_path / 'ca'), 'charts.example') == 'TLSv1.3'


def test_a_certificate_is_for_one_host(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match='Hostname mismatch'):
        handshake(Authority(tmp_path / 'ca'), 'other.example')


def test_the_authority_stays_over_restarts(tmp_path: Path) -> None:
    before = Authority(tmp_path / 'ca').certificate_file.read_bytes()
    assert Authority(tmp_path / 'ca').certificate_file.read_bytes() == before
