"""A baseline: the findings of an earlier check, which are known and not told again.

The file is what `scs-ci check --format json` printed. Lines are left out of the comparison, so that an edit above a
known finding does not make it new; how often a finding stands in a file counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UsageProblem
from ..core.records import Finding

Key = tuple[str, str, str]
# Messages may quote places of other files; they move as well.
PLACE = re.compile(r'(\bline |:)\d+')


@dataclass(frozen=True)
class Compared:
    """new: findings that the baseline does not have; known: how many it has; gone: how many of it are not found."""

    new: tuple[Finding, ...]
    known: int
    gone: int


def read(path: Path) -> Counter[Key]:
    """The findings of a baseline file. UsageProblem when it is none."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        return Counter(_key(entry['rule'], entry['file'], entry['message']) for entry in content['findings'])
    except OSError as error:
        answer = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        answer = 'it is not what a check printed as JSON'
    raise UsageProblem(
        'cannot read', f'baseline {path}', answer, "make it with 'scs-ci check PATH --format json > FILE'"
    )


def compare(findings: Iterable[Finding], baseline: Counter[Key]) -> Compared:
    """Take the known findings out."""
    left, new = Counter(baseline), []
    for finding in findings:
        key = _key(finding.rule, finding.file, finding.message)
        if left[key] > 0:
            left[key] -= 1
        else:
            new.append(finding)
    return Compared(tuple(new), known=baseline.total() - left.total(), gone=left.total())


def _key(rule: Any, file: Any, message: Any) -> Key:
    return str(rule), str(file), PLACE.sub(r'\1N', str(message))
