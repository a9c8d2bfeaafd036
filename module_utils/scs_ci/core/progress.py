"""One line per change of state, with the elapsed time; never the same line twice in a row."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TextIO

from .clock import Clock, SystemClock
from .redact import Redactor


class Progress:
    """Writes to a stream and, when given, to progress.log; neither going away ever stops the work: a purge on a full
    disk has to delete. The log's failure is told once on the stream."""

    def __init__(
        self,
        stream: TextIO | None = None,
        log: Path | None = None,
        clock: Clock | None = None,
        redactor: Redactor | None = None,
        elapsed: float = 0.0,
    ) -> None:
        """elapsed: seconds that already count, for one of several processes that share a log."""
        self.stream = stream if stream is not None else sys.stderr
        self.log, self.clock, self.redactor = log, clock or SystemClock(), redactor or Redactor()
        self.start = self.clock.monotonic() - elapsed
        self.last: dict[str, str] = {}

    def say(self, text: str, subject: str = '') -> None:
        """Print and log `text` about `subject`, unless it is what was said of the subject last."""
        if self.last.get(subject) == text:
            return
        self.last[subject] = text
        head = f'{self.clock.monotonic() - self.start:7.1f}s  '
        line = self.redactor.text(f'{head}{subject}: {text}' if subject else f'{head}{text}')
        self._print(line)
        if self.log:
            self._log(self.log, line)

    def _print(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self.stream, flush=True)

    def _log(self, path: Path, line: str) -> None:
        try:
            # O_APPEND: several processes of one run write whole lines into the same file
            with path.open('a', encoding='utf-8') as file:
                file.write(line + '\n')
        except OSError as error:
            self.log = None
            self._print(f'cannot write file {path}: {error.strerror}; going on without this log')
