"""Clusters of the release before can move to this one: variables, workers and templates of the class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...core.records import Severity
from ..clusterclass import ClusterClass, Reference, Variable, cluster_classes
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..yamltext import Node


def check(stack: Stack) -> Iterable[Hit]:
    before = cluster_classes(stack.before) if stack.before else ()
    now = cluster_classes(stack)
    if len(before) == len(now) == 1:
        yield from _variables(stack, before[0], now[0])
        yield from _references(stack, before[0], now[0])


def _hit(stack: Stack, found: ClusterClass, node: Node | None, message: str, severity: Severity | None = None) -> Hit:
    place = found.object.place(stack, node)
    return Hit(place.file, place.line, message, severity=severity)


def _variables(stack: Stack, before: ClusterClass, now: ClusterClass) -> Iterator[Hit]:
    old = {variable.name: variable for variable in before.variables}
    new = {variable.name: variable for variable in now.variables}
    for name in old.keys() - new.keys():
        message = f'variable {name} of the release before is gone: clusters that set it cannot move here; say so'
        yield _hit(stack, now, now.object.root.get('spec', 'variables'), message, Severity.WARNING)
    for name, variable in new.items():
        if name not in old:
            if variable.required and not _has_default(variable):
                message = f'variable {name} is new, required and has no default: no existing cluster can move here'
                yield _hit(stack, now, variable.node, message)
        else:
            yield from _changed(stack, now, old[name], variable)


def _has_default(variable: Variable) -> bool:
    return variable.schema is not None and variable.schema.get('default') is not None


def _changed(stack: Stack, now: ClusterClass, old: Variable, new: Variable) -> Iterator[Hit]:
    if old.schema is None or new.schema is None:
        return
    was, is_now = old.schema.value('type'), new.schema.value('type')
    if was != is_now:
        message = (
            f'variable {new.name} was of type {was} and is of type {is_now}: clusters that set it cannot move here'
        )
        yield _hit(stack, now, new.schema.get('type') or new.node, message)
    gone = [n.text for n in old.schema.items('enum') if n.text not in {m.text for m in new.schema.items('enum')}]
    if gone and new.schema.items('enum'):
        message = f'variable {new.name} may no longer be {", ".join(gone)}: clusters with that value cannot move here'
        yield _hit(stack, now, new.schema.get('enum'), message, Severity.WARNING)
    one, other = old.schema.get('default'), new.schema.get('default')
    if _plain(one) != _plain(other):
        message = (
            f'default of {new.name} was {_plain(one)!r} and is {_plain(other)!r}: clusters that do not set it change'
        )
        yield _hit(stack, now, other or new.node, message, Severity.NOTICE)


def _plain(node: Node | None) -> object:
    return node.plain() if node is not None else None


def _references(stack: Stack, before: ClusterClass, now: ClusterClass) -> Iterator[Hit]:
    """Cluster API lets no cluster move to templates of another kind, nor lose the class of its workers."""
    new = {reference.role: reference for reference in now.references}
    gone = set()
    for old in before.references:
        found = new.get(old.role)
        if found is not None and _kind(found) != _kind(old):
            message = f'{old.role} was made of {old.kind} and is of {found.kind}: Cluster API lets no cluster move here'
            yield _hit(stack, now, found.node, message)
        elif found is None and old.role.startswith(('machineDeployments/', 'machinePools/')):
            gone.add('/'.join(old.role.split('/')[:2]))
    for worker in sorted(gone):
        message = f'{worker} of the release before is gone: clusters with such workers cannot move here'
        yield _hit(stack, now, now.object.root.get('spec', 'workers'), message)


def _kind(reference: Reference) -> tuple[str, str]:
    return reference.api_version.partition('/')[0], reference.kind


def _class(variables: str, worker: str = 'default-worker', kind: str = 'OpenStackMachineTemplate') -> str:
    return (
        f'{CLASS_HEAD}  workers:\n    machineDeployments:\n      - class: {worker}\n'
        '        template:\n          infrastructure:\n'
        f'            ref: {{apiVersion: infrastructure.cluster.x-k8s.io/v1beta1, kind: {kind}, name: x}}\n'
        f'  variables:\n{variables}'
    )


def _variable(name: str, kind: str = 'string', more: str = '', required: str = 'false') -> str:
    head = f'    - name: {name}\n      required: {required}\n      schema:\n        openAPIV3Schema:\n'
    return f'{head}          type: {kind}\n{more}'


def _example(before: str, now: str, *lines: int) -> Example:
    return replace(printed_class(now, *lines), before=printed_class(before))


_OLD = _class(_variable('flavor') + _variable('lb', more='          default: ovn\n'))

RULE = Rule(
    id='upgrade-class',
    severity=Severity.ERROR,
    title='clusters of the release before can move to this class',
    motivation=(
        'Cluster API checks a cluster against the new class when its topology names it: a variable that is gone or has '
        'another type, or other kinds of templates, keep every cluster on the old release.'
    ),
    check=check,
    bad=(
        _example(_OLD, _class(_variable('flavor')), 13),
        _example(_OLD, _OLD + _variable('zone', required='true'), 24),
        _example(_OLD, _OLD.replace('type: string', 'type: integer', 1), 17),
        _example(_OLD, _OLD.replace('default: ovn', 'default: amphora'), 23),
        _example(_OLD, _OLD.replace('class: default-worker', 'class: worker'), 7),
        _example(_OLD, _OLD.replace('OpenStackMachine', 'DockerMachine'), 11),
    ),
    good=(_example(_OLD, _OLD + _variable('zone')), printed_class(_OLD)),
)
