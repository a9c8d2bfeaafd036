"""A limit for work in this process: by its processor time, so that a busy machine ends nothing that is innocent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OverLimit(Exception):
    """The work in a block took too long."""


@contextmanager
def processor_limit(seconds: float) -> Iterator[None]:
    """Raise OverLimit in the block when it has taken so many seconds of the processor; not nested.

    Only the main thread can be interrupted; in others there is no limit. Searching by a regular expression is, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: object) -> None:
        raise OverLimit(f'no end within {seconds:g} s of the processor')

    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
