"""What the patches of the class make validates against the definitions of the pinned Cluster API and its providers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..answers import RESULT, UNKNOWN_FIELD, Failure
from ..clusterclass import ClusterClass, Operation, Patch, cluster_classes
from ..hits import at
from ..model import Stack
from ..paths import segments, text_line
from ..points import points
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'
NO_VALUE = '<no value>'
INDEX = re.compile(r'\[\d+\]')
# Formats are called types, too.
WRONG_TYPE = re.compile(r'must be of type (?:string|integer|number|boolean|object|array|null)\b')


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        yield from _class(stack, view)


def _class(stack: Stack, view: ClusterClass) -> Iterable[Hit]:
    guessed = {point.name: point.guessed for point in points(view)}
    # Without a patch the template itself is refused, which the rule object-schema tells at its own place.
    failures = [f for f in stack.answers.failures if f.stage == RESULT and f.patch]
    unknown = {(f.patch, f.object, _parent(f.problem.path)) for f in failures if f.problem.kind == UNKNOWN_FIELD}
    seen: set[tuple[str, ...]] = set()
    for failure in failures:
        path = failure.problem.path
        key = (failure.patch, failure.object, INDEX.sub('[]', path), failure.problem.kind)
        # What lacks beside a field of a wrong name is that field.
        beside = {(failure.patch, failure.object, place) for place in (path, _parent(path))} & unknown
        if key in seen or (beside and failure.problem.kind != UNKNOWN_FIELD):
            continue
        seen.add(key)
        yield _hit(stack, view, failure, guessed.get(failure.point, False))


def _parent(path: str) -> str:
    return path.rpartition('.')[0]


def _hit(stack: Stack, view: ClusterClass, failure: Failure, guessed: bool) -> Hit:
    problem = failure.problem
    patch = next((p for p in view.patches if p.name == failure.patch), None)
    what = (
        f'patch {failure.patch} ({failure.point}) makes {failure.object} invalid at {problem.path}: {problem.message}'
    )
    if problem.kind == UNKNOWN_FIELD:
        what = (
            f'patch {failure.patch} writes {problem.path}, which {failure.object} does not have: Cluster API refuses it'
        )
    line = _line(patch, failure) if patch else view.object.root.line
    severity = None if _sure(failure, guessed) else Severity.WARNING
    return at(stack, view.object, line, what, seen=problem.path, severity=severity)


def _sure(failure: Failure, guessed: bool) -> bool:
    """Whether the class is at fault for certain.

    A value that nobody named and that is only out of range says that the schema of the variable is too wide; a missing
    value may be one that the description demands together with the one that is set.
    """
    problem = failure.problem
    if problem.kind == UNKNOWN_FIELD:
        return True
    if NO_VALUE in problem.message:
        return False
    return bool(WRONG_TYPE.search(problem.message)) or not guessed


def _line(patch: Patch, failure: Failure) -> int:
    """The operation whose path leads to the field; in its template the line with the field's name."""
    path = _keys(failure.problem.path)
    best: tuple[int, Operation] | None = None
    for definition in patch.definitions:
        fits = definition.kind.removesuffix('Template') == failure.object.removesuffix('Template')
        for operation in definition.operations if fits else ():
            common = _common(_keys('.'.join(operation.path.strip('/').split('/'))), path)
            if common and (best is None or common > best[0]):
                best = common, operation
    if best is None:
        return patch.node.line
    common, operation = best
    if (
        operation.template
        and operation.value_node is not None
        and common < len(path)
        and path[-1] in operation.template
    ):
        return text_line(operation.value_node, path[-1])
    return (operation.node.get('path') or operation.node).line


def _keys(path: str) -> tuple[str, ...]:
    """Path without the two levels by which a template differs from the object, and without indices."""
    keys = [key for key in segments(path) if not key.isdecimal() and key != '-']
    return tuple(keys[2:] if keys[:3] == ['spec', 'template', 'spec'] else keys)


def _common(own: tuple[str, ...], path: tuple[str, ...]) -> int:
    """Length of the operation's path when one of the two leads to the other, else 0."""
    shorter = min(len(own), len(path))
    return shorter if own[:shorter] == path[:shorter] else 0


CLASS = (
    'apiVersion: cluster.x-k8s.io/v1beta1\n'
    'kind: ClusterClass\n'
    'metadata:\n'
    '  name: {{ .Release.Name }}\n'
    'spec:\n'
    '  patches:\n'
    '    - name: rootDisk\n'
    '      definitions:\n'
    '        - selector:\n'
    '            kind: OpenStackMachineTemplate\n'
    '          jsonPatches:\n'
    '            - op: add\n'
    '              path: /spec/template/spec/rootVolume\n'
    '              valueFrom:\n'
    '                template: |\n'
    '                  diskSize: {{ `{{ .disk }}` }}\n'
)
RENDERED = {
    'cluster-class': '# Source: x/templates/class.yaml\n'
    + CLASS.replace('{{ .Release.Name }}', 'x').replace('{{ `{{ .disk }}` }}', '{{ .disk }}')
}
FAILURE = {
    'point': 'disk: 50',
    'stage': 'result',
    'patch': 'rootDisk',
    'object': 'OpenStackMachineTemplate',
    'kind': 'unknown-field',
    'path': 'spec.template.spec.rootVolume.diskSize',
    'message': 'unknown field',
}
LACKING = {**FAILURE, 'kind': 'invalid', 'path': 'spec.template.spec.rootVolume.sizeGiB', 'message': 'Required value'}

RULE = Rule(
    id='class-results',
    severity=Severity.ERROR,
    title='patched templates are valid',
    motivation=(
        'Patches of scs wrote fields of v1alpha7 into templates of v1beta1 (rootVolume.diskSize, serverGroupID): the '
        'class is accepted, and clusters that set the variable are never created.'
    ),
    check=check,
    bad=(
        Example({TEMPLATE: CLASS}, RENDERED, answer={'points': [FAILURE]}, hits=((TEMPLATE, 16),)),
        # what lacks because of the wrong name is not told
        Example({TEMPLATE: CLASS}, RENDERED, answer={'points': [LACKING, FAILURE]}, hits=((TEMPLATE, 16),)),
        Example({TEMPLATE: CLASS}, RENDERED, answer={'points': [LACKING]}, hits=((TEMPLATE, 13),)),
    ),
    good=(
        Example({TEMPLATE: CLASS}, RENDERED),
        Example({TEMPLATE: CLASS}, RENDERED, answer={'points': [{**FAILURE, 'stage': 'values'}]}),
        Example({TEMPLATE: CLASS}, RENDERED, answer={'points': [{**FAILURE, 'patch': ''}]}),
    ),
    asks=True,
)
