"""Kubelets that wait for a cloud controller get one, and it can run before they are ready."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..clusterclass import cluster_classes
from ..hits import at
from ..model import Stack
from ..objects import Object, addon_objects, class_objects
from ..rule import Example, Hit, Rule
from ..yamltext import List, Map, Node, walk

TEMPLATE = 'cluster-class/templates/class.yaml'
ADDON = 'cluster-addon/cni/templates/a.yaml'
# What kubelet puts on a node that waits for the cloud controller, and every new node has until its network works.
TAINT, VALUE, EFFECT = 'node.cloudprovider.kubernetes.io/uninitialized', 'true', 'NoSchedule'
CONTROLLER = re.compile(r'(?:^|[/ ])[\w.-]*cloud-controller-manager(?:[:@ ]|$)')
ARGUMENT, EXTERNAL = 'cloud-provider', 'external'


@dataclass(frozen=True)
class Kubelet:
    """How machines are registered. node: nodeRegistration, or what stands in its place."""

    object: Object
    node: Node
    external: bool


def check(stack: Stack) -> Iterable[Hit]:
    kubelets = list(_kubelets(stack))
    controllers = [found for found in addon_objects(stack) if _is_controller(found)]
    waiting = [kubelet for kubelet in kubelets if kubelet.external]
    if not waiting or _patched(stack):
        return
    for kubelet in kubelets:
        if not kubelet.external:
            message = (
                f'{kubelet.object.title} registers nodes without {ARGUMENT}: {EXTERNAL}, other nodes of the class have '
                'it: the cloud controller passes over these nodes'
            )
            yield at(stack, kubelet.object, kubelet.node.line, message, wanted=f'{ARGUMENT}: {EXTERNAL}')
    for found in controllers:
        yield from _tolerates(stack, found)
    complete = all(r.parts and not r.error and not r.unavailable for r in stack.renderings)
    if not controllers and complete and len(stack.renderings) == len(stack.charts):
        first = waiting[0]
        message = f'nodes wait for a cloud controller ({ARGUMENT}: {EXTERNAL}), and no addon brings one'
        yield at(stack, first.object, first.node.line, message, severity=Severity.WARNING)


def _kubelets(stack: Stack) -> Iterator[Kubelet]:
    for found in class_objects(stack):
        if found.kind not in ('KubeadmControlPlaneTemplate', 'KubeadmConfigTemplate'):
            continue
        for node in walk(found.root):
            for side in ('initConfiguration', 'joinConfiguration'):
                configuration = node.get(side)
                if isinstance(configuration, Map):
                    registration = configuration.get('nodeRegistration') or configuration
                    yield Kubelet(found, registration, _external(registration))


def _patched(stack: Stack) -> bool:
    """Whether a patch has a say in it: then it depends on variables what kubelets get."""
    return any(
        ARGUMENT in text
        for view in cluster_classes(stack)[:1]
        for patch in view.patches
        for operation in (o for definition in patch.definitions for o in definition.operations)
        for text in (operation.path, operation.template, *(n.text for n in walk(operation.value)))
    )


def _external(registration: Node) -> bool:
    arguments = registration.get('kubeletExtraArgs')
    if isinstance(arguments, List):
        return any(e.value('name') == ARGUMENT and e.value('value') == EXTERNAL for e in arguments.nodes)
    return arguments is not None and arguments.value(ARGUMENT) == EXTERNAL


def _is_controller(found: Object) -> bool:
    for container in found.root.items('spec', 'template', 'spec', 'containers'):
        words = (container.value('image'), *(n.text for k in ('command', 'args') for n in container.items(k)))
        if any(CONTROLLER.search(word) for word in words):
            return True
    return False


def _tolerates(stack: Stack, found: Object) -> Iterator[Hit]:
    pod = found.root.get('spec', 'template', 'spec')
    if pod is None or any(_tolerated(toleration) for toleration in pod.items('tolerations')):
        return
    message = (
        f'{found.title} does not tolerate {TAINT}, which every node has until this very program has run: no node gets '
        'ready; a list in values replaces the one of the chart'
    )
    line = (pod.get('tolerations') or pod).line
    yield at(stack, found, line, message, wanted=f'{TAINT}={VALUE}:{EFFECT}')


def _tolerated(node: Node) -> bool:
    key, value = node.value('key'), node.value('value')
    exists = node.value('operator') == 'Exists'
    if node.value('effect') not in ('', EFFECT):
        return False
    return (exists and key in ('', TAINT)) or (key == TAINT and value == VALUE)


def _example(
    worker: str, tolerations: str, *hits: tuple[str, int], image: str = 'x/a-cloud-controller-manager:v1'
) -> Example:
    text = (
        'apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlaneTemplate\nmetadata: {name: a}\n'
        'spec:\n  initConfiguration:\n    nodeRegistration:\n      kubeletExtraArgs: {cloud-provider: external}\n'
        '---\napiVersion: bootstrap.cluster.x-k8s.io/v1beta1\nkind: KubeadmConfigTemplate\nmetadata: {name: b}\n'
        f'spec:\n  joinConfiguration:\n    nodeRegistration:\n      kubeletExtraArgs: {worker}\n'
    )
    addon = (
        'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: ccm}\nspec:\n  template:\n    spec:\n'
        f'      containers:\n        - image: {image}\n      tolerations: {tolerations}\n'
    )
    rendered = {
        'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text,
        'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + addon,
    }
    return Example({TEMPLATE: text, ADDON: addon}, rendered, hits=hits)


_EXTERNAL = '{cloud-provider: external}'
_TOLERATES = f'[{{key: {TAINT}, value: "true", effect: NoSchedule}}]'

RULE = Rule(
    id='cloud-provider',
    severity=Severity.ERROR,
    title='nodes that wait for a cloud controller get one that can run',
    motivation=(
        'With cloud-provider: external a node takes no pods until the cloud controller has seen it. Where that needs a '
        'ready node itself, or looks for nodes of another kind, a cluster waits for ever with everything green.'
    ),
    check=check,
    bad=(
        _example(_EXTERNAL, '[{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]', (ADDON, 9)),
        _example(_EXTERNAL, '[]', (ADDON, 9)),
        _example('{v: "2"}', _TOLERATES, (TEMPLATE, 15)),
        _example(_EXTERNAL, _TOLERATES, (TEMPLATE, 7), image='x/other:v1'),
    ),
    good=(
        Example(),
        _example(_EXTERNAL, _TOLERATES),
        _example('[{name: cloud-provider, value: external}]', '[{operator: Exists}]'),
    ),
)
