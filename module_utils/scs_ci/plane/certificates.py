"""One CA, one server certificate for loopback, one client certificate for the administrator, a service account key."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..core.files import write_atomic
from .layout import LOOPBACK, Layout

VALID = datetime.timedelta(days=365)
# A plane lives for hours, rarely for weeks: with less left than this everything is made anew.
RENEW = datetime.timedelta(days=30)
SKEW = datetime.timedelta(minutes=5)  # of clocks that are not quite right
FILES = ('ca.crt', 'ca.key', 'server.crt', 'server.key', 'admin.crt', 'admin.key', 'sa.key', 'sa.pub')


def make(layout: Layout, now: datetime.datetime) -> bool:
    """Make the plane's keys and certificates unless they are there and good; returns whether it made them.

    They are kept across restarts because the CA is in every webhook configuration.
    """
    if _good(layout.pki, now):
        return False
    ca_key, ca_name = _key(), _name('scs-ci-plane-ca')
    ca = (
        _builder(ca_name, ca_key.public_key(), ca_name, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_ca_usage(), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName('localhost'), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    server_key, admin_key, account_key = _key(), _key(), _key()
    server = (
        _builder(_name('scs-ci-plane-server'), server_key.public_key(), ca_name, ca_key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    admin = (
        _builder(
            _name('scs-ci-plane-admin', 'system:masters'), admin_key.public_key(), ca_name, ca_key.public_key(), now
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _store(layout.pki, 'ca', ca_key, ca)
    _store(layout.pki, 'server', server_key, server)
    _store(layout.pki, 'sa', account_key)
    _store(layout.pki, 'admin', admin_key, admin)
    return True


def _good(pki: Path, now: datetime.datetime) -> bool:
    """Whether all files are there, belong to one CA and are valid long enough."""
    if not all((pki / name).is_file() for name in FILES):
        return False
    try:
        ca, *others = (
            x509.load_pem_x509_certificate((pki / f'{n}.crt').read_bytes()) for n in ('ca', 'server', 'admin')
        )
        for certificate in others:
            certificate.verify_directly_issued_by(ca)
            certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):  # damaged, of another CA, of old times
        return False
    return all(certificate.not_valid_after_utc > now + RENEW for certificate in (ca, *others))


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str, organization: str = '') -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_public: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
) -> x509.CertificateBuilder:
    """With the identifiers of both keys, without which Python 3.13 (VERIFY_X509_STRICT) trusts no certificate."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _store(pki: Path, stem: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None = None) -> None:
    """<stem>.key (0600) and its certificate, or for a bare key its public half as <stem>.pub."""
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomic(pki / f'{stem}.key', secret, 0o600)
    if certificate:
        write_atomic(pki / f'{stem}.crt', certificate.public_bytes(serialization.Encoding.PEM))
    else:
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_atomic(pki / f'{stem}.pub', public)
