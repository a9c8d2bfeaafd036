"""Objects of the class chart are in the namespace where the operator installs them."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..clusterclass import GROUP
from ..hits import at
from ..layouts import CLASS_NAMESPACE
from ..model import Stack
from ..objects import class_objects
from ..rule import Example, Hit, Rule, printed_class


def check(stack: Stack) -> Iterable[Hit]:
    for found in class_objects(stack):
        node = found.root.get('metadata', 'namespace')
        own = found.group == GROUP or found.group.endswith(f'.{GROUP}')
        if own and node is not None and node.text not in ('', CLASS_NAMESPACE):
            message = (
                f'{found.title} is in namespace {node.text}, whichever the ClusterStack is in: the operator applies '
                'the class in that of the ClusterStack, which the API server refuses for an object of another one'
            )
            yield at(stack, found, node.line, message, seen=node.text, wanted='{{ .Release.Namespace }}')


def _example(namespace: str, *lines: int) -> Example:
    text = 'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\nmetadata:\n  name: x\n'
    return printed_class(f'{text}  namespace: {namespace}\n', *lines)


RULE = Rule(
    id='class-namespace',
    # It works for whoever has his ClusterStack in that very namespace.
    severity=Severity.WARNING,
    title='objects of the class chart are in the namespace of the ClusterStack',
    motivation=(
        'A namespace that stands in a template is that of its author: everywhere else the class is never installed, '
        'and the release stays ObjectsApplyingOngoing.'
    ),
    check=check,
    bad=(_example('cluster', 5), _example('default', 5)),
    good=(Example(), _example(CLASS_NAMESPACE), _example('""')),
)
