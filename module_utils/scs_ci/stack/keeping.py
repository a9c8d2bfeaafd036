"""Answers of a program that says the same whenever it is asked the same, kept on disk from one check to the next."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..core import files
from ..core.errors import Problem
from ..core.process import Completed

# A checkout of today needs two answers of some kB for each stack; those that were of no use for longest go first.
MOST = 500
SUFFIX = '.z'


class Child(Protocol):
    """What is asked of bounded.Running."""

    def ended(self) -> Completed: ...


@dataclass(frozen=True)
class Kept:
    """The answer to one question. file: where it is kept, None where nothing is."""

    file: Path | None

    def asked(self, begin: Callable[[], Child], passing: str = '') -> Child:
        """A child with the answer: one that need not run, or the one that begins now. passing: see keeping()."""
        answer = self.answer()
        return Given(answer) if answer else self.keeping(begin(), passing)

    def answer(self) -> Completed | None:
        """As the program gave it, None when it has to be asked. A damaged file is as good as none."""
        if self.file is None:
            return None
        try:
            text = zlib.decompress(self.file.read_bytes()).decode()
            os.utime(self.file)
        except (OSError, zlib.error, UnicodeDecodeError):
            return None
        return Completed((self.file.name,), 0, text, '')

    def keeping(self, child: Child, passing: str = '') -> Child:
        """The child, whose answer is kept when it ends well; what failed may succeed at another time.

        passing: so do answers with these words, '' for none.
        """
        return _Keeping(self.file, child, passing) if self.file else child


@dataclass(frozen=True)
class Given:
    """A child that need not run."""

    done: Completed

    def ended(self) -> Completed:
        return self.done


@dataclass(frozen=True)
class _Keeping:
    file: Path
    child: Child
    passing: str

    def ended(self) -> Completed:
        done = self.child.ended()
        if not done.code and not (self.passing and self.passing in done.stdout):
            with suppress(Problem, OSError):  # a cache that cannot be written costs time, nothing else
                # charts make keys; they are of no cluster, but look like secrets
                files.write_atomic(self.file, zlib.compress(done.stdout.encode(), 1), 0o600)
                _tidy(self.file.parent)
        return done


def kept(directory: Path | None, question: str, programs: Iterable[Path], content: Iterable[bytes] = ()) -> Kept:
    """The answer to a question.

    programs: the program and what it reads, files or directories; changed ones answer anew.
    directory: None keeps nothing. content: of files that the question names.
    """
    if directory is None:
        return Kept(None)
    digest = hashlib.sha256(question.encode())
    try:
        digest.update(repr(tuple(_states(programs))).encode())
    except OSError:
        return Kept(None)  # without knowing who answers, no answer is the same
    for part in content:
        digest.update(part)
    return Kept(directory / f'{digest.hexdigest()}{SUFFIX}')


def _states(programs: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change of each file: to read them takes longer than to ask."""
    for place in programs:
        below = sorted(place.rglob('*')) if place.is_dir() else [place.resolve()]
        for file in below:
            state = file.stat()
            yield str(file), state.st_size, state.st_mtime_ns


def _tidy(directory: Path) -> None:
    """Not more than MOST answers."""
    with os.scandir(directory) as entries:
        found = [entry.path for entry in entries if entry.name.endswith(SUFFIX)]
    if len(found) > MOST:
        for path in sorted(found, key=os.path.getmtime)[: len(found) - MOST]:
            Path(path).unlink(missing_ok=True)
