"""Secrets are replaced before any text leaves the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MASK = '********'
# Keys of clouds.yaml (and of what Keystone answers) whose values are secret, whatever their depth.
SECRET_KEYS = frozenset(
    {
        'password',
        'application_credential_secret',
        'secret',
        'token',
        'auth_token',
        'access_token',
        'client_secret',
        'passcode',
        'user_data',
        'admin_pass',
    }
)
# Shorter values ('demo', '1') would mask half of every log; such a password is no secret worth the name.
SHORTEST = 6


def secrets_of(value: Any) -> frozenset[str]:
    """All secret strings in a nested structure such as a parsed clouds.yaml."""
    if isinstance(value, Mapping):
        own = {v for k, v in value.items() if str(k).lower() in SECRET_KEYS and isinstance(v, str)}
        return frozenset(own).union(*(secrets_of(v) for v in value.values()))
    if isinstance(value, (list, tuple)):
        return frozenset().union(*(secrets_of(v) for v in value))
    return frozenset()


class Redactor:
    """Replaces known secrets in text and in nested data."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = tuple(sorted({s for s in secrets if len(s) >= SHORTEST}, key=len, reverse=True))

    def text(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, value: Any) -> Any:
        """A copy with secrets replaced, in strings and below secret keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                k: MASK if str(k).lower() in SECRET_KEYS and isinstance(v, str) else self.data(v)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.data(v) for v in value]
        return value
