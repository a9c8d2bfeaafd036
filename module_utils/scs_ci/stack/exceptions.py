"""Exceptions that a stack's author writes beside what a rule would find, each with a reason.

`# scs-ci: ignore[rule] reason` at the end of a line holds for that line; alone on a line, for the next line that is
more than a comment. Templates may hide it from the rendering with `{{/* … */}}`, documents with `<!-- … -->`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .model import Stack
from .rule import CRASHED, Hit

MARK = re.compile(
    r'(?P<open>\{\{-?\s*/\*|<!--|//|#)\s*scs-ci:\s*ignore\[(?P<rules>[^\]\n]*)\](?P<reason>.*?)\s*(?:\*/\s*-?\}\}|-->|$)'
)
COMMENT = re.compile(r'\s*(?:#|//|<!--|\{\{-?\s*/\*|$)')
# Nobody writes exceptions into larger files, and lists of images or charts would be searched for nothing.
MOST_BYTES = 1024 * 1024
LONGEST_LINE = 2_000


@dataclass(frozen=True)
class Exempt:
    """An exception for one rule. line: of the comment; until: last line that it holds for; column: from 1."""

    rule: str
    reason: str
    file: str
    line: int
    until: int
    column: int = 1

    def covers(self, rule: str, file: str, line: int) -> bool:
        return bool(self.reason) and rule == self.rule and file == self.file and self.line <= line <= self.until


def exempt(stack: Stack) -> tuple[Exempt, ...]:
    """All exceptions in the text files of the stack, in order."""
    return tuple(
        found
        for path, content in {**stack.files, **stack.shared}.items()
        if b'scs-ci:' in content and len(content) <= MOST_BYTES and b'\0' not in content
        for found in _of_file(path, content.decode('utf-8', 'replace').split('\n'))
    )


def _of_file(path: str, lines: Sequence[str]) -> Iterator[Exempt]:
    for number, line in enumerate(lines, start=1):
        match = MARK.search(line[:LONGEST_LINE])
        if match is None:
            continue
        alone = not line[: match.start()].strip()
        until = _next(lines, number) if alone else number
        for rule in match['rules'].split(',') or ['']:
            reason = match['reason'].strip().lstrip(':').strip()
            yield Exempt(rule.strip(), reason, path, number, until, match.start() + 1)


def _next(lines: Sequence[str], number: int) -> int:
    """Number of the next line after `number` that is more than a comment; number itself at the end of the file."""
    following = (n for n in range(number + 1, len(lines) + 1) if not COMMENT.match(lines[n - 1]))
    return next(following, number)


def apply(hits: Iterable[tuple[str, Hit]], exceptions: Sequence[Exempt]) -> tuple[list[tuple[str, Hit]], list[Used]]:
    """Split (rule, hit) pairs into those that stay and those that an exception takes back."""
    kept: list[tuple[str, Hit]] = []
    used: list[Used] = []
    for rule, hit in hits:
        exception = next((e for e in exceptions if e.covers(rule, hit.file, hit.line)), None)
        # a rule that crashed has not looked: that is nobody's exception
        if exception is None or hit.message.startswith(CRASHED):
            kept.append((rule, hit))
        else:
            used.append(Used(exception, hit))
    return kept, used


@dataclass(frozen=True)
class Used:
    """An exception and what it took back."""

    exception: Exempt
    hit: Hit


def unused(exceptions: Sequence[Exempt], used: Sequence[Used], ran: Collection[str]) -> Iterator[Hit]:
    """Exceptions with a reason that took nothing back, of rules that ran."""
    needed = {u.exception for u in used}
    for exception in exceptions:
        if exception.reason and exception.rule in ran and exception not in needed:
            message = f'rule {exception.rule} finds nothing here (any more): remove the exception'
            yield Hit(exception.file, exception.line, message, seen=exception.reason, column=exception.column)
