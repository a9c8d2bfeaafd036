"""Threads end when the main thread is interrupted, however long they wanted to wait."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from scs_ci.cloud.parallel import StoppableClock, after_others, each
from scs_ci.core.clock import SystemClock
from scs_ci.core.errors import InfrastructureProblem

pytestmark = pytest.mark.unit


def test_results_in_order_and_the_first_problem_after_all_work() -> None:
    clock, done = StoppableClock(SystemClock()), []
    assert each(lambda n: n * 2, [3, 1, 2], 10, clock) == [6, 2, 4]
    assert each(lambda n: n, [], 10, clock) == []

    def work(number: int) -> None:
        done.append(number)
        if number < 3:
            raise KeyError(number)

    with pytest.raises(KeyError, match='1'):
        each(work, [1, 2, 3], 1, clock)
    assert done == [1, 2, 3]


def test_each_begins_after_those_that_hold_it_and_also_when_they_failed() -> None:
    clock, done = StoppableClock(SystemClock()), []
    holders = {'b': ('a',), 'c': ('b', 'x'), 'd': ('a', 'b', 'c')}

    def work(item: str, waited: bool) -> str:
        if item == 'a':
            time.sleep(0.2)
        done.append((item, waited))
        if item == 'b':
            raise KeyError(item)
        return item

    with pytest.raises(KeyError, match='b'):
        after_others(work, ['a', 'b', 'c', 'd'], holders, clock)
    assert done == [('a', False), ('b', True), ('c', True), ('d', True)]
    assert after_others(work, ['c', 'a'], holders, clock) == ['c', 'a']
    assert done[4:] == [('c', False), ('a', False)]
    assert after_others(work, [], holders, clock) == []


def test_who_waits_for_others_does_not_begin_after_an_interrupt() -> None:
    clock, begun = StoppableClock(SystemClock()), []

    def work(item: str, waited: bool) -> None:
        begun.append(item)
        clock.stopped = True

    with pytest.raises(InfrastructureProblem, match='interrupted'):
        after_others(work, ['a', 'b'], {'b': ('a',)}, clock)
    assert begun == ['a']


def test_an_interrupt_ends_waiting_threads() -> None:
    clock = StoppableClock(SystemClock())
    ended = threading.Event()

    def wait(_: int) -> None:
        try:
            for _ in range(3000):  # five minutes, if nobody ended it
                clock.sleep(0.1)
        except InfrastructureProblem:
            ended.set()
            raise

    # a shell that starts pytest in the background makes it ignore the signal
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            each(wait, [1, 2], 2, clock)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.wait(5)
    assert time.monotonic() - start < 30
