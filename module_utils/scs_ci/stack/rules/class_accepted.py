"""Cluster API accepts the ClusterClass: what its webhook says, and whether a cluster can be made of it at all."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..answers import CLASS
from ..clusterclass import ClusterClass, cluster_classes
from ..hits import at
from ..model import Stack
from ..paths import find
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'
CLASS_TEXT = (
    'apiVersion: cluster.x-k8s.io/v1beta1\n'
    'kind: ClusterClass\n'
    'metadata:\n'
    '  name: {{ .Release.Name }}\n'
    'spec:\n'
    '  variables:\n'
    '    - name: flavor\n'
    '      required: false\n'
    '      schema:\n'
    '        openAPIV3Schema:\n'
    '          type: string\n'
    '          default: 4\n'
)


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        yield from _class(stack, view)


def _class(stack: Stack, view: ClusterClass) -> Iterable[Hit]:
    for problem in stack.answers.refused:
        line = find(view.object.root, problem.path).line
        message = f'Cluster API refuses the ClusterClass at {problem.path or "its root"}: {problem.message}'
        yield at(stack, view.object, line, message, seen=problem.path)
    seen: set[str] = set()
    for failure in stack.answers.failures:
        if failure.stage == CLASS and failure.problem.message not in seen:
            seen.add(failure.problem.message)
            message = f'no cluster can be made of the class ({failure.point}): {failure.problem.message}'
            yield at(stack, view.object, view.object.root.line, message)


def _rendered(text: str) -> dict[str, str]:
    return {'cluster-class': '# Source: x/templates/class.yaml\n' + text.replace('{{ .Release.Name }}', 'x')}


RULE = Rule(
    id='class-accepted',
    severity=Severity.ERROR,
    title='Cluster API accepts the ClusterClass',
    motivation=(
        'Variables whose default does not fit their schema, patches that select templates of another kind, conditions '
        'that do not parse: the webhook refuses them, and the cluster stack operator says only that it failed to apply.'
    ),
    check=check,
    bad=(
        Example(
            {TEMPLATE: CLASS_TEXT},
            _rendered(CLASS_TEXT),
            answer={
                'refused': [
                    {
                        'path': 'spec.variables[flavor].schema.openAPIV3Schema.default',
                        'message': 'must be of type string: "integer"',
                    }
                ]
            },
            hits=((TEMPLATE, 12),),
        ),
        Example(
            {TEMPLATE: CLASS_TEXT},
            _rendered(CLASS_TEXT),
            answer={'points': [{'point': 'no variable set', 'stage': 'class', 'message': 'there is no template'}]},
            hits=((TEMPLATE, 1),),
        ),
    ),
    good=(Example(), Example({TEMPLATE: CLASS_TEXT}, _rendered(CLASS_TEXT))),
    asks=True,
)
