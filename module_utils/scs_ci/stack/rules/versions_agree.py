"""All statements of a Kubernetes version in the files of a stack are that of its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..model import CLASS_DIR, Stack, YamlFile, scalars
from ..rule import BASE, Example, Hit, Rule
from ..versions import Kubernetes, parse_kubernetes

# Names and addresses of node images, as the community builds and publishes them.
IMAGE = re.compile(r'(?:capi-image[- ]|kube-|kindest/node:)(v?\d+\.\d+(?:\.\d+)?)(?![\w]*\d)(?!\.\d)')
# Names of charts that follow the convention.
CHART = re.compile(r'(?P<base>\w+-\w+-\d+-\d+)-cluster-addon')
NODE_IMAGES = ('image.yaml', 'node-images/')
VERSIONS = 'versions.yaml'
ADDON = 'cluster-addon/cni/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None:
        return
    yield from _addon_charts(stack)
    for file in stack.yaml.values():
        if file.path.startswith(NODE_IMAGES) or file.path == f'{CLASS_DIR}/values.yaml':
            yield from _scalars(stack, file, version)
    for path in stack.files:
        if path.startswith(f'{CLASS_DIR}/templates/'):
            yield from _lines(stack, path, version)
    yield from _listed(stack, version)


def _addon_charts(stack: Stack) -> Iterable[Hit]:
    for chart in stack.addon_charts:
        match = CHART.fullmatch(chart.name.text)
        if match and stack.identity and match['base'] != stack.identity.base:
            wanted = f'{stack.identity.base}-cluster-addon'
            message = (
                f'the addon chart is named {chart.name.text!r}, but {stack.kubernetes.file} declares {stack.version}'
            )
            yield Hit(
                chart.name.file, chart.name.line, message, seen=chart.name.text, wanted=wanted, fix=f'name: {wanted}'
            )


def _scalars(stack: Stack, file: YamlFile, version: Kubernetes) -> Iterable[Hit]:
    for _, node in scalars(file.root):
        yield from _statement(stack, file.path, node.line, node.text, version)


def _lines(stack: Stack, path: str, version: Kubernetes) -> Iterable[Hit]:
    for number, line in enumerate(stack.text(path).split('\n'), start=1):
        yield from _statement(stack, path, number, line, version)


def _statement(stack: Stack, file: str, line: int, text: str, version: Kubernetes) -> Iterable[Hit]:
    found = [(m[1], parse_kubernetes(m[1])) for m in IMAGE.finditer(text)]
    wrong = [seen for seen, stated in found if stated and not stated.agrees(version)]
    if wrong:
        message = f'the node image is of Kubernetes {wrong[-1]}, but {stack.kubernetes.file} declares {version}'
        yield Hit(file, line, message, seen=wrong[-1], wanted=str(version))


def _listed(stack: Stack, version: Kubernetes) -> Iterable[Hit]:
    file = stack.yaml.get(VERSIONS)
    entries = file.root.items() if file and file.root is not None else ()
    listed = [v for entry in entries if (v := parse_kubernetes(entry.value('kubernetes')))]
    if listed and not any(v.agrees(version) for v in listed):
        message = f'{VERSIONS} has no entry for the declared version {version}'
        place = stack.kubernetes
        yield Hit(place.file, place.line, message, str(version), ', '.join(map(str, listed)), severity=Severity.WARNING)


def _image(version: str, minor: str = '1.34') -> str:
    return (
        f'kind: Image\nmetadata:\n  name: ubuntu-capi-image-{version}\n'
        f'spec:\n  url: https://images.example/ubuntu-2404-kube-v{minor}/ubuntu-2404-kube-{version}.qcow2\n'
    )


RULE = Rule(
    id='versions-agree',
    severity=Severity.ERROR,
    title='charts and node images are of the declared Kubernetes version',
    motivation='A stack at 1.29 with an addon chart and node images of 1.30 was merged (pull request 203).',
    check=check,
    bad=(
        Example({'image.yaml': _image('v1.33.4', '1.33')}, hits=(('image.yaml', 3), ('image.yaml', 5))),
        Example({'image.yaml': _image('v1.34.7', '1.33')}, hits=(('image.yaml', 5),)),
        Example(
            {'cluster-class/templates/image.yaml': _image('v1.34.6')},
            hits=(('cluster-class/templates/image.yaml', 3), ('cluster-class/templates/image.yaml', 5)),
        ),
        Example(
            {ADDON: BASE[ADDON].replace('name: cni', 'name: openstack-demo-1-33-cluster-addon')}, hits=((ADDON, 2),)
        ),
        Example({VERSIONS: '- kubernetes: 1.33.4\n'}, hits=(('csctl.yaml', 4),)),
    ),
    good=(
        Example({'image.yaml': _image('v1.34.7'), VERSIONS: '- kubernetes: 1.33.4\n- kubernetes: 1.34.7\n'}),
        Example({'cluster-class/templates/x.yaml': 'description: for example imageName-v1.32.5\n'}),
        Example({ADDON: BASE[ADDON].replace('name: cni', 'name: openstack-demo-1-34-cluster-addon')}),
    ),
)
