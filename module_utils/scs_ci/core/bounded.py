"""Child processes with bounds for memory and output, which work while this process does something else."""

from __future__ import annotations

import math
import os
import resource
import select
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import TimeoutProblem, ToolProblem
from .process import Completed

# How programs say that they had not enough, those written in Go and others.
MEMORY, OUTPUT = 'memory', 'output'
EXCESS = {MEMORY: ('out of memory', 'cannot allocate memory'), OUTPUT: ('sigxfsz', 'file too large')}


@dataclass(frozen=True)
class Limits:
    """What a child may take: seconds from its start; bytes of memory and output, beyond which it gets no more."""

    seconds: float
    memory: int
    output: int


class Running:
    """A child that was started by `begin`. It does not outlive this object, nor this process."""

    def __init__(
        self, name: str, child: subprocess.Popen[str], printed: tuple[IO[str], IO[str]], seconds: float
    ) -> None:
        self._name, self._child, self._printed, self._seconds = name, child, printed, seconds
        self._until = time.monotonic() + seconds
        self._end = weakref.finalize(self, _kill, child)

    @property
    def pid(self) -> int:
        return self._child.pid

    def ended(self) -> Completed:
        """Wait for its end and return what happened; TimeoutProblem when there is none in time."""
        try:
            done = _waited(self._child, self._until)
        finally:
            self._end()
        if not done:
            answer = f'no end within {self._seconds:.0f} s'
            raise TimeoutProblem('gave up on', f'program {self._name}', answer, 'see its log, raise the limit')
        stdout, stderr = (_read(file) for file in self._printed)
        return Completed((self._name,), self._child.returncode, stdout, stderr)


def begin(
    argv: Sequence[str | Path],
    limits: Limits,
    *,
    stdin: str = '',
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Running:
    """Start a child. What it reads and prints are files: nobody has to feed it, and the system bounds files."""
    words = tuple(str(word) for word in argv)
    # those for the output live as long as the child
    given, out, err = (_file() for _ in range(3))
    with given:
        given.write(stdin)
        given.seek(0)
        try:
            child = subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                stdin=given,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
                # in the child, before it becomes the program: afterwards it might have begun already
                preexec_fn=lambda: _limit(limits),
            )
        except OSError as error:
            answer = error.strerror or str(error)
            raise ToolProblem('cannot start', f'program {words[0]}', answer, 'install it') from error
    return Running(words[0], child, (out, err), limits.seconds)


def _file() -> IO[str]:
    return tempfile.TemporaryFile('w+', errors='replace', encoding='utf-8')


def _limit(limits: Limits) -> None:
    """The time is what all processors together can give it: it ends also when nobody is left who waits for it."""
    processor = math.ceil(limits.seconds) * (os.cpu_count() or 1)
    wanted = {
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.output,
        resource.RLIMIT_CPU: processor,
    }
    for what, most in wanted.items():
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def excess(done: Completed) -> str:
    """What a child had too little of, MEMORY or OUTPUT; '' when it had enough."""
    if not done.code:
        return ''
    said = done.stderr.lower()
    return next((kind for kind, words in EXCESS.items() if any(word in said for word in words)), '')


def _waited(child: subprocess.Popen[str], until: float) -> bool:
    """Whether it ends in time. Popen.wait would look twenty times a second, and half of that is lost at every end."""
    if child.poll() is None:
        descriptor = os.pidfd_open(child.pid)
        try:
            select.select([descriptor], [], [], max(until - time.monotonic(), 0))
        finally:
            os.close(descriptor)
    return child.poll() is not None


def _kill(child: subprocess.Popen[str]) -> None:
    """The whole group, and nothing when it has ended."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _read(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()
