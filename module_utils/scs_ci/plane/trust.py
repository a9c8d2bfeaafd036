"""What a plane's certificates are copied to: CA bundles and the directories of webhook servers.

Apart from making them, for the library that does takes long to load and is needed by a start only.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from ..core.errors import UsageProblem
from ..core.files import write_atomic
from .layout import Layout

SYSTEM_BUNDLES = ('/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt')


def serving_directory(layout: Layout, place: Path) -> Path:
    """A directory with tls.crt and tls.key. Left alone when right: a rewrite makes running controllers reload."""
    for source, target in (('server.crt', 'tls.crt'), ('server.key', 'tls.key')):
        content = (layout.pki / source).read_bytes()
        if not (place / target).exists() or (place / target).read_bytes() != content:
            write_atomic(place / target, content, 0o600)
    return place


def write_bundle(layout: Layout, extra: str = '') -> None:
    """CA bundle: the system's CAs (if it has any), the plane's, and the file `extra`."""
    parts = [system_bundle(), (layout.pki / 'ca.crt').read_text()]
    if extra:
        try:
            parts.append(Path(extra).read_text(encoding='ascii'))
        except (OSError, UnicodeError) as error:
            raise UsageProblem(
                'cannot read', f'CA file {extra}', str(error), 'name the PEM file of the chart proxy'
            ) from error
    content = '\n'.join(part.strip() for part in parts if part.strip()) + '\n'
    if not layout.bundle.exists() or layout.bundle.read_text() != content:
        write_atomic(layout.bundle, content)


def system_bundle() -> str:
    """PEM text of the CAs that the host trusts; empty on a host without any."""
    for candidate in (ssl.get_default_verify_paths().cafile, *SYSTEM_BUNDLES):
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_text()
    return ''
