"""Progress of nodes for people who watch: a table that changes in place on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from ..core.clock import Clock, SystemClock
from ..core.progress import Progress
from ..core.redact import Redactor

Say = Callable[[str, str], None]
REFRESHES = 4  # of the table per second: seconds count visibly, and a slow terminal keeps up


class Board:
    """What was said last of each subject, with the time of that. Pure but for the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.start = clock, clock.monotonic()
        self.rows: dict[str, tuple[str, float]] = {}
        self.lock = threading.Lock()

    def say(self, text: str, subject: str) -> None:
        with self.lock:
            if self.rows.get(subject, ('', 0.0))[0] != text:
                self.rows[subject] = (text, self.elapsed())

    def elapsed(self) -> float:
        return self.clock.monotonic() - self.start

    def lines(self) -> list[tuple[str, str, str]]:
        """Subject, text and when that was said; the run itself, which has no name, comes first."""
        with self.lock:
            return [(subject or 'run', text, f'{at:.1f} s') for subject, (text, at) in sorted(self.rows.items())]


@contextlib.contextmanager
def progress(stream: TextIO | None = None, clock: Clock | None = None, plain: bool = False) -> Iterator[Say]:
    """A function say(text, subject) for the block: the table on a terminal, lines elsewhere or when plain is wanted."""
    stream, clock = stream or sys.stderr, clock or SystemClock()
    console = None if plain else _console(stream)
    if console is None:
        yield Progress(stream, clock=clock, redactor=Redactor()).say
        return
    from rich.live import Live

    board = Board(clock)
    with Live(console=console, refresh_per_second=REFRESHES, get_renderable=lambda: _table(board)):
        yield board.say


def _console(stream: TextIO) -> Any | None:
    """A console of rich; None where nobody watches, where the terminal cannot go back, or without the library."""
    try:
        from rich.console import Console
    except ImportError:  # hosts that only run modules do not have it
        return None
    console = Console(file=stream)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def _table(board: Board) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title=f'{board.elapsed():.0f} s', title_justify='left')
    for name in ('node', 'state', 'since'):
        table.add_column(name)
    for row in board.lines():
        table.add_row(*(Text(cell) for cell in row))  # text of clouds is no markup
    return table
