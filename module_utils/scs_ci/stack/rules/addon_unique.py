"""What must differ between clusters of one project differs, and overwrite files have an effect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..hits import at
from ..model import Chart, Stack
from ..objects import Object, addon_objects
from ..rule import Example, Hit, Rule
from ..samples import HOST, NAME
from ..treehash import ADDON_VALUES
from ..yamltext import Map, Node, walk

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
OVERWRITE = 'cluster-addon/cni/overwrite.yaml'
REFERENCE = re.compile(r'\$\(([A-Za-z_][A-Za-z0-9_]*)\)')
# Prints one of the fields by which the made-up cluster can be known.
ACTION = re.compile(r'\{\{-?\s*\$?\.Cluster\.(?:metadata\.name|spec\.controlPlaneEndpoint\.host)\b')


@dataclass(frozen=True)
class Unique:
    """An argument of a program. default: its value without it; why: what happens when clusters share the value.

    kinds: of the objects whose pods use it, () for all.
    """

    program: str
    argument: str
    default: str
    why: str
    kinds: tuple[str, ...] = ()


ARGUMENTS = (
    Unique(
        'openstack-cloud-controller-manager',
        '--cluster-name',
        'kubernetes',
        'load balancers of Services with equal names in two clusters of a project are taken for one',
    ),
    Unique(
        'cinder-csi-plugin',
        '--cluster',
        '',
        'nobody can tell whose volume it is when clusters are cleaned up',
        ('Deployment', 'StatefulSet'),  # the daemons on nodes make no volumes
    ),
)


def check(stack: Stack) -> Iterable[Hit]:
    for found in addon_objects(stack):
        for container in _containers(found):
            yield from _container(stack, found, container)
    for chart in stack.addon_charts:
        yield from _overwrite(stack, chart)


def _containers(found: Object) -> Iterator[Map]:
    for node in walk(found.root.get('spec')):
        for container in node.items('containers'):
            if isinstance(container, Map):
                yield container


def _container(stack: Stack, found: Object, container: Map) -> Iterator[Hit]:
    words = [node for key in ('command', 'args') for node in container.items(key)]
    program = ' '.join([container.value('image').rsplit('/', 1)[-1], *(w.text for w in words)])
    for unique in ARGUMENTS:
        runs = re.search(rf'(?:^|[/ ]){unique.program}(?:[:@ ]|$)', program)
        if not runs or (unique.kinds and found.kind not in unique.kinds):
            continue
        node, value = _argument(words, unique)
        value = REFERENCE.sub(lambda match: _environment(container, match[1]), value)
        if NAME not in value and HOST not in value:
            message = (
                f'{found.title} runs {unique.program} with {unique.argument} {value!r} in every cluster: {unique.why}'
            )
            wanted = 'a value from the cluster, e.g. {{ .Cluster.metadata.name }} in overwrite.yaml'
            yield at(stack, found, (node or container).line, message, seen=value, wanted=wanted)


def _argument(words: list[Node], unique: Unique) -> tuple[Node | None, str]:
    """The last of `--argument=value` or `--argument value`, else the default."""
    found: tuple[Node | None, str] = None, unique.default
    for number, node in enumerate(words):
        # a shell line holds the whole command in one word
        for match in re.finditer(rf'(?:^|\s){unique.argument}(?:[= ]\s*(\S+)|$)', node.text):
            following = words[number + 1].text if number + 1 < len(words) else ''
            found = node, (match[1] or following).strip('"\'')
    return found


def _environment(container: Map, name: str) -> str:
    """Value of a variable; a reference to something else may be unique, and then nothing is said."""
    for entry in container.items('env'):
        if entry.value('name') == name:
            return entry.value('value') if entry.get('valueFrom') is None else NAME
    return NAME if container.items('envFrom') else ''


def _overwrite(stack: Stack, chart: Chart) -> Iterator[Hit]:
    file = f'{chart.path}/overwrite.yaml' if stack.addon_layout == 'stages' else ADDON_VALUES
    match = ACTION.search(stack.text(file))
    printed = [r for r in stack.renderings if r.chart == chart.path and r.parts and not r.error]
    if match and printed and not any(NAME in p.text or HOST in p.text for r in printed for p in r.parts):
        line = stack.text(file).count('\n', 0, match.start()) + 1
        message = (
            'nothing that the chart prints depends on the cluster, so this value has no effect: is the key above it '
            'the name or alias of a dependency, and does the chart read it?'
        )
        yield Hit(file, line, message, severity=Severity.WARNING)


def _example(argument: str, *hits: tuple[str, int], value: str = 'kubernetes', overwrite: str | None = None) -> Example:
    text = (
        'apiVersion: apps/v1\n'
        'kind: DaemonSet\n'
        'metadata:\n'
        '  name: ccm\n'
        'spec:\n'
        '  template:\n'
        '    spec:\n'
        '      containers:\n'
        '        - image: registry.k8s.io/provider-os/openstack-cloud-controller-manager:v1.34.0\n'
        '          args:\n'
        '            - /bin/openstack-cloud-controller-manager\n'
        f'            - {argument}\n'
        '          env:\n'
        '            - name: CLUSTER_NAME\n'
        f'              value: {value}\n'
    )
    rendered = {'cluster-addon/cni': '# Source: cni/templates/a.yaml\n' + text}
    return Example({TEMPLATE: text, OVERWRITE: overwrite}, rendered, hits=hits)


NAMED = '--cluster-name=$(CLUSTER_NAME)'
VALUES = 'values: |\n  ccm:\n    name: {{ .Cluster.metadata.name }}\n'

RULE = Rule(
    id='addon-unique',
    severity=Severity.ERROR,
    title='what must differ between clusters differs',
    motivation=(
        'Two clusters in one project whose cloud controllers have the same cluster name delete each other the load '
        'balancers of Services that have equal names.'
    ),
    check=check,
    bad=(
        _example(NAMED, (TEMPLATE, 12)),
        _example('--v=1', (TEMPLATE, 9)),
        _example('--v=1', (TEMPLATE, 9), (OVERWRITE, 3), overwrite=VALUES),
    ),
    good=(
        Example(),
        _example(NAMED, value='sample-one', overwrite=VALUES),
        _example('--cluster-name=sample-one-namespace'),
    ),
)
