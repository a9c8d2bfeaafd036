"""Open a database of a service from outside, with errors that say which and what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import SandboxError

BUSY = 60.0  # seconds; a service that runs holds a lock for milliseconds


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit mode, closed at the end. What SQLite complains about becomes a SandboxError."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY, isolation_level=None)) as link:
            yield link
    except sqlite3.Error as error:
        advice = 'look at the free space of its disk; then scs-sandbox down and up'
        raise SandboxError('cannot change database', str(path), str(error), advice) from error
