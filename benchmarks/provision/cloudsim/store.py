"""What is in the cloud: objects by kind as the APIs show them, and what happens to them later without being asked."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .turns import Turns
from .wire import Body, Refused

SPACE = uuid.UUID('6ba7b812-9dad-11d1-80b4-00c04fd430c8')
PROJECT, OTHER = uuid.uuid5(SPACE, 'project').hex, uuid.uuid5(SPACE, 'another project').hex
USER = uuid.uuid5(SPACE, 'user').hex


@dataclass
class Quota:
    """Most objects of the project by kind."""

    servers: int = 5000
    cores: int = 20000
    ports: int = 5000
    floating_ips: int = 5000
    networks: int = 100
    volumes: int = 5000
    load_balancers: int = -1
    addresses: int = 65000  # free ones of the external network, which no quota names


@dataclass
class Settings:
    """What the cloud is like. Seconds: rtt of each request, boot and delete of a server, port until it is listed.

    page: objects in one answer of Nova and Cinder; images: of Glance, whose default is low. hosts: that take servers.
    """

    rtt: float = 0.05
    boot: float = 30.0
    delete: float = 6.0
    port: float = 1.0
    page: int = 1000
    images: int = 25
    hosts: int = 3
    zones: tuple[str, ...] = ('az1', 'az2', 'az3')
    quota: Quota = field(default_factory=Quota)


@dataclass
class Troubles:
    """Faults of the machinery behind the APIs; patterns are of names, '' for none.

    full: (zone, flavor name) without a free host, '' fits all. stuck: seconds that a deletion takes. capacity: GB of
    all volumes, 0 for plenty. bad_hosts: how many hosts fail before one boots a server; 0: no other one is tried.
    """

    spawn_error: str = ''
    bad_hosts: int = 0
    destroy_error: str = ''
    destroy_hang: str = ''
    stuck: float = 0.0
    full: list[tuple[str, str]] = field(default_factory=list)
    volume_error: str = ''
    volume_destroy_error: str = ''
    capacity: int = 0
    balancer: float = 0.5


class Store:
    """Objects by kind and identity."""

    def __init__(self, turns: Turns, settings: Settings) -> None:
        self.turns, self.settings, self.troubles = turns, settings, Troubles()
        self.kinds: dict[str, dict[str, Body]] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)

    def advance(self) -> None:
        """Let happen what is due."""
        while self._events and self._events[0][0] <= self.turns.time:
            heapq.heappop(self._events)[2]()

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.turns.time + seconds, next(self._numbers), event))

    def identity(self) -> str:
        """A new one; the same ones in the same order at every run."""
        return str(uuid.uuid5(SPACE, str(next(self._numbers))))

    def address(self, first: str) -> str:
        """The next address below a prefix of two numbers, e.g. 10.254."""
        number = next(self._numbers)
        return f'{first}.{number // 250 % 250 + 1}.{number % 250 + 1}'

    def stamp(self) -> str:
        return self.turns.now().strftime('%Y-%m-%dT%H:%M:%SZ')

    def add(self, kind: str, item: Body, identity: str = '') -> Body:
        made = {'id': identity or self.identity(), **item}
        self.kinds.setdefault(kind, {})[made['id']] = made
        return made

    def remove(self, kind: str, item: Body, seconds: float) -> None:
        """Let the object be gone after some seconds."""

        def gone() -> None:
            self.of(kind).pop(item['id'], None)

        self.later(seconds, gone)

    def of(self, kind: str) -> dict[str, Body]:
        return self.kinds.setdefault(kind, {})

    def find(self, kind: str, **wanted: Any) -> Iterator[Body]:
        return (item for item in self.of(kind).values() if wanted.items() <= item.items())

    def get(self, kind: str, identity: str, error: str) -> Body:
        """The object, or the refusal that a service gives for a missing one."""
        found = self.of(kind).get(identity)
        if found is None:
            raise Refused(404, error, f'{kind} {identity} could not be found.')
        return found

    def mine(self, kind: str) -> int:
        """Number of the project's own objects."""
        return sum(item.get('project_id', item.get('tenant_id', PROJECT)) == PROJECT for item in self.of(kind).values())

    def everything(self) -> set[tuple[str, str]]:
        """Kind and identity of everything that stays; security group rules come and go with their group."""
        return {(kind, identity) for kind, items in self.kinds.items() for identity in items}
