"""Exceptions take something back."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..check import EXCEPTION_RULES, all_rules, hits
from ..exceptions import apply, exempt, unused
from ..model import Stack
from ..rule import BASE, Example, Hit, Rule

CHART = 'cluster-class/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    """Looks for itself; in a run of all rules their findings are taken instead (see check.judge)."""
    others = [rule for rule in all_rules() if rule.id not in EXCEPTION_RULES]
    _, used = apply(hits(stack, others), exempt(stack))
    return unused(exempt(stack), used, {rule.id for rule in others})


def _chart(minor: str) -> str:
    comment = '# scs-ci: ignore[class-chart-name] the fork keeps the old name\n'
    return BASE[CHART].replace('name: ', f'{comment}name: ').replace('1-34', minor)


RULE = Rule(
    id='exception-used',
    severity=Severity.WARNING,
    title='exceptions take a finding back',
    motivation='An exception that outlives its defect hides the next one at the same place.',
    check=check,
    bad=(Example({CHART: _chart('1-34')}, hits=((CHART, 2),)),),
    good=(Example({CHART: _chart('1-33')}),),
)
