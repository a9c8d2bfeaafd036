"""Count findings: rule by rule, on a checkout and on past defects before and after they were mended.

Run in the environment `product`, with the programs of `make tools`:
    python3 setup/main.py run python benchmarks/check/table.py CHECKOUT CASES [CHARTS]
CASES has a directory for each case, with `before/`, maybe `after/`, and `case.yaml` that lists under `expected` the
places of the defect. Prints two tables in Markdown: findings by rule (errors, and others after a `+`), and for each
case at how many of its places something is said that is said no more afterwards, by which rules, and which rules say
the same before and after, for a line can have more than one defect. Exit code 1 when a place is not found so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scs_ci.stack.check import all_rules

ROOT = Path(__file__).resolve().parents[2]
# The largest checkout takes six seconds on two slow cores; other work may be done beside it.
SECONDS = 300
Places = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Case:
    """A past defect. expected: its places; before, after: findings, None where nobody mended it."""

    name: str
    expected: Places
    before: list[dict[str, Any]]
    after: list[dict[str, Any]] | None


def findings(checkout: Path, charts: Path | None) -> list[dict[str, Any]]:
    """What the command says, as people call it."""
    words = [sys.executable, '-m', 'scs_ci', 'check', '--json', '--offline', str(checkout)]
    environment = {**os.environ, **({'SCS_CI_CHARTS': str(charts)} if charts else {})}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    # charts of past years are not all in a directory of today's: what is not rendered is a finding, too
    if not done.stdout.startswith('{'):
        sys.exit(done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)['findings']
    return found


def case(directory: Path, charts: Path | None) -> Case:
    stated = yaml.safe_load((directory / 'case.yaml').read_text())['expected']
    after = directory / 'after'
    return Case(
        name=directory.name,
        expected=frozenset((entry['file'], entry['line']) for entry in stated),
        before=findings(directory / 'before', charts),
        after=findings(after, charts) if after.is_dir() else None,
    )


def counted(found: list[dict[str, Any]] | None, rule: str) -> str:
    """`2` errors, `+3` others, `2+3` both, nothing for none."""
    if found is None:
        return '–'
    errors = Counter(f['severity'] == 'error' for f in found if f['rule'] == rule)
    return f'{errors[True] or ""}{f"+{errors[False]}" if errors[False] else ""}'


def by_rule(main: list[dict[str, Any]], cases: list[Case]) -> list[list[str]]:
    head = ['rule', 'checkout']
    for one in cases:
        head += [f'{one.name} before', 'after']
    rows = [head]
    for rule in all_rules():
        row = [rule.id, counted(main, rule.id)]
        for one in cases:
            row += [counted(one.before, rule.id), counted(one.after, rule.id)]
        rows.append(row)
    return rows


def at(found: list[dict[str, Any]], places: Places) -> list[dict[str, Any]]:
    return [f for f in found if (f['file'], f['line']) in places]


def said(finding: dict[str, Any]) -> tuple[str, str, str]:
    """What a finding says, wherever its line went."""
    return finding['rule'], finding['file'], finding['message']


def telling(one: Case) -> list[dict[str, Any]]:
    """The findings at the places of the defect that are not said any more once it is mended."""
    after = {said(f) for f in one.after or []}
    return [f for f in at(one.before, one.expected) if said(f) not in after]


def places(found: list[dict[str, Any]]) -> Places:
    return frozenset((f['file'], f['line']) for f in found)


def by_case(cases: list[Case]) -> list[list[str]]:
    rows = [['case', 'places', 'found', 'by', 'said of these lines before and after']]
    for one in cases:
        found = telling(one)
        rules = sorted({f'{f["rule"]} ({f["severity"]})' for f in found})
        both = sorted({f['rule'] for f in at(one.before, one.expected) if f not in found})
        after = '–' if one.after is None else ', '.join(both) or 'nothing'
        rows.append([one.name, str(len(one.expected)), str(len(places(found))), ', '.join(rules), after])
    return rows


def markdown(rows: list[list[str]]) -> str:
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])


def main() -> int:
    """Print both tables."""
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    checkout, directory = Path(sys.argv[1]), Path(sys.argv[2])
    charts = Path(sys.argv[3]).absolute() if len(sys.argv) > 3 else None
    cases = [case(place, charts) for place in sorted(directory.iterdir()) if (place / 'case.yaml').is_file()]
    print(markdown(by_rule(findings(checkout, charts), cases)), end='\n\n')
    print(markdown(by_case(cases)))
    return 0 if all(places(telling(one)) == one.expected for one in cases) else 1


if __name__ == '__main__':
    sys.exit(main())
