"""Feature gates and admission plugins that a class names exist in the Kubernetes version of the stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..arguments import FIRST, LAST
from ..clusterclass import cluster_classes
from ..embedded import Embedded, configurations
from ..hits import at, nearest
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import BASE, Example, Hit, Rule
from ..switches import gates, known, plugins
from ..yamltext import Broken, List, Map, Node, Scalar, parse, walk

TEMPLATE = 'cluster-class/templates/class.yaml'
GATES, PLUGINS = 'feature-gates', ('enable-admission-plugins', 'disable-admission-plugins')
KUBELET, PROXY = 'KubeletConfiguration', 'KubeProxyConfiguration'
# Which words of an argument are read, and what they are called.
ARGUMENTS = {GATES: 'feature gate', **dict.fromkeys(PLUGINS, 'admission plugin')}
EVER = {'feature gate': frozenset(name for minor in range(FIRST, LAST + 1) for name in gates(minor))}


@dataclass(frozen=True)
class Named:
    """A name in an argument or a configuration. line: in the rendering."""

    object: Object
    what: str
    name: str
    line: int


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None or version.major != 1 or not known(version.minor):
        return
    names = {'feature gate': gates(version.minor), 'admission plugin': plugins(version.minor)}
    for one in _named(stack):
        if one.name not in names[one.what]:
            message = f'Kubernetes {version.major}.{version.minor} has no {one.what} {one.name}'
            message += ': the program ends as it starts' + nearest(one.name, names[one.what])
            # gates of libraries are not all declared where these lists come from
            severity = Severity.WARNING if one.what in EVER and one.name not in EVER[one.what] else None
            yield at(stack, one.object, one.line, message, seen=one.name, severity=severity)


def _named(stack: Stack) -> Iterator[Named]:
    for found in class_objects(stack):
        if found.kind.startswith('Kubeadm'):
            for name, value in _arguments(found.root):
                yield from _words(found, name, value)
    for view in cluster_classes(stack)[:1]:
        for patch in view.patches:
            for operation in (o for definition in patch.definitions for o in definition.operations):
                name = operation.path.rsplit('/', 1)[-1]
                if name in ARGUMENTS and isinstance(operation.value, Scalar):
                    yield from _words(view.object, name, operation.value)
    for embedded in configurations(stack):
        yield from _configured(embedded)


def _arguments(root: Node) -> Iterator[tuple[str, Scalar]]:
    """(argument, value) wherever arguments stand: as keys, or as a list of names and values."""
    for node in walk(root):
        for name, value in node.entries if isinstance(node, Map) else ():
            if name.content in ARGUMENTS and isinstance(value, Scalar):
                yield name.content, value
        for entry in node.nodes if isinstance(node, List) else ():
            value_node = entry.get('value')
            if entry.value('name') in ARGUMENTS and isinstance(value_node, Scalar):
                yield entry.value('name'), value_node


def _words(found: Object, argument: str, value: Scalar) -> Iterator[Named]:
    for word in value.content.split(','):
        name = word.partition('=')[0].strip()
        if name and '{{' not in value.content:
            yield Named(found, ARGUMENTS[argument], name, value.line)


def _configured(embedded: Embedded) -> Iterator[Named]:
    try:
        documents = parse(embedded.node.content)
    except Broken:
        return
    for document in documents:
        root = document.root
        below = root.get('featureGates') if root is not None and root.value('kind') in (KUBELET, PROXY) else None
        for name, _ in below.entries if isinstance(below, Map) else ():
            yield Named(embedded.object, ARGUMENTS[GATES], name.content, embedded.line(name.line))


def _example(argument: str, value: str, *lines: int, version: str = 'v1.34.7') -> Example:
    text = (
        'apiVersion: bootstrap.cluster.x-k8s.io/v1beta1\nkind: KubeadmConfigTemplate\nmetadata: {name: x}\nspec:\n'
        f'  extraArgs:\n    {argument}: {value}\n'
    )
    files = {TEMPLATE: text, 'csctl.yaml': BASE['csctl.yaml'].replace('v1.34.7', version)}
    rendered = {'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text}
    return Example(files, rendered, hits=tuple((TEMPLATE, line) for line in lines))


def _file(name: str, *lines: int) -> Example:
    text = (
        'apiVersion: bootstrap.cluster.x-k8s.io/v1beta1\nkind: KubeadmConfigTemplate\nmetadata: {name: x}\nspec:\n'
        '  files:\n    - path: /etc/kubelet.yaml\n      content: |\n        kind: KubeletConfiguration\n'
        f'        featureGates:\n          {name}: true\n'
    )
    rendered = {'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


RULE = Rule(
    id='component-values',
    severity=Severity.ERROR,
    title='feature gates and admission plugins exist in this Kubernetes version',
    motivation=(
        'A feature gate is taken out some releases after it is always on. A kubelet or API server that still gets it '
        'ends with "unrecognized feature gate", and the first machine of the upgrade never joins.'
    ),
    check=check,
    bad=(
        _example('feature-gates', 'MemoryManager=true,ElasticIndexedJob=true', 6),
        _example('feature-gates', 'MemoryManager=true', 6, version='v1.36.1'),
        _example('feature-gates', 'NoSuchThing=true', 6),
        _example('enable-admission-plugins', 'NodeRestriction,PodSecurityPolicy', 6),
        _file('CPUManager', 10),
    ),
    good=(
        Example(),
        _example('feature-gates', 'MemoryManager=true'),
        _example('enable-admission-plugins', 'NodeRestriction'),
        _example('feature-gates', 'NoSuchThing=true', version='v1.30.1'),
        _file('MemoryManager'),
    ),
)
