"""Every patch of the class can be computed and applied for every set of variables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..answers import PATCH, Failure
from ..clusterclass import ClusterClass, Patch, cluster_classes
from ..hits import at
from ..model import Stack
from ..points import points
from ..rule import Example, Hit, Rule
from ..yamltext import Node

TEMPLATE = 'cluster-class/templates/class.yaml'
POINTER = re.compile(r'(?<=[\s"])(/[^\s":]+)')
# What the engine adds to each message and what tells the reader nothing.
NOISE = ('failed to apply patch: ', 'error applying json patch (RFC6902): ', 'failed to calculate value for ')


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        yield from _class(stack, view)


def _class(stack: Stack, view: ClusterClass) -> Iterable[Hit]:
    guessed = {point.name: point.guessed for point in points(view)}
    seen: set[tuple[str, str]] = set()
    for failure in stack.answers.failures:
        key = (failure.patch, _cause(failure.problem.message))
        if failure.stage != PATCH or key in seen:
            continue
        seen.add(key)
        patch = next((p for p in view.patches if p.name == failure.patch), None)
        line = _node(patch, failure).line if patch else view.object.root.line
        yield at(stack, view.object, line, _message(failure), severity=_severity(failure, guessed))


def _cause(message: str) -> str:
    """The same for all fields that have no place because of one missing parent."""
    return POINTER.sub(lambda match: match[1].rpartition('/')[0], message) if 'missing path' in message else message


def _message(failure: Failure) -> str:
    said = failure.problem.message
    for noise in NOISE:
        said = said.replace(noise, '')
    text = f'patch {failure.patch} fails ({failure.point}): {said}'
    if 'missing path' in said or 'missing key' in said:
        text += '; the template and the patches before have no such field, so add its parent first'
    return text


def _severity(failure: Failure, guessed: dict[str, bool]) -> Severity | None:
    """A function that fails with a value that nobody named says little about values of real users."""
    made_up = guessed.get(failure.point, False) and 'error calling' in failure.problem.message
    return Severity.WARNING if made_up else None


def _node(patch: Patch, failure: Failure) -> Node:
    """The condition, or the operation whose path, variable or only template the message is about; else the patch."""
    said = failure.problem.message
    if 'enabledIf' in said:
        return patch.node.get('enabledIf') or patch.node
    operations = [operation for definition in patch.definitions for operation in definition.operations]
    paths = POINTER.findall(said)
    for operation in operations:
        if operation.path in paths:
            return operation.node.get('path') or operation.node
    for operation in operations:
        if operation.variable and f'"{operation.variable}"' in said and operation.value_node is not None:
            return operation.value_node
    texts = [operation.value_node for operation in operations if operation.template]
    return texts[0] if 'template' in said and len(texts) == 1 and texts[0] is not None else patch.node


PATH = '/spec/template/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs/oidc-client-id'
CLASS = (
    'apiVersion: cluster.x-k8s.io/v1beta1\n'
    'kind: ClusterClass\n'
    'metadata:\n'
    '  name: {{ .Release.Name }}\n'
    'spec:\n'
    '  patches:\n'
    '    - name: oidc\n'
    '      definitions:\n'
    '        - selector:\n'
    '            kind: KubeadmControlPlaneTemplate\n'
    '          jsonPatches:\n'
    '            - op: add\n'
    f'              path: {PATH}\n'
    '              value: me\n'
)
RENDERED = {'cluster-class': '# Source: x/templates/class.yaml\n' + CLASS.replace('{{ .Release.Name }}', 'x')}
SAID = (
    'failed to apply patch: error applying json patch (RFC6902): add operation does not apply: doc is missing path: '
    f'"{PATH}": missing value'
)

RULE = Rule(
    id='class-patches',
    severity=Severity.ERROR,
    title='every patch can be computed and applied for every set of variables',
    motivation=(
        'oidcConfig of scs2 adds below apiServer.extraArgs, and the template has no extraArgs: who sets the variable '
        'never gets a cluster. Nothing is refused before somebody sets it.'
    ),
    check=check,
    bad=(
        Example(
            {TEMPLATE: CLASS},
            RENDERED,
            answer={'points': [{'point': 'oidc: true', 'stage': 'patch', 'patch': 'oidc', 'message': SAID}]},
            hits=((TEMPLATE, 13),),
        ),
    ),
    good=(Example({TEMPLATE: CLASS}, RENDERED),),
    asks=True,
)
