"""No object is printed twice, neither by one chart nor by two stages."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..hits import at
from ..model import CLASS_DIR, Stack
from ..objects import Object, objects
from ..rule import Example, Hit, Rule

ADDON_NAMESPACE = 'kube-system'
HOOK = 'helm.sh/hook'
ONE, OTHER = 'cluster-addon/cni/templates/a.yaml', 'cluster-addon/csi/templates/a.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    first: dict[tuple[str, ...], Object] = {}
    for found in objects(stack):
        annotations = found.root.get('metadata', 'annotations')
        if not found.kind or not found.name or (annotations is not None and annotations.get(HOOK) is not None):
            continue
        where = found.template.chart.path
        cluster = CLASS_DIR if where == CLASS_DIR else 'addons'
        key = cluster, found.group, found.kind, found.namespace or ADDON_NAMESPACE, found.name
        before = first.setdefault(key, found)
        if before is not found:
            yield _hit(stack, before, found)


def _hit(stack: Stack, before: Object, found: Object) -> Hit:
    chart, other = found.template.chart.path, before.template.chart.path
    if chart == other:
        place = before.place(stack)
        message = f'{found.title} is printed twice, first by {place.file}:{place.line}: the second one replaces it'
        return at(stack, found, found.root.line, message, seen=found.name)
    message = (
        f'{found.title} is printed by {other}, too: each stage overwrites what the other made; give one another name'
    )
    return at(stack, found, found.root.line, message, seen=found.name, severity=Severity.WARNING)


def _text(*names: str) -> str:
    return '---\n'.join(f'apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n' for name in names)


def _example(one: str, other: str, *hits: tuple[str, int]) -> Example:
    files = {
        ONE: one,
        OTHER: other,
        'cluster-addon/csi/Chart.yaml': 'apiVersion: v2\nname: csi\ntype: application\nversion: v1\n',
    }
    rendered = {
        'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + one,
        'cluster-addon/csi': '---\n# Source: csi/templates/a.yaml\n' + other,
    }
    return Example(files, rendered, hits=hits)


RULE = Rule(
    id='objects-unique',
    severity=Severity.ERROR,
    title='no object is printed twice',
    motivation=(
        'The charts of the cloud controller and of the CSI driver both call their Secret cloud-config by default: the '
        'stage that is applied last decides what the other one reads.'
    ),
    check=check,
    bad=(
        _example(_text('a', 'b', 'a'), '', (ONE, 11)),
        _example(_text('cloud-config'), _text('x', 'cloud-config'), (OTHER, 6)),
    ),
    good=(
        Example(),
        _example(_text('ccm-cloud-config'), _text('csi-cloud-config')),
        _example(_text('a'), _text('a').replace('  name: a\n', '  name: a\n  namespace: other\n')),
    ),
)
