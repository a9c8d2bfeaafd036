"""Variables of the class: every one has an effect, and patches read only those that are declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..answers import Use
from ..clusterclass import ClusterClass, Variable, cluster_classes
from ..hits import at, nearest
from ..model import Stack
from ..paths import text_line
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..treehash import ADDON_VALUES
from ..yamltext import Map, Node, walk

BUILTIN = 'builtin'


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        # Variables that an extension declares, or reads, are nowhere in the stack.
        if not any(patch.external for patch in view.patches):
            yield from _undeclared(stack, view)
            yield from _unused(stack, view)


def _undeclared(stack: Stack, view: ClusterClass) -> Iterator[Hit]:
    declared = {variable.name: variable for variable in view.variables}
    for use in stack.answers.uses:
        head, *below = use.variable.split('.')
        name = re.sub(r'\[.*', '', head)
        if name == BUILTIN:
            continue
        if name not in declared:
            message = f'patch {use.patch} reads the variable {name}, which is not declared{nearest(name, declared)}'
            yield at(stack, view.object, _place(view, use), message, seen=name, wanted=', '.join(sorted(declared)))
        elif missing := _missing(declared[name].schema, below):
            message = f'patch {use.patch} reads {use.variable}, but the schema of {name} has no property {missing}'
            yield at(stack, view.object, _place(view, use), message, seen=use.variable)


def _missing(schema: Node | None, below: list[str]) -> str:
    """The first of the keys that an object of this schema cannot have, '' when that is not certain."""
    for key in below:
        properties = schema.get('properties') if schema is not None else None
        open_ended = schema is None or any(
            schema.get(word) is not None for word in ('additionalProperties', 'x-kubernetes-preserve-unknown-fields')
        )
        if open_ended or not isinstance(properties, Map) or '[' in key:
            return ''
        schema = properties.child(key)
        if schema is None:
            return key
    return ''


def _place(view: ClusterClass, use: Use) -> int:
    """The line of the patch that holds the text in which the variable is read."""
    patch = next((p for p in view.patches if p.name == use.patch), None)
    if patch is None:
        return view.object.root.line
    node = next((n for n in walk(patch.node) if n.text == use.text), patch.node)
    return text_line(node, use.variable)


def _unused(stack: Stack, view: ClusterClass) -> Iterator[Hit]:
    used = {re.sub(r'[.\[].*', '', use.variable) for use in stack.answers.uses}
    # Without an answer of classcheck nothing is known about uses.
    for variable in view.variables if stack.answers.class_objects else ():
        if variable.name not in used and not _read_by_addons(stack, variable):
            message = f'no patch reads the variable {variable.name}, and no addon does: setting it has no effect'
            yield at(stack, view.object, variable.node.line, message, seen=variable.name)


def _read_by_addons(stack: Stack, variable: Variable) -> bool:
    """Overwrite files may look into spec.topology.variables of the cluster, by any template that names it."""
    files = (f for f in stack.files if f == ADDON_VALUES or f.endswith('/overwrite.yaml'))
    return any(re.search(rf'\b{re.escape(variable.name)}\b', stack.text(file)) for file in files)


def _spec(enabled_if: str) -> str:
    return (
        '  variables:\n'
        '    - name: oidc\n'
        '      schema:\n'
        '        openAPIV3Schema:\n'
        '          type: object\n'
        '          properties:\n'
        '            clientID: {type: string}\n'
        '  patches:\n'
        '    - name: one\n'
        f"      enabledIf: '{enabled_if}'\n"
    )


def _example(enabled_if: str, variable: str, *hits: int, overwrite: str | None = None) -> Example:
    uses = [{'patch': 'one', 'variable': variable, 'text': enabled_if}] if variable else []
    return printed_class(
        CLASS_HEAD + _spec(enabled_if),
        *hits,
        files={'cluster-addon/cni/overwrite.yaml': overwrite},
        answer={'class': [[]], 'uses': uses},
    )


RULE = Rule(
    id='class-variables',
    severity=Severity.ERROR,
    title='variables have an effect, and patches read declared ones',
    motivation=(
        'workload_loadbalancer could be set for a year and did nothing. A patch whose condition reads a misspelt '
        'variable is never enabled, and nobody says so.'
    ),
    check=check,
    bad=(
        _example('{{ if .oidcs }}true{{ end }}', 'oidcs', 7, 15),
        _example('{{ if .oidc.clientId }}true{{ end }}', 'oidc.clientId', 15),
        _example('true', '', 7),
    ),
    good=(
        Example(),
        _example('{{ if .oidc.clientID }}true{{ end }}', 'oidc.clientID'),
        _example('true', '', overwrite='{{ range .Cluster.spec.topology.variables }}{{ eq .name "oidc" }}{{ end }}\n'),
    ),
    asks=True,
)
