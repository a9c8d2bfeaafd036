"""What a release packs is what is committed."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Facts, Stack
from ..rule import Example, Hit, Rule

PACKED = 'cluster-addon/cni/charts/cilium-1.17.4.tgz'


def check(stack: Stack) -> Iterable[Hit]:
    for path in sorted(stack.facts.untracked & stack.files.keys()):
        message = 'Git does not know this file, and csctl packs and hashes it: commit it or remove it'
        yield Hit(path, 1, message, seen=path)


RULE = Rule(
    id='untracked-files',
    severity=Severity.WARNING,
    title='every file of the stack is committed',
    motivation='A release carried an outdated chart that lay ignored in the directory of its author (PR 258).',
    check=check,
    bad=(Example({PACKED: 'x'}, facts=Facts(untracked=frozenset({PACKED})), hits=((PACKED, 1),)),),
    good=(Example({PACKED: 'x'}), Example(facts=Facts(untracked=frozenset({'gone.yaml'})))),
)
