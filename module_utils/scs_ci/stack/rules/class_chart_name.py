"""The class chart is named after provider, stack and minor."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import LAYOUT_B, Stack
from ..rule import BASE, Example, Hit, Rule

CHART = 'cluster-class/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    # The build of layout B writes the name itself.
    if stack.class_chart is None or stack.identity is None or stack.layout == LAYOUT_B or stack.class_chart.meta.broken:
        return
    name, wanted = stack.class_chart.name, stack.identity.class_chart
    if name.text != wanted:
        message = f'the class chart is named {name.text!r}, but {stack.kubernetes.file} declares {stack.identity.base}'
        yield Hit(name.file, name.line, message, seen=name.text, wanted=wanted, fix=f'name: {wanted}')


RULE = Rule(
    id='class-chart-name',
    severity=Severity.ERROR,
    title='the class chart is named <provider>-<stack>-<major>-<minor>-cluster-class',
    motivation=(
        'csctl names the archive after the chart, and CSO searches it under the name of the release: the release '
        'openstack-scs2-1-34-v2 was published with a chart named 1-33 and could never be used.'
    ),
    check=check,
    bad=(Example({CHART: BASE[CHART].replace('1-34', '1-33')}, hits=((CHART, 2),)),),
)
