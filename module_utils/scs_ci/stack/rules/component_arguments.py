"""Arguments given to kubelet, control plane and etcd exist in the Kubernetes version of the stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..arguments import ARGUMENTS, FIRST, LAST, MINOR, REMOVED, SINCE
from ..clusterclass import cluster_classes
from ..hits import at, nearest
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import BASE, Example, Hit, Rule
from ..yamltext import List, Map, Node

TEMPLATE = 'cluster-class/templates/class.yaml'
# Keys of kubeadm's configuration below which arguments of a program stand.
PROGRAMS = {
    'apiServer': 'kube-apiserver',
    'controllerManager': 'kube-controller-manager',
    'scheduler': 'kube-scheduler',
    'local': 'etcd',
}
EXTRA, KUBELET = 'extraArgs', 'kubeletExtraArgs'
PAUSE = 'pod-infra-container-image: registry.example/pause:3.10\n'
COORDINATED = 'coordinated-leadership-retry-period: 2s\n'


def check(stack: Stack) -> Iterable[Hit]:
    for found in class_objects(stack):
        if found.kind.startswith('Kubeadm'):
            for program, node, name in _arguments(found.root):
                yield from _hit(stack, found, program, node, name)
    for view in cluster_classes(stack)[:1]:
        for patch in view.patches:
            for definition in patch.definitions:
                for operation in definition.operations:
                    program, name = _of_path(operation.path)
                    place = operation.node.get('path')
                    if program and name and place is not None:
                        yield from _hit(stack, view.object, program, place, name)


def _arguments(node: Node, key: str = '') -> Iterator[tuple[str, Node, str]]:
    """(program, node, argument) of everything below. Arguments are a mapping, in v1beta2 a list of names and values."""
    if isinstance(node, List):
        for child in node.nodes:
            yield from _arguments(child, key)
    for name, value in node.entries if isinstance(node, Map) else ():
        program = 'kubelet' if name.content == KUBELET else PROGRAMS.get(key, '') if name.content == EXTRA else ''
        if program and isinstance(value, Map):
            yield from ((program, argument, argument.content) for argument, _ in value.entries)
        elif program and isinstance(value, List):
            yield from ((program, entry, entry.value('name')) for entry in value.nodes)
        else:
            yield from _arguments(value, name.content)


def _of_path(path: str) -> tuple[str, str]:
    """(program, argument) that a JSON pointer writes, ('', '') when it writes something else."""
    parts = path.split('/')
    for number, part in enumerate(parts[:-1]):
        program = 'kubelet' if part == KUBELET else PROGRAMS.get(parts[number - 1], '') if part == EXTRA else ''
        if program and number == len(parts) - 2 and not parts[-1].isdecimal() and parts[-1] != '-':
            return program, parts[-1].replace('~1', '/').replace('~0', '~')
    return '', ''


def _hit(stack: Stack, found: Object, program: str, node: Node, name: str) -> Iterator[Hit]:
    version = stack.version
    if version is None or not name:
        return
    first, last = SINCE[program].get(name), REMOVED[program].get(name)
    if last is not None and last <= version.minor:
        message = f'{program} has no argument --{name} since Kubernetes 1.{last}: it does not start'
        yield at(stack, found, node.line, message, seen=name)
    elif first is not None and first > version.minor:
        message = f'{program} has the argument --{name} only since Kubernetes 1.{first}: it does not start'
        yield at(stack, found, node.line, message, seen=name)
    elif first is None and last is None and name not in ARGUMENTS[program]:
        message = f'{program} of Kubernetes 1.{MINOR} has no argument --{name}{nearest(name, ARGUMENTS[program])}'
        sure = FIRST <= version.minor <= LAST or (program == 'etcd' and version.minor >= FIRST)
        text = f'{message}: it does not start' if sure else f'{message}; the stack is at {version}'
        yield at(stack, found, node.line, text, seen=name, severity=None if sure else Severity.WARNING)


def _example(arguments: str, *hits: int, version: str = 'v1.34.7') -> Example:
    text = (
        'apiVersion: controlplane.cluster.x-k8s.io/v1beta1\n'
        'kind: KubeadmControlPlaneTemplate\n'
        'metadata:\n'
        '  name: x\n'
        'spec:\n'
        '  clusterConfiguration:\n'
    ) + arguments
    rendered = {'cluster-class': '# Source: x/templates/class.yaml\n' + text}
    files = {TEMPLATE: text, 'csctl.yaml': BASE['csctl.yaml'].replace('v1.34.7', version)}
    return Example(files, rendered, hits=tuple((TEMPLATE, line) for line in hits))


RULE = Rule(
    id='component-arguments',
    severity=Severity.ERROR,
    title='arguments of Kubernetes programs exist in the version of the stack',
    motivation=(
        'kubeadm accepts every argument; a misspelt or removed one shows as an API server or kubelet that restarts for '
        'ever, on a machine that nobody can log in to.'
    ),
    check=check,
    bad=(
        _example('    apiServer:\n      extraArgs:\n        oidc-client-ids: a\n', 9),
        _example('    apiServer:\n      extraArgs:\n      - name: oidc-client-ids\n        value: a\n', 9),
        _example('    kubeletExtraArgs:\n      cni-bin-dir: /x\n', 8),
        _example('    etcd:\n      local:\n        extraArgs:\n          snapshot-counts: "1"\n', 10),
        _example(f'    kubeletExtraArgs:\n      {PAUSE}', 8, version='v1.35.2'),
        _example(f'    apiServer:\n      extraArgs:\n        {COORDINATED}', 9, version='v1.33.4'),
    ),
    good=(
        Example(),
        _example('    apiServer:\n      extraArgs:\n        oidc-client-id: a\n'),
        _example('    scheduler:\n      extraArgs:\n      - name: bind-address\n        value: a\n'),
        _example('    etcd:\n      local:\n        extraArgs:\n          snapshot-count: "1"\n'),
        _example(f'    kubeletExtraArgs:\n      {PAUSE}', version='v1.34.7'),
        _example('    apiServer:\n      extraArgs:\n        cloud-provider: external\n', version='v1.32.5'),
    ),
)
