"""Addon objects are in kube-system or carry no namespace."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import CLASS_DIR, Stack
from ..rendered import printed
from ..rule import Example, Hit, Rule

NAMESPACE = 'kube-system'
CHART = 'cluster-addon/cni/Chart.yaml'
TEMPLATE = 'cluster-addon/cni/templates/a.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for template in printed(stack):
        if template.chart.path == CLASS_DIR:
            continue
        for document in template.documents:
            node = document.root.get('metadata', 'namespace') if document.root is not None else None
            if node is not None and node.text not in ('', NAMESPACE) and document.root is not None:
                place = template.place(stack, node.line)
                what = f'{document.root.value("kind")} {document.root.value("metadata", "name")}'
                message = f'{what} is in namespace {node.text}, but CSO applies every addon object in {NAMESPACE}'
                yield Hit(place.file, place.line, message, seen=node.text, wanted=NAMESPACE)


def _printed(namespace: str) -> str:
    return f'# Source: cni/templates/a.yaml\napiVersion: v1\nkind: A\nmetadata:\n  name: b\n  namespace: {namespace}\n'


RULE = Rule(
    id='addon-namespace',
    # That the API server answers 400 was read in CSO's source, not observed: hence no error yet.
    severity=Severity.WARNING,
    title='addon objects are in kube-system',
    motivation='cilium without an override of secretsNamespace renders four objects elsewhere; applying them fails.',
    check=check,
    bad=(
        Example(
            {TEMPLATE: 'apiVersion: v1\nkind: A\nmetadata:\n  name: b\n  namespace: {{ .Values.n }}\n'},
            {'cluster-addon/cni': _printed('cilium-secrets')},
            hits=((TEMPLATE, 5),),
        ),
    ),
    good=(Example(rendered={'cluster-addon/cni': _printed(NAMESPACE)}),),
)
