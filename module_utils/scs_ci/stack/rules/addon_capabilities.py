"""What a stack switches on is printed although the operator renders without a cluster."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..capabilities import gates
from ..model import Rendering, Stack
from ..rule import Example, Hit, Rule

CHART = 'cluster-addon/cni'
VALUES, TEMPLATE = f'{CHART}/values.yaml', f'{CHART}/templates/class.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    plain = {rendering.chart: rendering for rendering in stack.renderings}
    charts = {chart.path: chart for chart in stack.addon_charts}
    for rendering in stack.granted:
        missing = _printed(rendering) - _printed(plain[rendering.chart])
        for gate in gates(stack, charts[rendering.chart], plain[rendering.chart].fetched):
            if gate.template in missing:
                message = (
                    f'{gate.value} has no effect on {gate.template}: it prints only where the cluster has {gate.api}, '
                    'and the operator renders without asking the cluster'
                )
                wanted = 'a value of the chart that does not ask, or the object in a template of the stage'
                yield Hit(gate.file, gate.line, message, seen='true', wanted=wanted)


def _printed(rendering: Rendering) -> frozenset[str]:
    return frozenset(part.template for part in rendering.parts if part.text.strip())


def _example(text: str, value: str, *hits: tuple[str, int], printed: bool = False) -> Example:
    document = '# Source: cni/templates/class.yaml\nkind: GatewayClass\n'
    return Example(
        {TEMPLATE: text, VALUES: f'gateway:\n  enabled: {value}\n'},
        {CHART: document if printed else ''},
        granted={CHART: document if value == 'true' else ''},
        hits=hits,
    )


ASKS = '{{ if and .Values.gateway.enabled (.Capabilities.APIVersions.Has "gateway/v1") }}kind: GatewayClass{{ end }}\n'

RULE = Rule(
    id='addon-capabilities',
    severity=Severity.WARNING,
    title='what addons switch on does not wait for an API',
    motivation=(
        'gatewayAPI.enabled of cilium made no GatewayClass: its chart asks for the API of the cluster first, and the '
        'operator renders like helm template, which knows the APIs of Kubernetes alone.'
    ),
    check=check,
    bad=(_example(ASKS, 'true', (VALUES, 2)),),
    good=(
        Example(),
        _example(ASKS, 'false'),
        _example(ASKS, 'true', printed=True),
        _example('{{ if .Values.gateway.enabled }}kind: GatewayClass{{ end }}\n', 'true'),
    ),
)
