"""Which specs: by tags in their names, and by a sample of those that depends on nothing but the names."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import UsageProblem

CONFORMANCE = r'\[Conformance\]'
ALONE = r'\[Serial\]|\[Disruptive\]'
# Groups whose specs wait for minutes by design: schedules of CronJobs, ordered scaling of StatefulSets, the compaction
# of etcd (API chunking: 478 s), evictions and graceful terminations.
WAITING = r'\[Slow\]|CronJob|\[StatefulSetBasic\]|chunking|preempt|eviction|NoExecute|sidecar|probe'
# Its only spec demands two workers; the clusters of a pull request may have one.
WORKERS = r'\[sig-architecture\]'
SIG = re.compile(r'\[sig-[a-z-]+\]')


@dataclass(frozen=True)
class Selection:
    """focus, skip: expressions on names. sample: share of the specs of each interest group, 1 for all of them."""

    focus: str
    skip: str = ''
    sample: float = 1.0


# Shares: 392 specs took 21 minutes with five processes on two cores (prototype), that is 3.2 s each; without WAITING
# less. smoke may take 2 minutes, quick 6, both with half a minute for setting up and namespaces going away.
SELECTIONS = {
    'smoke': Selection(CONFORMANCE, f'{ALONE}|{WAITING}|{WORKERS}', 0.09),
    'quick': Selection(CONFORMANCE, f'{ALONE}|{WAITING}|{WORKERS}', 0.30),
    'parallel': Selection(CONFORMANCE, ALONE),
    'certified': Selection(CONFORMANCE),
}


def named(name: str) -> Selection:
    if name not in SELECTIONS:
        raise UsageProblem('cannot select', f'specs {name!r}', f'known are {", ".join(SELECTIONS)}', 'use one of these')
    return SELECTIONS[name]


def chosen(selection: Selection, specs: Sequence[str]) -> tuple[str, ...]:
    """Names of the specs of a selection, sorted.

    Of each interest group (tag [sig-…]) the share with the smallest hashes, at least one: a new spec moves at most one
    other out, smoke is within quick, and the same Kubernetes gives the same specs everywhere.
    """
    fit = [s for s in specs if re.search(selection.focus, s) and not re.search(selection.skip or r'(?!)', s)]
    groups: dict[str, list[str]] = {}
    for spec in fit:
        found = SIG.search(spec)
        groups.setdefault(found[0] if found else '', []).append(spec)
    return tuple(sorted(spec for group in groups.values() for spec in _sample(group, selection.sample)))


def _sample(group: Sequence[str], share: float) -> list[str]:
    ordered = sorted(set(group), key=lambda name: (hashlib.sha256(name.encode()).hexdigest(), name))
    return ordered[: math.ceil(len(ordered) * share)]


def expression(names: Sequence[str]) -> str:
    """A regular expression, for Go and Python, that is found in exactly these names of specs.

    It has no '^': ginkgo looks into '<name of the suite> <name of the spec>'. Names of specs begin with their tag, so
    none is the end of another.
    """
    return '(' + '|'.join(_quoted(name) for name in names) + ')$'


def _quoted(name: str) -> str:
    # re.escape also escapes spaces and others that Go's syntax refuses to see escaped
    return re.sub(r'([\\.+*?()|\[\]{}^$])', r'\\\1', name)
