"""SSH key of a run: given by the caller, or generated into a directory outside the run directory, which is uploaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ToolProblem, UsageProblem
from ..core.files import write_atomic
from ..core.naming import Names


@dataclass(frozen=True)
class Key:
    """public: one line in OpenSSH format; private: file, None when only the caller has it."""

    public: str
    private: Path | None


def default_directory(run: str) -> Path:
    """Where a run's private key lives."""
    state = os.environ.get('XDG_STATE_HOME') or '~/.local/state'
    return Path(state).expanduser() / 'scs-ci' / run


def given(path: Path) -> Key:
    """The key of a public key file; its private half is used when it lies beside it."""
    try:
        public = path.read_text(encoding='utf-8').strip()
    except OSError as error:
        raise UsageProblem(
            'cannot read', f'public key {path}', error.strerror or str(error), 'give an existing file'
        ) from error
    if len(public.split()) < 2 or 'PRIVATE' in public:
        raise UsageProblem('cannot use', f'public key {path}', 'not in OpenSSH public key format', 'give the .pub file')
    private = path.with_suffix('')
    return Key(public, private if path.suffix == '.pub' and private.is_file() else None)


def generated(directory: Path, own: Names) -> Key:
    """The run's own key: the one in the directory, or a new Ed25519 key (0600)."""
    private, public = directory / 'id_ed25519', directory / 'id_ed25519.pub'
    if private.is_file() and public.is_file():
        return Key(public.read_text(encoding='utf-8').strip(), private)
    secret, line = _pair(own.prefix)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ToolProblem(
            'cannot make', f'key directory {directory}', error.strerror or str(error), 'choose another with --key-dir'
        ) from error
    write_atomic(private, secret, 0o600)
    write_atomic(public, line + '\n')
    return Key(line, private)


def _pair(comment: str) -> tuple[bytes, str]:
    try:
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise ToolProblem('cannot import', 'library cryptography', str(error), 'install it for this Python') from error
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
    public = key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH).decode()
    return secret, f'{public} {comment}'
