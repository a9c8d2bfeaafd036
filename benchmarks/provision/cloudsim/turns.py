"""Virtual time for threads: they take turns, one runs at a time, and time goes on when all of them wait.

Work itself takes no time; only sleeping does. So a run is as deterministic as with one thread, and the seconds are
those that the same work would take with real threads on a machine that is fast enough.
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

# Real seconds that a thread waits for its turn. Whoever holds it computes and never blocks, so even a starved machine
# needs a fraction; longer means that it waits for something real, e.g. a lock whose owner waits for its turn.
STUCK = 120.0
# Far ahead: keystoneauth compares the end of a token with the real calendar, and would log in again and again.
EPOCH = datetime.datetime(2126, 11, 27, 12, tzinfo=datetime.UTC)
REAL_EVENT = threading.Event


class Stuck(AssertionError):
    """No thread can go on: a mistake of the code under test or of the simulator."""


class Killed(BaseException):
    """The process was killed; as with kill -9, nothing it does afterwards reaches the cloud."""


@dataclass(eq=False)
class Task:
    """One thread. go: a lock that is held, and released when it is its turn; threads change ten thousand times."""

    name: str
    go: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.go.acquire()


class Turns:
    """The clock and who is next. It is also a `Clock` of scs_ci."""

    def __init__(self) -> None:
        self.time = 0.0
        self.jump = 0.0  # seconds by which the calendar is wrong, as after a correction of the system's clock
        self.dead = False
        self._order = itertools.count()
        self._sleeping: list[tuple[float, int, Task]] = []
        self._ready: collections.deque[Task] = collections.deque()
        self._waiting: list[tuple[Callable[[], bool], Task]] = []
        self._local = threading.local()

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime.datetime:
        return EPOCH + datetime.timedelta(seconds=self.time + self.jump)

    def services(self) -> datetime.datetime:
        """What the clocks of the services say, which do not jump."""
        return EPOCH + datetime.timedelta(seconds=self.time)

    def sleep(self, seconds: float) -> None:
        """Let others run until `seconds` are over. Killed when the process is dead before or then."""
        self.check()
        heapq.heappush(self._sleeping, (self.time + max(seconds, 0.0), next(self._order), self._me()))
        self._pause()
        self.check()

    def skip(self, seconds: float) -> None:
        """Let time pass without giving the turn away: for what is done under a lock that other threads want."""
        self.check()
        self.time += seconds

    def until(self, done: Callable[[], bool]) -> None:
        """Let others run until done() is true; it is asked when a piece of work ends."""
        if not done():
            self._waiting.append((done, self._me()))
            self._pause()

    def notify(self) -> None:
        """A piece of work ended: whoever waits for it may go on."""
        ready = [pair for pair in self._waiting if pair[0]()]
        self._waiting = [pair for pair in self._waiting if pair not in ready]
        self._ready.extend(task for _, task in ready)

    def spawn(self, work: Callable[[], None], name: str) -> None:
        """Run work() in a thread when it is its turn."""
        task = Task(name)

        def run() -> None:
            self._local.task = task
            task.go.acquire()
            try:
                work()
            finally:
                self._next()

        Thread(target=run, name=name, daemon=True).start()
        self._ready.append(task)

    def kill(self) -> None:
        """From now on nothing but the end: every sleep and request raises Killed."""
        self.dead = True
        self.check()

    def check(self) -> None:
        if self.dead:
            raise Killed

    def revive(self) -> None:
        """A new process begins. Only when the threads of the old one have ended."""
        if self._sleeping or self._ready or self._waiting:
            raise Stuck('threads of the killed process still wait')
        self.dead = False

    def _me(self) -> Task:
        if not hasattr(self._local, 'task'):
            self._local.task = Task(threading.current_thread().name)
        task: Task = self._local.task
        return task

    def _pause(self) -> None:
        self._next()
        if not self._me().go.acquire(timeout=STUCK):
            raise Stuck(f'{self._me().name} never got its turn: another thread waits for something real')

    def _next(self) -> None:
        if self._ready:
            self._ready.popleft().go.release()
        elif self._sleeping:
            time, _, task = heapq.heappop(self._sleeping)
            self.time = max(self.time, time)
            task.go.release()
        elif self._waiting:
            raise Stuck(f'{", ".join(task.name for _, task in self._waiting)} wait for each other')


class Thread(threading.Thread):
    """A real thread, also while threading.Event is the one below: Python waits with an event until it runs."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._started = REAL_EVENT()


