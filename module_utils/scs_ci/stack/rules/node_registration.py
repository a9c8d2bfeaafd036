"""All machines of a control plane are registered alike, the first one as well as those that join."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...core.records import Severity
from ..clusterclass import ClusterClass, Patch, cluster_classes
from ..hits import at
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import Example, Hit, Rule
from ..yamltext import List, Map, Node

TEMPLATE = 'cluster-class/templates/class.yaml'
FIRST, JOINING = 'initConfiguration', 'joinConfiguration'
OTHER = {FIRST: JOINING, JOINING: FIRST}
WHICH = {FIRST: 'the first machine of the control plane', JOINING: 'the machines that join it'}
PATH = re.compile(rf'.*/kubeadmConfigSpec/(?P<which>{FIRST}|{JOINING})/(?P<rest>nodeRegistration\b.*|patches\b.*)')
ARGUMENTS = 'kubeletExtraArgs'


def check(stack: Stack) -> Iterable[Hit]:
    for found in class_objects(stack):
        if found.kind == 'KubeadmControlPlaneTemplate':
            yield from _template(stack, found)
    for view in cluster_classes(stack)[:1]:
        for patch in view.patches:
            yield from _patch(stack, view, patch)


def _template(stack: Stack, found: Object) -> Iterator[Hit]:
    spec = found.root.get('spec', 'template', 'spec', 'kubeadmConfigSpec')
    if spec is None:
        return
    sides = {side: _settings(spec.get(side, 'nodeRegistration')) for side in OTHER}
    for side, other in OTHER.items():
        for name, node in sides[side].items():
            there = sides[other].get(name)
            if there is None:
                message = f'{WHICH[side]} gets {name}, and {WHICH[other]} not: give it to both'
                yield at(stack, found, node.line, message, seen=name, wanted=f'{other}.nodeRegistration.{name}')
            elif side == JOINING and _plain(there) != _plain(node):
                message = f'{name} is {node.text or "other"} for {WHICH[side]} and {there.text or "other"} for '
                message += f'{WHICH[other]}: make it the same'
                yield at(stack, found, node.line, message, seen=node.text or None, wanted=there.text or None)


def _settings(node: Node | None) -> dict[str, Node]:
    """Everything in a nodeRegistration by its path; arguments one by one, be they a mapping or a list of names."""
    found: dict[str, Node] = {}
    for name, value in node.entries if isinstance(node, Map) else ():
        if name.content != ARGUMENTS:
            found[name.content] = value
        elif isinstance(value, Map):
            found |= {f'{ARGUMENTS}.{n.content}': v for n, v in value.entries}
        elif isinstance(value, List):
            found |= {f'{ARGUMENTS}.{e.value("name")}': e.get('value') or e for e in value.nodes}
    return {name: node for name, node in found.items() if _plain(node) not in (None, '', [], {})}


def _plain(node: Node) -> Any:
    return node.text or node.plain()


def _patch(stack: Stack, view: ClusterClass, patch: Patch) -> Iterator[Hit]:
    """What a patch changes for one side it changes for the other, too."""
    changed: dict[str, dict[str, Node]] = {FIRST: {}, JOINING: {}}
    for definition in patch.definitions:
        if definition.control_plane:
            for operation in definition.operations:
                match = PATH.fullmatch(operation.path)
                if match:
                    changed[match['which']].setdefault(match['rest'], operation.node.get('path') or operation.node)
    for side, other in OTHER.items():
        for rest in changed[side].keys() - changed[other].keys():
            message = (
                f'patch {patch.name} changes {rest} for {WHICH[side]} alone: the others of the control plane go without'
            )
            line = changed[side][rest].line
            yield at(stack, view.object, line, message, seen=f'{side}/{rest}', wanted=f'{other}/{rest}')


def _example(first: str, joining: str, *lines: int) -> Example:
    text = (
        'apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlaneTemplate\nmetadata: {name: x}\n'
        'spec:\n  template:\n    spec:\n      kubeadmConfigSpec:\n        initConfiguration:\n'
        f'          nodeRegistration:\n            kubeletExtraArgs: {first}\n'
        f'        joinConfiguration:\n          nodeRegistration:\n            kubeletExtraArgs: {joining}\n'
    )
    rendered = {'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


def _patched(paths: tuple[str, ...], *lines: int) -> Example:
    operations = ''.join(
        f'        - op: add\n          path: /spec/template/spec/kubeadmConfigSpec/{path}\n          value: x\n'
        for path in paths
    )
    text = (
        'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\nmetadata: {name: x}\nspec:\n  patches:\n'
        '    - name: one\n      definitions:\n      - selector: {matchResources: {controlPlane: true}}\n'
        f'        jsonPatches:\n{operations}'
    )
    rendered = {'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


_BOTH = tuple(f'{side}/nodeRegistration/kubeletExtraArgs/v' for side in (FIRST, JOINING))

RULE = Rule(
    id='node-registration',
    severity=Severity.WARNING,
    title='all machines of a control plane are registered alike',
    motivation=(
        'kubeadm reads initConfiguration on the first machine only. What is missing in joinConfiguration is missing on '
        'the second and third, and on every one after an upgrade, when the first is long gone.'
    ),
    check=check,
    bad=(
        _example('{cloud-provider: external}', '{}', 10),
        _example('{v: "2"}', '{v: "4"}', 13),
        _example('[{name: v, value: "2"}]', '[{name: x, value: "2"}]', 10, 13),
        _patched(_BOTH[:1], 11),
    ),
    good=(
        Example(),
        _example('{cloud-provider: external}', '{cloud-provider: external}'),
        _patched(_BOTH),
        _patched(('files/-',)),
    ),
)
