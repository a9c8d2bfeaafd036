"""Repeating requests: reads freely, creations only after looking for what the lost answer may have made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..core.clock import Clock, SystemClock
from . import failures

T = TypeVar('T')
# 1 + 2 + 4 + 8 s of pauses outlast the restart of an API service behind a load balancer; longer outages are an error.
PAUSES = (1.0, 2.0, 4.0, 8.0)
LONGEST = 30.0  # a larger Retry-After is cut: the caller's deadline matters more than the cloud's wish


def reading(request: Callable[[], T], clock: Clock | None = None) -> T:
    """A request without side effects, repeated when refused for now or lost."""
    return _repeat(request, lambda error: failures.is_again(error) or failures.is_lost(error), clock)


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
            if pause is None or not (lost or failures.is_again(error)):
                raise
            clock.sleep(_pause(error, pause))
            # only a lost answer can have made something; a 429 was refused before anything happened
            if lost and (found := reading(find, clock)) is not None:
                return found
    raise AssertionError('unreachable: the last round returns or raises')


def _repeat(request: Callable[[], T], again: Callable[[Exception], bool], clock: Clock | None) -> T:
    clock = clock or SystemClock()
    for pause in PAUSES:
        try:
            return request()
        except failures.sdk_errors() as error:
            if not again(error):
                raise
            clock.sleep(_pause(error, pause))
    return request()


def _pause(error: Exception, pause: float) -> float:
    return min(failures.retry_after(error) or pause, LONGEST)
