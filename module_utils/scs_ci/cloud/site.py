"""What everything that provisions needs: which cloud, whose run, until when, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..core.clock import Clock
from ..core.naming import Names
from . import observe, parallel
from .connect import Cloud
from .marks import Mark
from .model import Server

THREADS = 10  # requests in flight: what nodepool found bearable for a cloud's API
POLL = 2.5  # s between two lists; shorter ones slow Nova down more than they gain, longer ones wait in vain


@dataclass(frozen=True)
class Site:
    """One call of provisioning. start: of clock.monotonic(); the limit of the call is the clock's deadline."""

    cloud: Cloud
    own: Names
    mark: Mark
    clock: parallel.StoppableClock
    say: Callable[[str, str], None]
    start: float

    @property
    def sdk(self) -> Any:
        return self.cloud.sdk

    @property
    def late(self) -> bool:
        return self.clock.monotonic() > self.clock.deadline

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the call."""
        return round(self.clock.monotonic() - self.start, 2)

    def servers(self) -> list[Server]:
        """All servers with the run's prefix, whoever made them."""
        return observe.servers(self.cloud, f'{self.own.prefix}-', self.clock)

    def each(self, work: Callable[[str], Any], items: Iterable[str]) -> list[Any]:
        """All of them, also when one fails: what was asked for must be known before the first problem is reported."""
        return parallel.each(work, items, THREADS, self.clock)


def site(cloud: Cloud, own: Names, mark: Mark, clock: Clock, say: Callable[[str, str], None], seconds: float) -> Site:
    """A site whose limit is `seconds` from now."""
    start = clock.monotonic()
    return Site(cloud, own, mark, parallel.StoppableClock(clock, start + seconds), say, start)
