"""The agent's load balancers: desired state on disk, proxies in the world."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..balancers import proxy
from ..balancers.model import Balancer, Place, parse_balancers
from ..errors import SandboxError
from .store import Store

REGION = re.compile(r'[A-Za-z0-9_-]{1,64}')

log = logging.getLogger('scs_sandbox.agent')


class Balancers:
    """Load balancers of one sandbox; every method may be called by several threads at once."""

    def __init__(self, state: Path, sandbox: str, store: Store) -> None:
        self._state, self._sandbox, self._store = state, sandbox, store
        self._lock = threading.RLock()
        self._errors: dict[str, str] = {}

    def put(self, region: str, data: Sequence[Mapping[str, Any]]) -> tuple[Balancer, ...]:
        """Remember all load balancers of a region. Returns them. Raises SandboxError for malformed ones."""
        if not REGION.fullmatch(region):
            raise SandboxError('cannot read', f'region {region!r}', 'this is not a name', 'send the name of the region')
        parsed = parse_balancers(data)
        with self._lock:
            self._store.put_balancers(region, data)
        return parsed

    def desired(self) -> tuple[Balancer, ...]:
        """All that shall exist."""
        return parse_balancers(self._store.balancers())

    def prune(self) -> list[str]:
        """End proxies that shall not exist; before their namespaces go, for a process keeps its namespace alive."""
        with self._lock:
            wanted = {balancer.id for balancer in self.desired()}
            gone = [identifier for identifier in proxy.known(self._state) if identifier not in wanted]
            for identifier in gone:
                self._errors.pop(identifier, None)
            return self._say(change for identifier in gone for change in proxy.remove(Place(self._state, identifier)))

    def converge(self, unplugged: Mapping[str, str]) -> dict[str, str]:
        """Let all proxies run as they shall. unplugged: balancers without network, and why. Returns errors by id."""
        errors = dict(unplugged)
        with self._lock:
            for balancer in self.desired():
                if balancer.id not in unplugged and (error := self._one(balancer)):
                    errors[balancer.id] = error
            self._errors = errors
        return errors

    def watch(self) -> None:
        """Start proxies again that ended by themselves. Called every second."""
        with self._lock:
            for balancer in self.desired():
                place = Place(self._state, balancer.id)
                if balancer.config and place.record.exists() and proxy.running(place) is None:
                    log.error('load balancer %s: its proxy ended by itself', balancer.id)
                    self._one(balancer)

    def status(self) -> list[dict[str, Any]]:
        """Everything known, for people."""
        rows = []
        for balancer in self.desired():
            process = proxy.running(Place(self._state, balancer.id))
            rows.append(
                {
                    'id': balancer.id,
                    'pid': process.pid if process else None,
                    'error': self._errors.get(balancer.id),
                }
            )
        return rows

    def _one(self, balancer: Balancer) -> str | None:
        try:
            self._say(proxy.converge(self._state, self._sandbox, balancer))
        except (SandboxError, OSError) as error:
            log.error('%s', error)
            return str(error)
        return None

    @staticmethod
    def _say(changes: Any) -> list[str]:
        found = list(changes)
        for change in found:
            log.info('%s', change)
        return found
