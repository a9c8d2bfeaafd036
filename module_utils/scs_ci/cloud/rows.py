"""One line of the preflight, and the table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One checked thing. need, used, limit: numbers for quotas, None elsewhere; ok None: the cloud does not tell.

    holders: of a quota that is short, who holds what is used.
    """

    kind: str
    subject: str
    ok: bool | None
    answer: str
    need: int | None = None
    used: int | None = None
    limit: int | None = None
    verdict: str = ''
    holders: tuple[str, ...] = ()


def table(rows: Sequence[Row]) -> str:
    """For people: one line per row, shortfalls marked, and below those who holds what."""
    words = {True: 'ok', False: 'SHORT', None: 'unknown'}
    width = max((len(row.subject) for row in rows), default=0)
    lines = []
    for row in rows:
        need = f'need {row.need}: ' if row.need is not None and row.limit is None else ''
        lines.append(f'{words[row.ok]:7}  {row.subject:{width}}  {need}{row.answer}')
        lines += [f'{"":7}  {"":{width}}  held by {holder}' for holder in row.holders]
    return '\n'.join(lines)
