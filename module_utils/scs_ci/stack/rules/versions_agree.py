"""All statements of a Kubernetes version in the files of a stack are that of its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..model import ADDON_DIR, Stack
from ..rule import BASE, Example, Hit, Rule
from ..statements import statements
from ..versions import Kubernetes, parse_kubernetes

VERSIONS = 'versions.yaml'
ADDON = f'{ADDON_DIR}/cni/Chart.yaml'
MINOR_DIRECTORY = re.compile(r'(\d+)-(\d+)')


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None:
        return
    class_chart = stack.class_chart.name if stack.class_chart else None
    wrong = {}
    for found in statements(stack):
        if class_chart and (found.file, found.line) == (class_chart.file, class_chart.line):
            continue  # rule class-chart-name tells it
        if not found.version.agrees(version):
            wrong[found.file, found.line] = found  # an address states the minor and then the version: the latter counts
    for found in wrong.values():
        message = f'{found.what} is of Kubernetes {found.seen}, but {stack.kubernetes.file} declares {version}: '
        message += 'correct the one that is wrong'
        yield Hit(found.file, found.line, message, seen=found.seen, wanted=version.like(found.seen))
    yield from _directory(stack, version)
    yield from _listed(stack, version)


def _directory(stack: Stack, version: Kubernetes) -> Iterable[Hit]:
    """One directory per minor: its name is a statement, too."""
    name = stack.path.rsplit('/', 1)[-1]
    match = MINOR_DIRECTORY.fullmatch(name)
    if match and (int(match[1]), int(match[2])) != (version.major, version.minor):
        place = stack.kubernetes
        message = f'the directory is named {name}, but {place.file} declares {version}: correct the one that is wrong'
        yield Hit(place.file, place.line, message, seen=str(version), wanted=f'{match[1]}.{match[2]}')


def _listed(stack: Stack, version: Kubernetes) -> Iterable[Hit]:
    file = stack.yaml.get(VERSIONS)
    entries = file.root.items() if file and file.root is not None else ()
    listed = [v for entry in entries if (v := parse_kubernetes(entry.value('kubernetes')))]
    if listed and not any(v.agrees(version) for v in listed):
        message = f'{VERSIONS} has no entry for the declared version {version}: add it, or declare one that it has'
        place = stack.kubernetes
        # of another patch, the tree only lags behind the table; without the minor one of them is wrong
        minors = {(v.major, v.minor) for v in listed}
        severity = Severity.WARNING if (version.major, version.minor) in minors else Severity.ERROR
        yield Hit(place.file, place.line, message, str(version), ', '.join(map(str, listed)), severity=severity)


def _image(version: str, minor: str = '1.34') -> str:
    return (
        f'kind: Image\nmetadata:\n  name: ubuntu-capi-image-{version}\n'
        f'spec:\n  url: https://images.example/ubuntu-2404-kube-v{minor}/ubuntu-2404-kube-{version}.qcow2\n'
    )


RULE = Rule(
    id='versions-agree',
    severity=Severity.ERROR,
    title='every statement of a Kubernetes version is the declared one',
    motivation=(
        'A stack at 1.29 with an addon chart and node images of 1.30 was merged (pull request 203); a ClusterStack '
        'object of another minor than the stack beside it makes the operator search for a release that nobody builds.'
    ),
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
        Example(
            {'clusterstack.yaml': 'kind: ClusterStack\nspec:\n  kubernetesVersion: "1.33"\n'},
            hits=(('clusterstack.yaml', 3),),
        ),
        Example(
            {
                'cluster.yaml': 'kind: Cluster\nspec:\n  topology:\n    class: openstack-demo-1-33-v1\n'
                '    version: v1.33.4\n'
            },
            hits=(('cluster.yaml', 4), ('cluster.yaml', 5)),
        ),
        Example({'SHA256SUMS': f'{"a" * 64}  ubuntu-2404-kube-v1.34.6.qcow2\n'}, hits=(('SHA256SUMS', 1),)),
    ),
    good=(
        Example({'image.yaml': _image('v1.34.7'), VERSIONS: '- kubernetes: 1.33.4\n- kubernetes: 1.34.7\n'}),
        Example({'cluster-class/templates/x.yaml': 'description: |\n  e.g. ubuntu-capi-image-v1.32.5\nkind: X\n'}),
        Example({'cluster-class/templates/x.yaml': '# openstack-demo-1-33 had no such thing\nkind: X\n'}),
        Example({ADDON: BASE[ADDON].replace('name: cni', 'name: openstack-demo-1-34-cluster-addon')}),
        Example({'clusterstack.yaml': 'kind: ClusterStack\nspec:\n  kubernetesVersion: "1.34"\n'}),
        Example({'kubernetes.yaml': 'images:\n  - versions:\n      - url: https://x.example/kube-v1.33.4.qcow2\n'}),
    ),
)
