"""Hits of rules that read rendered objects: the line of an object becomes a place in the source."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ..core.records import Severity
from .model import Stack
from .objects import Object
from .rule import Hit


def at(
    stack: Stack,
    found: Object,
    line: int,
    message: str,
    *,
    seen: str | None = None,
    wanted: str | None = None,
    severity: Severity | None = None,
) -> Hit:
    """A hit at a line of the rendering that the object is in."""
    place = found.template.place(stack, line)
    return Hit(place.file, place.line, message, seen=seen, wanted=wanted, severity=severity)


def nearest(name: str, names: Iterable[str]) -> str:
    """`, did you mean x?` when one of the names is like it, else ''."""
    close = difflib.get_close_matches(name, list(names), 1)
    return f', did you mean {close[0]}?' if close else ''
