"""Stacks name no component that is not there anymore."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..documents import documents
from ..images import CSPO_LIST
from ..model import Stack
from ..rule import BASE, Example, Hit, Rule
from ..statements import is_source, source_text

# How many further lines a message names.
SHOWN = 8
TEMPLATE = 'cluster-class/templates/x.yaml'
VALUES = 'cluster-addon/cni/values.yaml'


@dataclass(frozen=True)
class Component:
    """What is gone and what takes its place."""

    name: str
    pattern: re.Pattern[str]
    instead: str


COMPONENTS = (
    Component('yawol', re.compile(r'yawol', re.I), 'the load balancers of Octavia, by provider amphora or ovn'),
    Component('kube-vip', re.compile(r'kube[-_]?vip', re.I), 'apiServerLoadBalancer of the infrastructure, by Octavia'),
    Component(
        'the provider operator CSPO',
        re.compile(r'\bCSPO\b|cluster-stack-provider-openstack|openstack\.infrastructure\.clusterstack\.x-k8s\.io'),
        'noProvider: true in the ClusterStack, and images by the image manager or ORC',
    ),
    Component('the registry k8s.gcr.io', re.compile(r'\bk8s\.gcr\.io\b'), 'registry.k8s.io'),
    Component(
        'this repository of packages',
        re.compile(r'\b(?:apt|yum)\.kubernetes\.io\b|packages\.cloud\.google\.com/(?:apt|yum)'),
        'pkgs.k8s.io',
    ),
    Component(
        'this repository of charts',
        re.compile(r'\bcharts\.helm\.sh/(?:stable|incubator)|kubernetes-charts\.storage\.googleapis\.com'),
        'the repository of the project itself',
    ),
    Component(
        'the variable workload_loadbalancer',
        re.compile(r'\bworkload_loadbalancer\b'),
        'the configuration of the cloud controller manager, for the variable had no effect',
    ),
)


def check(stack: Stack) -> Iterable[Hit]:
    sources = (path for path in stack.files if is_source(path) and not path.lower().endswith('.md'))
    for path in (*sources, *documents(stack)):
        lines = source_text(stack, path).split('\n')
        for component in COMPONENTS:
            yield from _in_file(path, lines, component)
    config = stack.yaml.get(stack.kubernetes.file)
    method = config.root.get('config', 'provider', 'config') if config is not None and config.root is not None else None
    if method is not None:
        message = (
            'csctl runs a plugin of the provider for this, which belongs to the former provider operator: remove it'
        )
        yield Hit(stack.kubernetes.file, method.line, message, wanted='no config')
    if CSPO_LIST in stack.files and not _names_its_operator(stack):
        message = (
            'only the former provider operator reads this list: describe the image in image.yaml or kubernetes.yaml'
        )
        yield Hit(CSPO_LIST, 1, message)


def _names_its_operator(stack: Stack) -> bool:
    """Whether the list names the API of that operator itself, which is a finding already."""
    return any(c.pattern.search(stack.text(CSPO_LIST)) for c in COMPONENTS)


def _in_file(path: str, lines: list[str], component: Component) -> Iterator[Hit]:
    found = [(n, match[0]) for n, line in enumerate(lines, start=1) if (match := component.pattern.search(line))]
    if found:
        line, seen = found[0]
        others = ', '.join(str(n) for n, _ in found[1 : SHOWN + 1]) + ('…' if len(found) > SHOWN + 1 else '')
        message = f'{component.name} is not maintained or not there anymore: use {component.instead}'
        yield Hit(path, line, f'{message} (also in lines {others})' if others else message, seen=seen)


RULE = Rule(
    id='removed-components',
    severity=Severity.WARNING,
    title='no component is named that is not there anymore',
    motivation=(
        'yawol and kube-vip were taken out in 2025, the provider operator for OpenStack rests since January 2025. '
        'What is left of them in stacks and documents offers options that no longer work. The same is true of places: '
        'the first registry and the first package repositories of Kubernetes get nothing new, or are gone.'
    ),
    check=check,
    bad=(
        Example({VALUES: 'yawol-controller:\n  enabled: false\n'}, hits=((VALUES, 1),)),
        Example(
            {'cluster-class/templates/x.yaml': 'a: b\nlb: kube-vip\nc: kube_vip\n'},
            hits=(('cluster-class/templates/x.yaml', 2),),
        ),
        Example({'README.md': 'Install CSO and CSPO.\n'}, hits=(('README.md', 1),)),
        Example({TEMPLATE: 'a: b\nimage: k8s.gcr.io/pause:3.9\n'}, hits=((TEMPLATE, 2),)),
        Example({TEMPLATE: 'run: curl https://apt.kubernetes.io/x\n'}, hits=((TEMPLATE, 1),)),
        Example(
            {'csctl.yaml': BASE['csctl.yaml'] + '    config:\n      method: get\n'},
            hits=(('csctl.yaml', 9),),
        ),
        Example({CSPO_LIST: 'openStackNodeImages: []\n'}, hits=((CSPO_LIST, 1),)),
    ),
    good=(Example({'README.md': 'Install CSO.\n', VALUES: 'cilium: {}\n'}),),
)