class Event:
    """threading.Event whose waiters give their turn away; without a time limit."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.flag = turns, False

    def is_set(self) -> bool:
        return self.flag

    def set(self) -> None:
        self.flag = True
        self.turns.notify()

    def clear(self) -> None:
        self.flag = False

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None:
            raise NotImplementedError('a limit of real seconds means nothing here')
        self.turns.until(self.is_set)
        return True


class Future(concurrent.futures.Future[Any]):
    """A future whose waiters give their turn away."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.turns = turns

    def result(self, timeout: float | None = None) -> Any:
        self.turns.until(self.done)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.turns.until(self.done)
        return super().exception(0)


class Executor:
    """concurrent.futures.ThreadPoolExecutor on Turns."""

    def __init__(
        self, turns: Turns, max_workers: int | None = None, thread_name_prefix: str = 'pool', **_: object
    ) -> None:
        self.turns, self.most, self.prefix = turns, max_workers or 8, thread_name_prefix or 'pool'
        self.queue: collections.deque[tuple[Future, Callable[[], Any]]] = collections.deque()
        self.workers, self.number = 0, itertools.count()

    def submit(self, work: Callable[..., Any], /, *words: Any, **named: Any) -> Future:
        future = Future(self.turns)
        self.queue.append((future, lambda: work(*words, **named)))
        if self.workers < self.most:
            self.workers += 1
            self.turns.spawn(self._work, f'{self.prefix}-{next(self.number)}')
        return future

    def map(self, work: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        futures = [self.submit(work, *words) for words in zip(*items, strict=False)]
        return (future.result() for future in futures)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for future, _ in self.queue:
                future.cancel()
            self.turns.notify()
        if wait:
            self.turns.until(lambda: self.workers == 0)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _work(self) -> None:
        while self.queue:
            future, work = self.queue.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 the future carries it to whoever asks, as the real one does
                future.set_exception(error)
            self.turns.notify()
        self.workers -= 1
        self.turns.notify()


def wait(futures: Iterable[Future], timeout: float | None = None, return_when: str = 'ALL_COMPLETED') -> Any:
    """concurrent.futures.wait for futures of an Executor; without a time limit."""
    if timeout is not None:
        raise NotImplementedError('a limit of real seconds means nothing here')
    every = set(futures)
    # counted as they end: to ask a thousand futures whenever one of them ends takes minutes
    done, failed = set[Future](), set[Future]()

    def ended(future: Any) -> None:
        done.add(future)
        if not future.cancelled() and future.exception():
            failed.add(future)

    def enough() -> bool:
        early = {'FIRST_COMPLETED': bool(done), 'FIRST_EXCEPTION': bool(failed)}
        return len(done) == len(every) or early.get(return_when, False)

    for future in every:
        future.add_done_callback(ended)
    if every:
        next(iter(every)).turns.until(enough)
    return concurrent.futures._base.DoneAndNotDoneFutures(set(done), every - done)  # type: ignore[attr-defined]


def as_completed(futures: Iterable[Future], timeout: float | None = None) -> Iterator[Future]:
    """concurrent.futures.as_completed for futures of an Executor; without a time limit."""
    if timeout is not None:
        raise NotImplementedError('a limit of real seconds means nothing here')
    every, ended = list(dict.fromkeys(futures)), collections.deque[Any]()
    for future in every:
        future.add_done_callback(ended.append)
    for _ in every:
        every[0].turns.until(lambda: bool(ended))
        yield ended.popleft()
