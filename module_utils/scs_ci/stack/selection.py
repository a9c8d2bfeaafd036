"""Choosing rules by name."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from ..core.errors import UsageProblem
from .rule import Rule


def choose(known: Sequence[str], select: Iterable[str], ignore: Iterable[str]) -> tuple[str, ...]:
    """The selected of the known ids, all without a selection, but not the ignored ones.

    Names may be globs, separated by commas.
    UsageProblem for a name that fits no rule, and when nothing is left: a check of nothing would be green.
    """
    wanted, unwanted = _names(known, select), _names(known, ignore)
    chosen = tuple(name for name in known if (not wanted or name in wanted) and name not in unwanted)
    if not chosen:
        raise UsageProblem('cannot check', 'with no rule', 'all are ignored', 'leave one of --select, --ignore out')
    return chosen


def find(rules: Sequence[Rule], name: str) -> Rule:
    """The rule of that name."""
    _names([rule.id for rule in rules], [name])
    found = next((rule for rule in rules if rule.id == name), None)
    if found is None:
        raise UsageProblem('cannot explain', f'rules {name!r}', 'it is a pattern', 'name one rule')
    return found


def _names(known: Sequence[str], patterns: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for pattern in (part.strip() for text in patterns for part in text.split(',')):
        hits = set(fnmatch.filter(known, pattern))
        if pattern and not hits:
            near = ', '.join(difflib.get_close_matches(pattern, known, n=3, cutoff=0.4)) or 'none'
            raise UsageProblem('cannot find rule', repr(pattern), f'nearest: {near}', "see 'scs-ci rules'")
        found |= hits
    return found
