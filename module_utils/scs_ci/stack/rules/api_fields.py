"""Fields of addon objects exist in the Kubernetes version of the stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..hits import at
from ..model import Stack
from ..objects import addon_objects
from ..rule import BASE, Example, Hit, Rule
from ..yamltext import List, Map, Node, walk

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
# Fields that came with a minor of Kubernetes 1, from the types of 1.29.0 to 1.36.3. The path begins at the spec of a
# pod; `[]` are the elements of a list.
OF_PODS = {
    'resources': 32,
    'hostnameOverride': 34,
    'schedulingGroup': 36,
    'securityContext.appArmorProfile': 30,
    'securityContext.supplementalGroupsPolicy': 31,
    'securityContext.seLinuxChangePolicy': 32,
    'volumes.[].projected.sources.[].podCertificate': 34,
    **{
        f'{containers}.[].{field}': minor
        for containers in ('containers', 'initContainers')
        for field, minor in {
            'securityContext.appArmorProfile': 30,
            'volumeMounts.[].recursiveReadOnly': 30,
            'lifecycle.stopSignal': 33,
            'restartPolicyRules': 34,
            'env.[].valueFrom.fileKeyRef': 34,
        }.items()
    },
}
# The same below `spec` of other kinds.
OF_KINDS = {
    'Service': {'trafficDistribution': 30},
    'Job': {'managedBy': 30, 'successPolicy': 30},
    'HorizontalPodAutoscaler': {'behavior.scaleUp.tolerance': 33, 'behavior.scaleDown.tolerance': 33},
    'CSIDriver': {
        'nodeAllocatableUpdatePeriodSeconds': 33,
        'serviceAccountTokenInSecrets': 35,
        'preventPodSchedulingIfMissing': 36,
    },
}


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None or version.major != 1:
        return
    for found in addon_objects(stack):
        spec = found.root.get('spec')
        tables = [(spec, OF_KINDS.get(found.kind, {})), *((pod, OF_PODS) for pod in _pods(spec))]
        for root, fields in tables:
            for path, minor in fields.items():
                for node in _at(root, path.split('.')) if version.minor < minor else ():
                    message = (
                        f'{found.title} has {path.replace(".[]", "[]")}, which came with Kubernetes 1.{minor}, '
                        f'the stack is at {version}: the API server refuses it as not declared in its schema'
                    )
                    yield at(stack, found, node.line, message, seen=path.rsplit('.', 1)[-1])


def _pods(spec: Node | None) -> Iterator[Map]:
    """Specifications of pods, in workloads of any kind."""
    for node in walk(spec):
        if isinstance(node, Map) and isinstance(node.get('containers'), List):
            yield node


def _at(node: Node | None, path: list[str]) -> Iterator[Node]:
    """What stands at a path, at its key."""
    if not path or node is None:
        return
    if path[0] == '[]':
        for element in node.nodes if isinstance(node, List) else ():
            yield from _at(element, path[1:])
    elif isinstance(node, Map):
        for name, value in node.entries:
            if name.content == path[0]:
                yield from _at(value, path[1:]) if len(path) > 1 else iter((name,))


def _example(version: str, text: str, *lines: int) -> Example:
    files = {TEMPLATE: text, 'csctl.yaml': BASE['csctl.yaml'].replace('v1.34.7', version)}
    rendered = {'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + text}
    return Example(files, rendered, hits=tuple((TEMPLATE, line) for line in lines))


_DAEMONS = (
    'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n'
    '      securityContext:\n        appArmorProfile: {type: Unconfined}\n      containers:\n'
    '        - name: b\n          securityContext:\n            appArmorProfile: {type: Unconfined}\n'
)
_SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  trafficDistribution: PreferClose\n'

RULE = Rule(
    id='api-fields',
    severity=Severity.ERROR,
    title='fields of addon objects exist in this Kubernetes version',
    motivation=(
        'Cilium was given an appArmorProfile, which older minors do not have: its daemons were refused, and the nodes '
        'of new clusters stayed NotReady (issues 143 and 150).'
    ),
    check=check,
    bad=(
        _example('v1.29.9', _DAEMONS, 8, 12),
        _example('v1.29.9', _SERVICE, 5),
    ),
    good=(
        Example(),
        _example('v1.30.1', _DAEMONS),
        _example('v1.34.7', _SERVICE),
    ),
)
