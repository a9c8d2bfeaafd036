"""Threads end when the main thread is interrupted, however long they wanted to wait."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from scs_ci.cloud.parallel import StoppableClock, each
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
