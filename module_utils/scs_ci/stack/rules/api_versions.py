"""API versions exist in the Kubernetes version of the stack, and are not about to end."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..answers import DEPRECATED, INTRODUCED, REMOVED
from ..hits import at
from ..model import Stack
from ..objects import addon_objects
from ..paths import find
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
ENDS = (DEPRECATED, REMOVED, INTRODUCED)


def check(stack: Stack) -> Iterable[Hit]:
    for found, problems in zip(addon_objects(stack), stack.answers.addon_objects, strict=False):
        for problem in problems:
            if problem.kind in ENDS:
                node = find(found.root, 'apiVersion')
                version = str(stack.version) if stack.version else 'unknown'
                message = f'{found.title}: {problem.message}; the clusters have {version}'
                sure = problem.kind != DEPRECATED and found.place(stack, node).own
                severity = None if sure else Severity.WARNING
                yield at(stack, found, node.line, message, seen=found.api_version, severity=severity)


TEXT = 'apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata:\n  name: {{ x }}\n'


def _example(kind: str, *hits: int) -> Example:
    rendered = {'cluster-addon/cni': '# Source: cni/templates/a.yaml\n' + TEXT.replace('{{ x }}', 'x')}
    answer = {
        'addons': [[{'kind': kind, 'path': 'apiVersion', 'message': 'policy/v1beta1 was removed in Kubernetes 1.25'}]]
    }
    return Example({TEMPLATE: TEXT}, rendered, answer=answer, hits=tuple((TEMPLATE, line) for line in hits))


RULE = Rule(
    id='api-versions',
    severity=Severity.ERROR,
    title='API versions of addons exist in the Kubernetes version of the stack',
    motivation='An object whose API version the cluster does not serve fails the whole stage of the addon.',
    check=check,
    bad=(_example('removed', 1), _example('introduced', 1), _example('deprecated', 1)),
    good=(Example(), _example('no-definition')),
    asks=True,
)
