"""Storage classes have a driver, and one of them at most is the default."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..hits import at
from ..model import Stack
from ..objects import Object, addon_objects
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
DEFAULT = 'storageclass.kubernetes.io/is-default-class'
# Provisioners of Kubernetes itself need no object.
BUILT_IN = 'kubernetes.io/'


def check(stack: Stack) -> Iterable[Hit]:
    printed = list(addon_objects(stack))
    drivers = {found.name for found in printed if found.kind == 'CSIDriver'}
    classes = [found for found in printed if found.kind == 'StorageClass' and found.group == 'storage.k8s.io']
    standard = [found for found in classes if _is_default(found)]
    for found in standard[1:]:
        message = f'{found.title} is the default, {standard[0].name} as well: the newest one wins; leave one of them'
        yield at(stack, found, found.root.line, message, seen=found.name, wanted=standard[0].name)
    if any(r.unavailable or r.error for r in stack.renderings):
        return
    for found in classes:
        node = found.root.get('provisioner')
        if drivers and node is not None and not node.text.startswith(BUILT_IN) and node.text not in drivers:
            message = f'{found.title} wants the driver {node.text}, and no addon registers one: claims stay pending'
            yield at(stack, found, node.line, message, seen=node.text, wanted=', '.join(sorted(drivers)))


def _is_default(found: Object) -> bool:
    annotations = found.root.get('metadata', 'annotations')
    return annotations is not None and annotations.value(DEFAULT) == 'true'


def _class(name: str, default: str, provisioner: str = 'cinder.csi.openstack.org') -> str:
    return (
        f'---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: {name}\n'
        f'  annotations: {{{DEFAULT}: "{default}"}}\nprovisioner: {provisioner}\n'
    )


def _example(*classes: str, lines: tuple[int, ...] = ()) -> Example:
    driver = 'apiVersion: storage.k8s.io/v1\nkind: CSIDriver\nmetadata: {name: cinder.csi.openstack.org}\n'
    text = driver + ''.join(classes)
    rendered = {'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


RULE = Rule(
    id='storage-classes',
    severity=Severity.WARNING,
    title='storage classes have a driver, and one is the default',
    motivation='With two default classes it depends on their age where claims without a class get their volume.',
    check=check,
    bad=(
        _example(_class('a', 'true'), _class('b', 'true'), lines=(12,)),
        _example(_class('a', 'true', 'cinder.csi.openstack'), lines=(10,)),
    ),
    good=(
        Example(),
        _example(_class('a', 'true'), _class('b', 'false'), _class('c', 'false', 'kubernetes.io/no-provisioner')),
    ),
)
