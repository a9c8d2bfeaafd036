"""Writes the report; the only place of this room that changes anything."""

from __future__ import annotations

from pathlib import Path

from ..core import files
from ..core.errors import Problem
from .comment import comment
from .junit import junit
from .page import page
from .result import Result
from .verdict import verdict
from .zuul_return import zuul_return

DIRECTORY = 'report'


def differs(path: Path, result: Result) -> bool:
    """True when the verdict on disk is not that of the result (or unreadable): writing it would change something."""
    try:
        return bool(files.read_json(path / DIRECTORY / 'verdict.json') != verdict(result))
    except (FileNotFoundError, Problem):
        return True


def write(path: Path, result: Result, prefix: str = '') -> Path:
    """Write all forms below `<path>/report` and return that directory. verdict.json comes last: where it is, all is."""
    place = path / DIRECTORY
    files.write_atomic(place / 'comment.md', comment(result))
    files.write_atomic(place / 'junit.xml', junit(result))
    files.write_json(place / 'zuul_return.json', zuul_return(result, prefix))
    files.write_atomic(place / 'index.html', page(result))
    files.write_json(place / 'verdict.json', verdict(result))
    return place
