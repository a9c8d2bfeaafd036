"""Reading a stack directory: the only place of this room that walks a checkout."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import ProductProblem, UsageProblem

# The largest real stack has 1.5 MB; ten times the largest vendored chart is no chart anymore.
MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 5_000


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
        size += _size(place)
        if size > MOST_BYTES or len(found) >= MOST_FILES:
            limit = f'more than {MOST_BYTES >> 20} MiB or {MOST_FILES} files'
            raise _refused(root, name, limit, 'is something in the stack directory that does not belong there?')
        found[name] = _content(place)
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _refused(root: Path, name: str, answer: str, advice: str) -> ProductProblem:
    return ProductProblem('cannot read', f'stack {root.name}, file {name!r}', answer, advice)


def _unreadable(path: Path, error: OSError) -> UsageProblem:
    return UsageProblem('cannot read', str(path), error.strerror or str(error), 'fix its permissions or the path')
