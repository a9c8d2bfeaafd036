"""Exceptions name a rule that exists, and say why."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..check import EXCEPTION_RULES, all_rules
from ..exceptions import exempt
from ..model import Stack
from ..rule import BASE, Example, Hit, Rule

CHART = 'cluster-class/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    known = {rule.id for rule in all_rules()} - set(EXCEPTION_RULES)
    for exception in exempt(stack):
        if exception.rule not in known:
            message = f"there is no rule {exception.rule!r} that can be excepted, 'scs-ci rules' lists them"
            yield Hit(exception.file, exception.line, message, seen=exception.rule, column=exception.column)
        elif not exception.reason:
            message = f'the exception from rule {exception.rule} gives no reason, so it does not hold'
            wanted = f'scs-ci: ignore[{exception.rule}] REASON'
            yield Hit(exception.file, exception.line, message, wanted=wanted, column=exception.column)


def _chart(comment: str) -> str:
    return BASE[CHART].replace('version: v1', f'version: v1  # {comment}')


RULE = Rule(
    id='exception-reason',
    severity=Severity.ERROR,
    title='exceptions name a rule and a reason',
    motivation='Nobody dares to remove an exception whose reason is lost, and one with a misspelt rule hides nothing.',
    check=check,
    bad=(
        Example({CHART: _chart('scs-ci: ignore[chart-lock]')}, hits=((CHART, 4),)),
        Example({CHART: _chart('scs-ci: ignore[chart-lok] the lock follows later')}, hits=((CHART, 4),)),
    ),
    good=(Example({CHART: _chart('scs-ci: ignore[chart-lock] the lock follows with the next release')}),),
)
