"""A runner's program as a child: everything into a log, a progress line per minute, bounded, stopped gently."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.clock import Clock
from ..core.errors import ToolProblem
from ..core.process import LAST_LINES
from .model import Say

# Seconds between looks at the child; a suite takes minutes.
LOOK = 1.0
# Seconds between lines of progress.
TELL = 60.0
# Beyond the suite's own limit: ginkgo stops the running specs then, gives each of their nodes 30 s to clean up, and
# writes the report; measured with one waiting spec: 90 s.
GRACE = 240.0
# After SIGINT, which has ginkgo stop the specs and write the report: as long again.
FAREWELL = 60.0


@dataclass(frozen=True)
class Ended:
    """code: negative for a signal. expired: it had to be stopped."""

    code: int
    expired: bool


def run(
    argv: Sequence[str | Path],
    log: Path,
    seconds: float,
    say: Say,
    clock: Clock,
    line: Callable[[str], str],
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run to the end. seconds: limit of the child, GRACE is added. line: progress in one line, from the log so far."""
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in argv]
    try:
        # appended: a runner of several steps keeps one log; its own session, so that the whole group can be ended
        with log.open('ab') as file:
            child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=log.parent,
                env=None if env is None else dict(env),
            )
    except OSError as error:
        answer = error.strerror or str(error)
        raise ToolProblem('cannot start', f'program {words[0]}', answer, 'install it or name its directory') from error
    try:
        expired = not _await(child, seconds + GRACE, say, clock, lambda: line(text(log)))
    except BaseException:  # also Ctrl-C: no child may survive its parent
        _signal(child, signal.SIGKILL)
        child.wait()
        raise
    _signal(child, signal.SIGKILL)  # what the program itself may have left in its group
    return Ended(child.wait(), expired)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it ended, without taking its number away: until then no other group can bear it."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _await(child: subprocess.Popen[bytes], seconds: float, say: Say, clock: Clock, line: Callable[[], str]) -> bool:
    """True when it ended by itself; else it was stopped, first so that it can still write its report."""
    start = told = clock.monotonic()
    while not _ended(child):
        now = clock.monotonic()
        if now - start > seconds:
            say(f'no end within {seconds:.0f} s, stopping it')
            _stop(child, clock)
            return False
        if now - told >= TELL:
            told = now
            say(f'{line()}, {now - start:.0f} s')
        clock.sleep(LOOK)
    return True


def _stop(child: subprocess.Popen[bytes], clock: Clock) -> None:
    os.kill(child.pid, signal.SIGINT)
    deadline = clock.monotonic() + FAREWELL
    while not _ended(child) and clock.monotonic() < deadline:
        clock.sleep(LOOK)


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    """To the whole group; it is ours also when the child itself has ended."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def text(log: Path) -> str:
    """The log so far; empty when there is none."""
    try:
        return log.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''


def last_words(log: Path) -> str:
    """The end of what the program said, for people."""
    lines = [line for line in text(log).splitlines() if line.strip()]
    return '\n'.join(lines[-LAST_LINES:]) or 'no output'
