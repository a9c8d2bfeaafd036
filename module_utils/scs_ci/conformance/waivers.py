"""Waivers: specs that may fail, from SCS's `scs-sonobuoy-config` (Tests/kaas/ of the SCS standards repository).

They forgive and never skip: a forgiven spec runs, its failure is shown, and a waiver that nothing needed is shown, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import UsageProblem
from .model import Waiver

KEY = 'okToFail'
FIELDS = frozenset({'regex', 'reason'})


def read(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file; everything that is not exactly `okToFail: [{regex, reason}]` is a UsageProblem."""
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, getattr(error, 'strerror', None) or str(error)) from error
    except yaml.YAMLError as error:
        raise _refused(path, ' '.join(str(error).split())) from error
    if not isinstance(content, dict) or set(content) != {KEY} or not isinstance(content[KEY], list):
        raise _refused(path, f'it must hold {KEY}, a list, and nothing else')
    return tuple(_waiver(path, index, entry) for index, entry in enumerate(content[KEY]))


def _waiver(path: Path, index: int, entry: Any) -> Waiver:
    place = f'{KEY}[{index}]'
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise _refused(path, f'{place} must have regex and reason and nothing else')
    if not all(isinstance(value, str) and value.strip() for value in entry.values()):
        raise _refused(path, f'{place}: regex and reason must be texts that are not empty')
    try:
        re.compile(entry['regex'])
    except re.error as error:
        raise _refused(path, f'{place}: {entry["regex"]!r} is no regular expression: {error}') from error
    return Waiver(entry['regex'].strip(), entry['reason'].strip())


def _refused(path: Path, answer: str) -> UsageProblem:
    return UsageProblem('cannot read', f'waivers in {path}', answer, 'correct the file')


def forgiving(name: str, waivers: Sequence[Waiver]) -> Waiver | None:
    """The first waiver for a spec of that name."""
    return next((waiver for waiver in waivers if re.search(waiver.regex, name)), None)


def unused(red: Sequence[str], waivers: Sequence[Waiver]) -> tuple[str, ...]:
    """Expressions of the waivers that no failed spec needed."""
    return tuple(w.regex for w in waivers if not any(re.search(w.regex, name) for name in red))
