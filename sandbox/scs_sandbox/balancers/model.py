"""What a load balancer is to be, read from the requests of the driver, and where its files are. Standard library only:
the driver in Octavia imports this file, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from ..machines.model import IDENTIFIER


@dataclass(frozen=True)
class Balancer:
    """ports: ids of the ports with its addresses. filtered: whether their security groups apply. config: of HAProxy,
    None while there is nothing to listen for.
    """

    id: str
    ports: tuple[str, ...]
    filtered: bool
    config: str | None

    @property
    def digest(self) -> str:
        """Of the configuration; a running proxy is asked for it."""
        return hashlib.sha256((self.config or '').encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Place:
    """Files of the load balancers of a sandbox. state: its directory."""

    state: Path
    id: str

    @property
    def parent(self) -> Path:
        """Holds all of them."""
        return self.state / 'balancers'

    @property
    def directory(self) -> Path:
        """Of this one."""
        return self.parent / self.id

    @property
    def config(self) -> Path:
        """The configuration that the proxy runs with."""
        return self.directory / 'haproxy.cfg'

    @property
    def record(self) -> Path:
        """Its process, see machines.process.record."""
        return self.directory / 'process.json'

    @property
    def log(self) -> Path:
        """What the proxy says about itself."""
        return self.directory / 'haproxy.log'

    @property
    def members(self) -> Path:
        """State of the members, kept over a change of the configuration. Octavia's template has this name in it."""
        return self.directory / 'servers-state'

    @property
    def socket(self) -> Path:
        """Commands of HAProxy. Short, because such a path may have about 90 characters."""
        return self.parent / f'{self.id.replace("-", "")[:13]}.sock'


def parse_balancers(data: Any) -> tuple[Balancer, ...]:
    """Load balancers from a request. Raises SandboxError when a field is missing or cannot be."""
    try:
        return tuple(map(_balancer, data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SandboxError(
            'cannot read', 'load balancers', f'{type(error).__name__}: {error}', 'correct the driver that sent them'
        ) from error


def _balancer(data: Mapping[str, Any]) -> Balancer:
    identifier = str(data['id'])
    if not IDENTIFIER.fullmatch(identifier):
        raise ValueError(f'{identifier!r} is no id')
    config = data.get('config') or None
    return Balancer(identifier, tuple(map(str, data['ports'])), bool(data.get('filtered', True)), config)
