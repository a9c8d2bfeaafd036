"""ClusterClasses as the rules read them: variables, patches and references, each with its node in the rendering.

Both API versions are read: in v1beta2 a reference is called `templateRef`, and classes of workers have no `template`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .model import Stack, once
from .objects import Object, class_objects
from .yamltext import List, Map, Node

GROUP = 'cluster.x-k8s.io'
REFERENCE_KEYS = ('ref', 'templateRef')
WORKERS = ('machineDeployments', 'machinePools')


@dataclass(frozen=True)
class Variable:
    """A variable of the class. schema: its openAPIV3Schema, None when there is none."""

    name: str
    required: bool
    schema: Map | None
    node: Map


@dataclass(frozen=True)
class Operation:
    """One JSON patch. Of value, variable (valueFrom.variable) and template (valueFrom.template) one is set.

    value_node: the node that says the value, wherever it comes from.
    """

    op: str
    path: str
    value: Node | None
    variable: str
    template: str
    value_node: Node | None
    node: Map


@dataclass(frozen=True)
class Definition:
    """JSON patches for the templates that a selector chooses. match: its matchResources."""

    api_version: str
    kind: str
    match: Map | None
    operations: tuple[Operation, ...]
    node: Map

    @property
    def control_plane(self) -> bool:
        return _true(self.match, 'controlPlane')

    @property
    def infrastructure_cluster(self) -> bool:
        return _true(self.match, 'infrastructureCluster')

    def workers(self, kind: str = 'machineDeployments') -> tuple[str, ...]:
        """Names of the classes of workers that it chooses; kind: machineDeployments or machinePools."""
        node = self.match.get(f'{kind[:-1]}Class', 'names') if self.match is not None else None
        return tuple(n.text for n in node.nodes) if isinstance(node, List) else ()


@dataclass(frozen=True)
class Patch:
    """A patch of the class. enabled_if: '' when it is always on; external: made by a runtime extension."""

    name: str
    enabled_if: str
    definitions: tuple[Definition, ...]
    external: bool
    node: Map


@dataclass(frozen=True)
class Reference:
    """A template that the class refers to.

    role: 'infrastructure', 'controlPlane', 'controlPlane.machineInfrastructure', or '<kind>/<class>/bootstrap' and
    '<kind>/<class>/infrastructure' for workers, kind being machineDeployments or machinePools.
    """

    role: str
    api_version: str
    kind: str
    name: str
    node: Map


@dataclass(frozen=True)
class ClusterClass:
    """A rendered ClusterClass. object.place(stack, node) tells where a node comes from."""

    object: Object
    variables: tuple[Variable, ...]
    patches: tuple[Patch, ...]
    references: tuple[Reference, ...]


@once
def cluster_classes(stack: Stack, variants: bool = False) -> Iterator[ClusterClass]:
    """The classes that the class chart prints; with `variants` also those of the other points of the matrix."""
    found = class_objects(stack, variants)
    return (_class(o) for o in found if o.kind == 'ClusterClass' and o.group == GROUP)


def _class(found: Object) -> ClusterClass:
    spec = found.root.get('spec')
    if not isinstance(spec, Map):
        return ClusterClass(found, (), (), ())
    return ClusterClass(
        object=found,
        variables=tuple(_variable(n) for n in spec.items('variables') if isinstance(n, Map)),
        patches=tuple(_patch(n) for n in spec.items('patches') if isinstance(n, Map)),
        references=tuple(_references(spec)),
    )


def _variable(node: Map) -> Variable:
    schema = node.get('schema', 'openAPIV3Schema')
    return Variable(node.value('name'), _true(node, 'required'), schema if isinstance(schema, Map) else None, node)


def _patch(node: Map) -> Patch:
    definitions = tuple(_definition(n) for n in node.items('definitions') if isinstance(n, Map))
    return Patch(node.value('name'), node.value('enabledIf'), definitions, node.get('external') is not None, node)


def _definition(node: Map) -> Definition:
    match = node.get('selector', 'matchResources')
    return Definition(
        api_version=node.value('selector', 'apiVersion'),
        kind=node.value('selector', 'kind'),
        match=match if isinstance(match, Map) else None,
        operations=tuple(_operation(n) for n in node.items('jsonPatches') if isinstance(n, Map)),
        node=node,
    )


def _operation(node: Map) -> Operation:
    value = node.get('value')
    return Operation(
        op=node.value('op'),
        path=node.value('path'),
        value=value,
        variable=node.value('valueFrom', 'variable'),
        template=node.value('valueFrom', 'template'),
        value_node=value or node.get('valueFrom', 'variable') or node.get('valueFrom', 'template'),
        node=node,
    )


def _references(spec: Map) -> Iterator[Reference]:
    yield from _reference('infrastructure', spec.get('infrastructure'))
    yield from _reference('controlPlane', spec.get('controlPlane'))
    yield from _reference('controlPlane.machineInfrastructure', spec.get('controlPlane', 'machineInfrastructure'))
    for kind in WORKERS:
        for worker in spec.items('workers', kind):
            body = worker.get('template') or worker
            for role in ('bootstrap', 'infrastructure'):
                yield from _reference(f'{kind}/{worker.value("class")}/{role}', body.get(role))


def _reference(role: str, node: Node | None) -> Iterator[Reference]:
    for key in REFERENCE_KEYS:
        ref = node.get(key) if node is not None else None
        if isinstance(ref, Map):
            yield Reference(role, ref.value('apiVersion'), ref.value('kind'), ref.value('name'), ref)


def _true(node: Map | None, key: str) -> bool:
    return node is not None and node.value(key) == 'true'
