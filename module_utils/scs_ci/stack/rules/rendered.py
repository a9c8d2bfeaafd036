"""Every chart was rendered: what could not be looked at is told."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import BASE, Example, Hit, Rule

CHART = 'cluster-addon/cni/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for rendering in stack.renderings:
        if rendering.unavailable:
            message = f'{rendering.chart} is not rendered, so its objects are not checked: {rendering.unavailable}'
            yield Hit(rendering.file, rendering.line, message)


RULE = Rule(
    id='rendered',
    severity=Severity.WARNING,
    title='every chart could be rendered',
    motivation='A check that looked at half of a stack must not look like one that found nothing in the whole.',
    check=check,
    bad=(
        Example(
            {
                CHART: BASE[CHART]
                + 'dependencies:\n- {name: a, version: 1.0.0, repository: "https://charts.example/"}\n'
            },
            unavailable={'cluster-addon/cni': 'chart a 1.0.0 is not in the cache'},
            hits=((CHART, 6),),
        ),
    ),
)
