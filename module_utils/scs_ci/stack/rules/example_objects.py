"""ClusterStack and Cluster objects that users apply fit the stack beside them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ...core.records import Severity
from ..clusterclass import GROUP, cluster_classes
from ..documents import samples
from ..model import CLASS_DIR, Stack
from ..rule import Example, Hit, Rule
from ..versions import DOTTED
from ..yamltext import Map, Node, Scalar

MINOR = re.compile(r'\d\.\d+')
FILE = 'clusterstack.yaml'
# Values that a variable of the shell gave, see documents.substitute.
UNKNOWN = 'value-of-'


@dataclass(frozen=True)
class Sample:
    """An object in a file or document. offset: adds to lines of its nodes."""

    file: str
    root: Map
    offset: int = 0

    def hit(self, node: Node | None, message: str, seen: str | None = None, wanted: str | None = None) -> Hit:
        return Hit(self.file, (node or self.root).line + self.offset, message, seen=seen, wanted=wanted)


def check(stack: Stack) -> Iterable[Hit]:
    for sample in _samples(stack):
        kind, group = sample.root.value('kind'), sample.root.value('apiVersion').partition('/')[0]
        if kind == 'ClusterStack' and group == 'clusterstack.x-k8s.io':
            yield from _cluster_stack(stack, sample)
        elif kind == 'Cluster' and group == GROUP:
            yield from _cluster(stack, sample)


def _samples(stack: Stack) -> Iterator[Sample]:
    for file in stack.yaml.values():
        for document in file.documents if '/charts/' not in file.path else ():
            if isinstance(document.root, Map):
                yield Sample(file.path, document.root)
    for shown in samples(stack):
        for document in shown.documents:
            if isinstance(document.root, Map):
                yield Sample(shown.file, document.root, shown.offset)


def _cluster_stack(stack: Stack, sample: Sample) -> Iterator[Hit]:
    spec = sample.root.get('spec')
    if not isinstance(spec, Map):
        yield sample.hit(None, 'a ClusterStack without spec: the operator refuses it', wanted='spec')
        return
    for key, declared in (('provider', stack.provider.text), ('name', stack.name.text)):
        node = spec.get(key)
        if node is None or (declared and node.text != declared and not node.text.startswith(UNKNOWN)):
            message = f'spec.{key} does not name this stack: the operator finds no release of it'
            yield sample.hit(node or spec, message, seen=node.text if node else None, wanted=declared)
    yield from _minor(sample, spec)
    if spec.value('noProvider') != 'true' and spec.get('providerRef') is None:
        message = 'neither noProvider: true nor providerRef: the operator refuses it; add noProvider: true'
        yield sample.hit(spec, message, wanted='noProvider: true')
    channel = spec.get('channel')
    for node in spec.items('versions'):
        yield from _release(sample, node, channel.text if channel else 'stable')


def _minor(sample: Sample, spec: Map) -> Iterator[Hit]:
    node = spec.get('kubernetesVersion')
    if not isinstance(node, Scalar) or node.text.startswith(UNKNOWN):
        if node is None:
            yield sample.hit(spec, 'spec.kubernetesVersion is missing: the operator refuses it', wanted='"1.N"')
    elif not MINOR.fullmatch(node.text) or not node.quoted:
        message = 'spec.kubernetesVersion must be a minor, and a string: the operator refuses anything else'
        minor = re.search(r'\d+\.\d+', node.text)
        yield sample.hit(node, message, seen=node.text, wanted=f'"{minor[0]}"' if minor else '"1.N"')


def _release(sample: Sample, node: Node, channel: str) -> Iterator[Hit]:
    match = DOTTED.fullmatch(node.text)
    if node.text.startswith(UNKNOWN):
        return
    if match is None:
        message = 'this is no version of a release: v1, or v0-channel.patch'
        yield sample.hit(node, message, seen=node.text, wanted='v1')
    elif (match['channel'] is not None) != (channel == 'custom'):
        other = 'custom' if match['channel'] else 'stable'
        message = f'{node.text} is a version of channel {other}, the object asks for channel {channel}'
        yield replace(sample.hit(node, message, node.text, f'channel: {other}'), severity=Severity.WARNING)


def _cluster(stack: Stack, sample: Sample) -> Iterator[Hit]:
    """What the topology names is in the class of the stack, where the class could be rendered."""
    topology = sample.root.get('spec', 'topology')
    classes = cluster_classes(stack)
    if not isinstance(topology, Map) or len(classes) != 1:
        return
    known = {variable.name for variable in classes[0].variables}
    for entry in topology.items('variables'):
        name = entry.get('name')
        if name is not None and name.text not in known:
            near = difflib.get_close_matches(name.text, known, n=1)
            message = f'the class has no variable {name.text!r}: Cluster API refuses the cluster'
            yield sample.hit(name, message, seen=name.text, wanted=near[0] if near else None)
    body = classes[0].object.root.get('spec', 'workers')
    for kind in ('machineDeployments', 'machinePools'):
        workers = {worker.value('class') for worker in body.items(kind)} if body is not None else set()
        for entry in topology.items('workers', kind):
            name = entry.get('class')
            if name is not None and name.text not in workers:
                message = f'the class has no workers of class {name.text!r}: Cluster API refuses the cluster'
                yield sample.hit(name, message, seen=name.text, wanted=', '.join(sorted(workers)))


def _stack(**fields: str) -> str:
    spec = {'provider': 'openstack', 'name': 'demo', 'kubernetesVersion': '"1.34"', 'noProvider': 'true', **fields}
    lines = ''.join(f'  {key}: {value}\n' for key, value in spec.items())
    return f'apiVersion: clusterstack.x-k8s.io/v1alpha1\nkind: ClusterStack\nspec:\n{lines}'


_CLASS = (
    '---\n# Source: x/templates/class.yaml\napiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\nspec:\n'
    '  variables: [{name: flavor}]\n  workers: {machineDeployments: [{class: worker}]}\n'
)
_CLUSTER = (
    'apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nspec:\n  topology:\n    variables:\n      - name: flavor\n'
    '    workers:\n      machineDeployments:\n        - class: worker\n'
)


def _cluster_example(old: str, new: str, *lines: int) -> Example:
    hits = tuple(('cluster.yaml', line) for line in lines)
    return Example({'cluster.yaml': _CLUSTER.replace(old, new)}, rendered={CLASS_DIR: _CLASS}, hits=hits)


RULE = Rule(
    id='example-objects',
    severity=Severity.ERROR,
    title='ClusterStack and Cluster objects beside a stack are accepted and mean it',
    motivation='A generator wrote ClusterStack objects with full versions and without noProvider: they are refused.',
    check=check,
    bad=(
        Example({FILE: _stack(kubernetesVersion='v1.34.7')}, hits=((FILE, 6),)),
        Example({FILE: _stack(kubernetesVersion='1.34')}, hits=((FILE, 6),)),
        Example({FILE: _stack(name='other')}, hits=((FILE, 5),)),
        Example({FILE: _stack(noProvider='false')}, hits=((FILE, 4),)),
        Example({FILE: _stack(versions='[v0-sha-abc]')}, hits=((FILE, 8),)),
        Example({FILE: _stack(versions='[v0-sha.abc]', channel='stable')}, hits=((FILE, 8),)),
        Example({'README.md': f'```yaml\n{_stack(name="other")}```\n'}, hits=(('README.md', 6),)),
        _cluster_example('name: flavor', 'name: flavour', 6),
        _cluster_example('class: worker', 'class: default-worker', 9),
    ),
    good=(
        Example({FILE: _stack(versions='[v0-sha.abc]', channel='custom')}),
        Example({FILE: _stack(versions='[v2]')}),
        Example({'README.md': f'```yaml\n{_stack(versions="[$VERSION]")}```\n'}),
        _cluster_example('x', 'x'),
    ),
)
