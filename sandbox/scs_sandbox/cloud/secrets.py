"""Secrets of a sandbox: made per sandbox, put into the cloned identity database as hashes that Keystone understands."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .model import USERS, Credentials

ROUNDS = 2000  # the passwords are 32 random characters, so the rounds need not be many; a login then costs 2 ms


def generate(application_credential_id: str, random: Callable[[int], str] = secrets.token_urlsafe) -> Credentials:
    """New random passwords for all users, and the secret of the application credential with this id."""
    return Credentials({name: random(24) for name in USERS}, application_credential_id, random(24))


def hashed(password: str, salt: bytes | None = None) -> str:
    """PBKDF2 with SHA-512 in the form that Keystone stores. salt: 16 bytes; random when None."""
    salt = os.urandom(16) if salt is None else salt
    digest = hashlib.pbkdf2_hmac('sha512', password.encode(), salt, ROUNDS, 64)
    return f'$pbkdf2-sha512${ROUNDS}${_text(salt)}${_text(digest)}'


def _text(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b'=').decode()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all; it never exists with wider rights."""
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, 'w') as file:
        file.write(text)
    temporary.rename(path)


def save(credentials: Credentials, path: Path) -> None:
    """Keep the credentials of a sandbox (mode 0600)."""
    write_private(path, json.dumps(vars(credentials), indent=1) + '\n')


def load(path: Path) -> Credentials:
    """Read what save() wrote."""
    return Credentials(**json.loads(path.read_text()))


def write_keys(directory: Path) -> None:
    """Fresh Fernet keys, primary and staged."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ('0', '1'):
        write_private(directory / name, base64.urlsafe_b64encode(os.urandom(32)).decode())
