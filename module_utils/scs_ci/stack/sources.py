"""Reading a stack directory: the only place of this room that walks a checkout."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from ..core.errors import ProductProblem, UsageProblem

# The largest real stack has 1.5 MB; ten times the largest vendored chart is no chart anymore.
MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 5_000
PIECE = 1 << 20


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, hidden ones included: path with `/` below root -> content, sorted.

    A symlink to a file counts with the content of its target, as csctl does it; one to a directory, a broken one, or a
    name with a newline is a ProductProblem, for csctl cannot hash such a tree either.
    """
    found: dict[str, bytes] = {}
    size = 0
    for place in _entries(root):
        name = place.relative_to(root).as_posix()
        if '\n' in name:
            raise _refused(root, name, 'a newline in the name', 'rename it')
        if not place.is_file():
            raise _refused(root, name, 'neither a regular file nor a link to one', 'remove it')
        content = read_file(place, MOST_BYTES - size)
        size += len(content) if content is not None else 0
        if content is None or len(found) >= MOST_FILES:
            limit = f'more than {MOST_BYTES >> 20} MiB or {MOST_FILES} files'
            raise _refused(root, name, limit, 'is something in the stack directory that does not belong there?')
        found[name] = content
    return dict(sorted(found.items()))


def _entries(root: Path) -> list[Path]:
    """Everything but directories, without following links."""
    found: list[Path] = []
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError as error:
            raise _unreadable(directory, error) from error
        for entry in entries:
            target = found if not entry.is_dir(follow_symlinks=False) else pending
            target.append(Path(entry.path))
    return found


def read_file(path: Path, most: int) -> bytes | None:
    """The content of a regular file, None when it has more than `most` bytes. UsageProblem when it cannot be read.

    What it says of its size is not believed: files of the kernel say 0, and some of them wait for more for ever.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(opened, 'rb', buffering=0) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > most:
                return None
            return _bounded(file, most)
    except OSError as error:
        raise _unreadable(path, error) from error


def _bounded(file: io.FileIO, most: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while part := file.read(min(PIECE, most + 1 - size)):
        size += len(part)
        parts.append(part)
        if size > most:
            return None
    if part is None:
        raise BlockingIOError(errno.EAGAIN, 'it waits for more')
    return b''.join(parts)


def _refused(root: Path, name: str, answer: str, advice: str) -> ProductProblem:
    return ProductProblem('cannot read', f'stack {root.name}, file {name!r}', answer, advice)


def _unreadable(path: Path, error: OSError) -> UsageProblem:
    return UsageProblem('cannot read', str(path), error.strerror or str(error), 'fix its permissions or the path')
