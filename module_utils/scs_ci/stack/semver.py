"""Semantic versions and the ranges of helm dependencies, as far as charts use them."""

from __future__ import annotations

import re
from functools import total_ordering

VERSION = re.compile(r'v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?')
# A version that is one version; anything else is a range.
EXACT = re.compile(r'=?v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?')
PART = re.compile(r'(?P<op>[~^=!<>]*)\s*v?(?P<text>[0-9xX*][\w.*+-]*)')
WILD = ('x', 'X', '*')


@total_ordering
class Version:
    """A semantic version; missing numbers are 0, a pre-release comes before its release."""

    def __init__(self, numbers: tuple[int, int, int], pre: str = '') -> None:
        self.numbers, self.pre = numbers, pre

    @property
    def order(self) -> tuple[tuple[int, int, int], bool, list[tuple[int, int, str]]]:
        parts = [(0, int(p), '') if p.isdecimal() else (1, 0, p) for p in self.pre.split('.')] if self.pre else []
        return self.numbers, not self.pre, parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.order == other.order

    def __lt__(self, other: Version) -> bool:
        return self.order < other.order

    def __hash__(self) -> int:
        return hash((self.numbers, self.pre))


def parse_version(text: str) -> Version | None:
    """The version that a text is, None when it is none."""
    match = VERSION.fullmatch(text.strip())
    if not match:
        return None
    major, minor, patch = (int(match[i] or 0) for i in (1, 2, 3))
    return Version((major, minor, patch), match[4] or '')


def is_exact(text: str) -> bool:
    """Whether a declared version means exactly one version."""
    return bool(EXACT.fullmatch(text.strip()))


def satisfies(version: str, wanted: str) -> bool | None:
    """Whether a version is within a declared version or range; None when one of them cannot be understood."""
    seen = parse_version(version)
    if seen is None or not wanted.strip():
        return None
    results = [_all_of(seen, part) for part in wanted.split('||')]
    return True if True in results else None if None in results else False


def _all_of(seen: Version, wanted: str) -> bool | None:
    if ' - ' in wanted:
        low, high = wanted.split(' - ', 1)
        wanted = f'>={low.strip()} <={high.strip()}'
    parts = list(PART.finditer(wanted))
    if not parts or PART.sub('', wanted).strip(' ,'):
        return None
    results = [_one(seen, part['op'], part['text']) for part in parts]
    return None if None in results else all(results)


def _one(seen: Version, op: str, text: str) -> bool | None:
    low, high = _bounds(text)
    if low is None:
        return None
    if seen.pre and not low.pre:
        return False  # pre-releases are only meant by ranges that name one
    if op in ('', '='):
        return seen == low if high is None else low <= seen < high
    if op == '!=':
        return seen != low
    if op in ('>', '>=', '<', '<='):
        top = high or low
        return {'>': seen >= top if high else seen > low, '>=': seen >= low, '<': seen < low}.get(
            op, seen < top if high else seen <= low
        )
    if op in ('~', '~>'):
        return (
            low <= seen < (high if high and text.count('.') < 1 else Version((low.numbers[0], low.numbers[1] + 1, 0)))
        )
    return low <= seen < _caret(low) if op == '^' else None


def _caret(low: Version) -> Version:
    major, minor, patch = low.numbers
    if major:
        return Version((major + 1, 0, 0))
    return Version((0, minor + 1, 0)) if minor else Version((0, 0, patch + 1))


def _bounds(text: str) -> tuple[Version | None, Version | None]:
    """Lowest version of the text and, when numbers are missing or wild, the first one beyond it."""
    head, _, pre = text.partition('-')
    numbers = head.split('+')[0].split('.')
    known = [n for n in numbers if n not in WILD]
    if len(numbers) > 3 or not all(n.isdecimal() for n in known) or numbers[: len(known)] != known:
        return None, None
    filled = [int(n) for n in known]
    low = Version((*filled, *[0] * (3 - len(filled))), pre)  # type: ignore[arg-type]
    if len(filled) == 3:
        return low, None
    if not filled:
        return low, Version((10**9, 0, 0))
    filled[-1] += 1
    return low, Version((*filled, *[0] * (3 - len(filled))))  # type: ignore[arg-type]
