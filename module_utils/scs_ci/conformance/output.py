"""What ginkgo v2 prints while it runs: counts for the progress line, and specs that passed on a later attempt only.

Format: reporters/default_reporter.go of ginkgo. Every spec ends with a mark: '•' passed, '• [FAILED] …', 'S' skipped,
'P' pending, '↺ [FLAKEY TEST - TOOK n ATTEMPTS TO PASS] …'; marks without words follow each other on one line.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .model import Spec, State, Suite

PLAN = re.compile(r'^Will run (\d+) of \d+ specs', re.MULTILINE)
ESCAPES = re.compile('\x1b\\[[0-9;]*m')
MARKS = re.compile(r'^([•SP↺]+)(?: \[([A-Z!]*)[^\]]*\].*)?$')
FLAKY = re.compile(r'^↺ \[FLAKEY TEST - TOOK (\d+) ATTEMPTS TO PASS\].*\n(.+)$', re.MULTILINE)
RED_WORDS = frozenset({'FAILED', 'PANICKED', 'PANICKED!', 'TIMEDOUT', 'INTERRUPTED', 'ABORTED'})
# On top of specs that the selection left out, which have the same mark.
SKIPPED_WORDS = frozenset({'SKIPPED'})


@dataclass(frozen=True)
class Counts:
    """Of a running suite. total: specs that will run, 0 before ginkgo has told; skipped: by themselves."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def line(self) -> str:
        done = f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped'
        return f'{done} of {self.total} specs' if self.total else f'{done}, setting up'


def counts(text: str) -> Counts:
    """Counts from the log so far; its last line may be unfinished."""
    plain = ESCAPES.sub('', text)
    plan = PLAN.search(plain)
    passed = failed = skipped = 0
    for line in plain[plan.end() :].splitlines() if plan else ():
        found = MARKS.match(line)
        if not found:
            continue
        marks, word = found[1], found[2] or ''
        if word in RED_WORDS:
            marks, failed = marks[:-1], failed + 1
        elif word in SKIPPED_WORDS:
            skipped += 1
        passed += marks.count('•') + marks.count('↺')
    return Counts(int(plan[1]) if plan else 0, passed, failed, skipped)


def attempts(text: str) -> dict[str, int]:
    """Line that names a flaky spec (its full text, then its labels) to how often it was tried."""
    return {found[2].strip(): int(found[1]) for found in FLAKY.finditer(ESCAPES.sub('', text))}


def with_attempts(suite: Suite, found: dict[str, int]) -> Suite:
    """The suite with the attempts that only the log tells, for kubernetes' own JUnit leaves them out."""
    return dataclasses.replace(suite, specs=tuple(_tried(spec, found.items()) for spec in suite.specs))


def _tried(spec: Spec, found: Iterable[tuple[str, int]]) -> Spec:
    if spec.state is not State.PASSED:
        return spec
    tried = [number for line, number in found if line == spec.name or line.startswith(f'{spec.name} [')]
    return dataclasses.replace(spec, attempts=max([spec.attempts, *tried]))
