"""The class refers to templates of the chart, of the right kinds, and every template of the chart is referred to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..clusterclass import ClusterClass, Reference, cluster_classes
from ..hits import at, nearest
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'
# What the kind of a template ends with, by the last part of the reference's role.
ENDINGS = {
    'controlPlane': ('ControlPlaneTemplate',),
    'machineInfrastructure': ('MachineTemplate',),
    'bootstrap': ('ConfigTemplate',),
    'infrastructure': ('MachineTemplate', 'MachinePoolTemplate'),
}


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack):
        found = list(class_objects(stack))
        for reference in view.references:
            yield from _reference(stack, view, reference, found)
    yield from _unreferenced(stack)


def _reference(stack: Stack, view: ClusterClass, ref: Reference, found: list[Object]) -> Iterator[Hit]:
    same_kind = [o for o in found if o.kind == ref.kind]
    named = [o for o in same_kind if o.name == ref.name]
    line = (ref.node.get('name') or ref.node).line
    if not named:
        names = sorted({o.name for o in same_kind})
        guess = nearest(ref.name, names) or (f'; there are {", ".join(names)}' if names else '')
        message = f'{ref.role} refers to {ref.kind} {ref.name}, which the chart does not have{guess}'
        yield at(stack, view.object, line, message, seen=ref.name, wanted=', '.join(names))
    elif all(o.api_version != ref.api_version for o in named):
        versions = ', '.join(sorted({o.api_version for o in named}))
        line = (ref.node.get('apiVersion') or ref.node).line
        message = f'{ref.role} refers to {ref.kind} {ref.name} in {ref.api_version}, the chart has it in {versions}'
        yield at(stack, view.object, line, message, seen=ref.api_version, wanted=versions)
    endings = _endings(ref.role)
    if ref.kind and not ref.kind.endswith(endings):
        line = (ref.node.get('kind') or ref.node).line
        wanted = f'a kind *{" or *".join(endings)}'
        yield at(stack, view.object, line, f'{ref.role} refers to a {ref.kind}', seen=ref.kind, wanted=wanted)


def _endings(role: str) -> tuple[str, ...]:
    """Infrastructure of the cluster is a ClusterTemplate, that of workers is one of machines; '' fits every kind."""
    last = role.replace('/', '.').rsplit('.', 1)[-1]
    return ('ClusterTemplate',) if role == 'infrastructure' else ENDINGS.get(last, ('',))


def _unreferenced(stack: Stack) -> Iterator[Hit]:
    """Templates that no class of the chart refers to are applied and never used."""
    views = cluster_classes(stack)
    used = {(ref.kind, ref.name) for view in views for ref in view.references}
    for found in class_objects(stack) if views else ():
        if (
            found.kind.endswith('Template')
            and found.group.endswith('cluster.x-k8s.io')
            and (found.kind, found.name) not in used
        ):
            message = f'no class refers to {found.title}: it is applied and never used'
            yield at(stack, found, found.root.line, message, seen=found.title, severity=Severity.WARNING)


INFRA = 'infrastructure.cluster.x-k8s.io/v1beta1'
TEXT = (
    'apiVersion: cluster.x-k8s.io/v1beta1\n'
    'kind: ClusterClass\n'
    'metadata:\n'
    '  name: x\n'
    'spec:\n'
    '  infrastructure:\n'
    '    ref:\n'
    f'      apiVersion: {INFRA}\n'
    '      kind: OpenStackClusterTemplate\n'
    '      name: x-cluster\n'
    '---\n'
    f'apiVersion: {INFRA}\n'
    'kind: OpenStackClusterTemplate\n'
    'metadata:\n'
    '  name: x-cluster\n'
)


def _example(*hits: int, old: str = '', new: str = '', count: int = 1) -> Example:
    text = TEXT.replace(old, new, count) if old else TEXT
    rendered = {'cluster-class': '# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in hits))


RULE = Rule(
    id='class-references',
    severity=Severity.ERROR,
    title='the class and the templates of its chart refer to each other',
    motivation=(
        'A ClusterClass with a template that does not exist is accepted by the API server and by CSO, whose release is '
        'ready; every cluster of it waits for ever.'
    ),
    check=check,
    bad=(
        _example(10, 12, old='name: x-cluster', new='name: x-clusters'),
        _example(8, old=INFRA, new='infrastructure.cluster.x-k8s.io/v1alpha7'),
        _example(9, 10, 12, old='OpenStackClusterTemplate', new='OpenStackMachineTemplate'),
    ),
    good=(Example(), _example()),
)
