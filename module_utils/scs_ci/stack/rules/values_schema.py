"""Values validate against the schema of the chart that gets them: helm's own verdict, brought to the line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..given import Given, given_values, node_at
from ..model import Chart, Rendering, Stack
from ..rule import Example, Hit, Rule
from ..yamltext import Scalar

# How helm begins when a schema refuses values.
REFUSED = "values don't meet the specifications of the schema"
CHART_LINE = re.compile(r'^(?P<chart>[\w.-]+):\s*$')
# `- at '/a/b': …` since helm 3.18, `- a.b: …` before.
PLACE = re.compile(r"^\s*- (?:at '(?P<pointer>[^']*)'|(?P<dotted>[\w.()-]+)): (?P<what>.+)$")
ADDITIONAL = re.compile(r"additional propert(?:y|ies) '?(?P<key>[\w./-]+)|Additional property (?P<old>[\w./-]+)")
VALUES = 'cluster-addon/cni/values.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    charts = {chart.path: chart for chart in stack.charts}
    for rendering in stack.renderings:
        chart = charts.get(rendering.chart)
        if chart is not None and REFUSED in rendering.error:
            yield from _rendering(stack, chart, rendering)


def _rendering(stack: Stack, chart: Chart, rendering: Rendering) -> Iterator[Hit]:
    documents = list(given_values(stack, chart))
    name = ''
    for line in rendering.error.split('\n'):
        head, place = CHART_LINE.match(line.strip()), PLACE.match(line)
        name = head['chart'] if head else name
        if place:
            yield _hit(chart, documents, _key(chart, name), _path(place), place['what'])


def _key(chart: Chart, name: str) -> str:
    """Below which key the values of the chart with this name stand; '' for the values of the addon chart itself."""
    return next((d.alias or d.name for d in chart.dependencies if name in (d.name, d.alias)), '')


def _path(place: re.Match[str]) -> tuple[str, ...]:
    if place['pointer'] is not None:
        path = tuple(part.replace('~1', '/').replace('~0', '~') for part in place['pointer'].split('/') if part)
    else:
        path = tuple(part for part in place['dotted'].split('.') if part != '(root)')
    extra = ADDITIONAL.search(place['what'])
    return (*path, extra['key'] or extra['old']) if extra else path


def _hit(chart: Chart, documents: list[Given], key: str, path: tuple[str, ...], what: str) -> Hit:
    full = (key, *path) if key else path
    message = (
        f'the schema of chart {key or chart.meta.path} refuses {".".join(full)}: {what.strip()}; correct the value'
    )
    for given in reversed(documents):
        found = node_at(given, full)
        if found is not None:
            node, line = found
            return Hit(given.file, line, message, seen=node.text if isinstance(node, Scalar) else None)
    return Hit(chart.meta.path, 1, message)


_CHART = (
    'apiVersion: v2\nname: cni\nversion: v1\ndependencies:\n'
    '  - name: cilium\n    version: 1.17.4\n    repository: https://helm.example/\n'
)
_NEW = f"{REFUSED}(s) in the following chart(s):\ncilium:\n- at '/gatewayAPI/enabled': got string, want boolean\n"
_OLD = (
    f'{REFUSED}(s) in the following chart(s):\ncilium:\n- gatewayAPI: Additional property gatewayclass is not allowed\n'
)


def _example(values: str, error: str, line: int) -> Example:
    return Example(
        {'cluster-addon/cni/Chart.yaml': _CHART, VALUES: values},
        failed={'cluster-addon/cni': error},
        hits=((VALUES, line),),
    )


RULE = Rule(
    id='values-schema',
    severity=Severity.ERROR,
    title='values validate against the schema of their chart',
    motivation=(
        'A change of gatewayAPI was proposed that the schema of cilium 1.17.4 refuses: the stage cannot render and '
        'no node becomes ready.'
    ),
    check=check,
    bad=(
        _example('cilium:\n  gatewayAPI:\n    enabled: "yes"\n', _NEW, 3),
        _example('cilium:\n  gatewayAPI:\n    gatewayclass: x\n', _OLD, 3),
    ),
    good=(Example({VALUES: 'cilium: {}\n'}, failed={'cluster-addon/cni': 'another error'}),),
)
