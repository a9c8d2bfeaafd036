"""Repeating requests: reads freely, creations only after looking for what the lost answer may have made."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TypeVar

from ..core.clock import Clock, SystemClock
from . import failures, parallel

T = TypeVar('T')
# A minute in all: outlasts the restart of an API service and a network that is cut for half of it; longer outages are
# an error of their own.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
LONGEST = 30.0  # a larger Retry-After is cut: the caller's deadline matters more than the cloud's wish
# A pause gets up to a quarter longer, never shorter: ten threads that were refused at once must not come back at once.
JITTER = 0.25
CHANCE = random.Random()  # spreads requests, protects nothing


def reading(request: Callable[[], T], clock: Clock | None = None) -> T:
    """A request without side effects, repeated when refused for now or lost."""
    clock = clock or SystemClock()
    for pause in PAUSES:
        try:
            return request()
        except failures.sdk_errors() as error:
            if not (failures.is_again(error) or failures.is_lost(error)) or not _pause(error, pause, clock):
                raise
    return request()


def deleting(request: Callable[[], T], clock: Clock | None = None) -> T:
    """A deletion may be repeated like a read: the second one finds nothing, which is success to the caller."""
    return reading(request, clock)


def creating(request: Callable[[], T], find: Callable[[], T | None], clock: Clock | None = None) -> T:
    """A creation. When its answer was lost, find() looks for the object by name and mark before it is repeated."""
    clock = clock or SystemClock()
    for pause in (*PAUSES, None):
        try:
            return request()
        except failures.sdk_errors() as error:
            lost = failures.is_lost(error)
            if pause is None or not (lost or failures.is_again(error)) or not _pause(error, pause, clock):
                raise
            # only a lost answer can have made something; a 429 was refused before anything happened
            if lost and (found := reading(find, clock)) is not None:
                return found
    raise AssertionError('unreachable: the last round returns or raises')


def _pause(error: Exception, pause: float, clock: Clock) -> bool:
    """Sleep before the next attempt; False, at once, when the caller's deadline would pass meanwhile."""
    wanted = failures.retry_after(error)
    seconds = min(pause if wanted is None else wanted, LONGEST) * (1 + CHANCE.random() * JITTER)
    deadline = clock.deadline if isinstance(clock, parallel.StoppableClock) else math.inf
    if clock.monotonic() + seconds > deadline:
        return False
    clock.sleep(seconds)
    return True
