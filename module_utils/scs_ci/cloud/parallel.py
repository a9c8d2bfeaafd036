"""Work in threads that Ctrl-C can end: Python waits for its threads, so they must notice it."""

from __future__ import annotations

import concurrent.futures
import datetime
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ..core.clock import Clock
from ..core.errors import InfrastructureProblem

T = TypeVar('T')
R = TypeVar('R')


class StoppableClock:
    """A clock whose sleeps end in a Problem once it is stopped. Every wait of a thread sleeps, so every thread ends.

    deadline: of clock.monotonic(); requests that are repeated give up when it would pass before the next attempt.
    """

    def __init__(self, clock: Clock, deadline: float = math.inf) -> None:
        self.clock, self.stopped, self.deadline = clock, False, deadline

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def now(self) -> datetime.datetime:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        """Sleep; InfrastructureProblem when stopped before or meanwhile."""
        if not self.stopped:
            self.clock.sleep(seconds)
        if self.stopped:
            raise InfrastructureProblem('stopped', 'waiting', 'interrupted', "run it again, or 'scs-ci purge'")


def each(work: Callable[[T], R], items: Iterable[T], threads: int, clock: StoppableClock) -> list[R]:
    """Results of work(item), in order. All items are worked on; then the first problem is raised."""
    todo = list(items)
    if not todo:
        return []
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(threads, len(todo))) as pool:
        return _ended(pool, [pool.submit(work, item) for item in todo], clock)


def after_others(
    work: Callable[[T, bool], R], items: Iterable[T], others: Mapping[T, Iterable[T]], clock: StoppableClock
) -> list[R]:
    """As each(), with a thread per item that begins when the work on those that `others` names has ended.

    These have to stand before it among the items. work gets the item, and whether it had to wait for any.
    """
    todo = list(items)
    futures: dict[T, concurrent.futures.Future[R]] = {}

    def begin(item: T, holders: list[concurrent.futures.Future[R]]) -> R:
        concurrent.futures.wait(holders)  # they end: each of their waits has a limit
        clock.sleep(0)  # ends this thread, too, when all was interrupted meanwhile
        return work(item, bool(holders))

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(todo))) as pool:
        for item in todo:
            holders = [futures[other] for other in others.get(item, ()) if other in futures]
            futures[item] = pool.submit(begin, item, holders)
        return _ended(pool, list(futures.values()), clock)


def _ended(
    pool: concurrent.futures.Executor, futures: list[concurrent.futures.Future[R]], clock: StoppableClock
) -> list[R]:
    try:
        concurrent.futures.wait(futures)
    except BaseException:
        clock.stopped = True
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    return [future.result() for future in futures]
