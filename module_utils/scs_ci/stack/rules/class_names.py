"""Objects of the class chart carry its version in their names, so that two releases can be there at once."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..clusterclass import GROUP
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import Example, Hit, Rule, printed_class

INFRASTRUCTURE = 'infrastructure.cluster.x-k8s.io'
# Groups of the objects that a ClusterClass is made of end so; Cluster API forbids changes to most of their specs.
OF_CLUSTER_API = f'.{GROUP}'


def check(stack: Stack) -> Iterable[Hit]:
    found = list(class_objects(stack))
    versions = {version for o in found if o.kind == 'ClusterClass' and (version := _version(stack, o))}
    for one in found if stack.identity else ():
        name = one.root.get('metadata', 'name')
        if name is None or any(version in name.text for version in versions):
            continue
        place = one.place(stack, name)
        if one.group.endswith(OF_CLUSTER_API) or one.group == GROUP:
            message = f'{one.title} has the same name in every release: the next one changes or loses what clusters of '
            message += 'this one use; name it {{ .Release.Name }}-{{ .Chart.Version }}-…'
            yield Hit(place.file, place.line, message, seen=one.name)
        else:
            message = f'{one.title} is shared by all releases of this version: the next one must not change it'
            yield Hit(place.file, place.line, message, seen=one.name, severity=Severity.NOTICE)


def _version(stack: Stack, found: Object) -> str:
    """What comes after the name of the helm release in the name of the class; '' when there is no more."""
    base = f'{stack.identity.base}-' if stack.identity else ''
    return found.name.removeprefix(base) if base and found.name.startswith(base) else ''


def _printed(name: str, *lines: int, kind: str = 'OpenStackMachineTemplate', group: str = INFRASTRUCTURE) -> Example:
    text = (
        'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\nmetadata:\n  name: openstack-demo-1-34-v0-sha.abc\n'
        f'---\napiVersion: {group}/v1beta1\nkind: {kind}\nmetadata:\n  name: {name}\n'
    )
    return printed_class(text, *lines)


RULE = Rule(
    id='class-names',
    severity=Severity.ERROR,
    title='objects of the class have names of their own in every release',
    motivation='The operator installs a release beside the former one; templates of the same name would be changed.',
    check=check,
    bad=(
        _printed('openstack-demo-1-34-worker', 9),
        _printed('ubuntu-capi-image-v1.34.7', 9, kind='Image', group='openstack.k-orc.cloud'),
    ),
    good=(_printed('openstack-demo-1-34-v0-sha.abc-worker'), Example()),
)
