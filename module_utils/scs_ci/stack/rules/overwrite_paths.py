"""overwrite.yaml names fields that a cluster has."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..overwrite import TOP_KEYS, unresolved
from ..rule import Example, Hit, Rule
from ..samples import cluster_objects
from ..treehash import ADDON_VALUES

FILE = 'cluster-addon/cni/overwrite.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    objects = cluster_objects(stack)
    for path in stack.files:
        used = stack.addon_layout == 'stages' and path.endswith('/overwrite.yaml') and path.startswith('cluster-addon/')
        if not used and not (stack.addon_layout == 'single' and path == ADDON_VALUES):
            continue
        for missing, line in unresolved(stack.text(path), objects):
            unknown = missing.split('.')[1] not in TOP_KEYS
            message = f'{missing} prints <no value>: ' + (
                f'there are only .{", .".join(TOP_KEYS)}' if unknown else 'a fresh cluster has no such field'
            )
            # The made-up cluster cannot have every field; a wrong first key is certain.
            yield Hit(path, line, message, seen=missing, severity=Severity.ERROR if unknown else Severity.WARNING)


RULE = Rule(
    id='overwrite-paths',
    severity=Severity.ERROR,
    title='overwrite templates name existing fields',
    motivation='CSO prints <no value> for a path that does not exist, without error or event.',
    check=check,
    bad=(
        Example({FILE: 'values: |\n  name: {{ .Nothing.at.all }}\n'}, hits=((FILE, 2),)),
        Example({FILE: 'values: |\n  name: {{ .Cluster.metadata.nam }}\n'}, hits=((FILE, 2),)),
    ),
    good=(
        Example({FILE: 'values: |\n  name: {{ .Cluster.metadata.name }}\n  a: {{ .Cluster.x | default "b" }}\n'}),
        Example({FILE: 'values: |\n  host: "{{ .Cluster.spec.controlPlaneEndpoint.host }}"\n'}),
    ),
)
