"""Time as a dependency: a clock that can be replaced, and the one loop that waits."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar('T')


class Clock(Protocol):
    """Source of time; seconds."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime.datetime: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Expired(Exception):
    """A wait ended without success. seconds: how long it waited."""

    def __init__(self, what: str, seconds: float) -> None:
        self.what, self.seconds = what, seconds
        super().__init__(f'{what}: not within {seconds:.0f} s')


def wait(
    poll: Callable[[], T | None],
    seconds: float,
    what: str,
    *,
    pause: float = 1.0,
    clock: Clock | None = None,
) -> T:
    """Call poll() until it returns something true and return that; raise Expired after `seconds`.

    poll is called at least twice, at the start and once at the deadline, so a slow last pause loses nothing.
    """
    clock = clock or SystemClock()
    deadline = clock.monotonic() + seconds
    while True:
        value = poll()
        if value:
            return value
        left = deadline - clock.monotonic()
        if left <= 0:
            raise Expired(what, seconds)
        clock.sleep(min(pause, left))
