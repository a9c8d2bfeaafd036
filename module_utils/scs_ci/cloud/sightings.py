"""The janitor's memory between two calls: which expired runs it has seen in which project, and when first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core import files, shape
from ..core.errors import ToolProblem
from ..core.records import FORMAT
from .marks import is_time


@dataclass(frozen=True)
class Memory:
    """projects: id of a project to digits of a run to the time of its first sighting past its expiry."""

    projects: dict[str, dict[str, str]] = field(default_factory=dict)
    format: int = FORMAT


def default_file() -> Path:
    """Where it is remembered unless something else is said."""
    state = os.environ.get('XDG_STATE_HOME') or '~/.local/state'
    return Path(state).expanduser() / 'scs-ci' / 'janitor.json'


def read(path: Path, project: str) -> dict[str, str]:
    """Sightings in a project; none without the file. ToolProblem: the file is damaged."""
    found = _load(path).projects.get(project, {})
    for short, first in found.items():
        if not is_time(first):
            raise ToolProblem('cannot read', f'file {path}', f'run {short}: {first!r} is no time', 'delete the file')
    return found


def write(path: Path, project: str, found: Mapping[str, str]) -> None:
    """Replace the sightings of one project; those of others stay."""
    others = {name: seen for name, seen in _load(path).projects.items() if name != project}
    files.write_json(path, shape.dump(Memory({**others, project: dict(found)} if found else others)))


def _load(path: Path) -> Memory:
    try:
        return shape.load(Memory, files.read_json(path), f'file {path}')
    except FileNotFoundError:
        return Memory()
