"""Commands that do the same for several subjects: one that fails does not keep the others from being done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..core.errors import Problem
from ..core.outcome import Exit

Subject = TypeVar('Subject')
# Worst first, as for stages: what is wrong with the product is what its author waits for.
WORST = (Exit.FAILED, Exit.ERROR, Exit.USAGE)


def each(
    command: str,
    subjects: Iterable[Subject],
    work: Callable[[Subject], dict[str, Any]],
    title: Callable[[Subject], str] = str,
) -> tuple[list[dict[str, Any]], Exit]:
    """What work makes of each subject, or `{'subject', 'problem'}` where that failed, and the exit code of the worst.

    Messages of problems go to standard error at once. title: of a subject.
    """
    results: list[dict[str, Any]] = []
    exits = set()
    for subject in subjects:
        try:
            results.append(work(subject))
        except Problem as problem:
            print(f'scs-ci {command}: {problem}', file=sys.stderr)
            results.append({'subject': title(subject), 'problem': described(problem)})
            exits.add(problem.exit)
    return results, next((code for code in WORST if code in exits), Exit.PASSED)


def described(problem: Problem) -> dict[str, str]:
    """A problem for programs: what kind it is, what happened, what to do."""
    return {'verdict': problem.verdict, 'reason': problem.reason, 'advice': problem.advice}


def print_each(results: Iterable[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    """Print what `each` returned as JSON, or a line for each subject without a problem: problems were told already."""
    if as_json:
        print_json(list(results))
        return
    for result in results:
        if 'problem' not in result:
            print(line(result))


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Iterable[Iterable[str]]) -> str:
    """Columns of equal width, two spaces apart; no space at the end of a line."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ('  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return '\n'.join(line.rstrip() for line in lines)
