"""Certificates for the hosts that the mirror answers for: a CA of the sandbox's own and one certificate per host."""

from __future__ import annotations

import datetime
import os
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A sandbox lives for hours; a month leaves room for one that is kept, and a day for clocks that go wrong.
LIFETIME = datetime.timedelta(days=30)
SKEW = datetime.timedelta(days=1)
COMMON_NAME_LENGTH = 64  # characters, by X.520


class Authority:
    """The CA in a directory (`ca.crt`, `ca.key`), made when missing; restarts keep it, so clients keep trusting it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.certificate_file = directory / 'ca.crt'
        self._key_file = directory / 'ca.key'
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        if not self.certificate_file.exists():
            self._create()
        self._key = _load_key(self._key_file)
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name('scs-sandbox chart mirror')
        builder = _builder(name, name, key.public_key(), key.public_key()).add_extension(
            x509.BasicConstraints(True, 0), critical=True
        )
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
        _write(self._key_file, _private(key), 0o600)
        # Last and by rename: whoever finds the certificate finds a complete CA.
        _write(self.certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def context(self, host: str) -> ssl.SSLContext:
        """TLS context that presents a certificate for a host name."""
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._issue(host)
            return self._contexts[host]

    def _issue(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(host), self._certificate.subject, key.public_key(), self._key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        file = self.directory / f'{host}.pem'
        _write(file, certificate.public_bytes(serialization.Encoding.PEM) + _private(key), 0o600)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)  # ssl loads from files only
        file.unlink()
        return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:COMMON_NAME_LENGTH])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    """With the identifiers of both keys, without which Python 3.13 (VERIFY_X509_STRICT) trusts no certificate."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # we wrote it
    return key


def _write(file: Path, content: bytes, mode: int) -> None:
    temporary = file.with_name(f'{file.name}.tmp')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, 'wb') as opened:
        opened.write(content)
    temporary.replace(file)
