"""Documents beside the stack show the version that it has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..versions import parse_kubernetes

# What users copy: a ClusterStack's version, a Cluster's class and version.
FIELDS = (
    re.compile(r'^\s*kubernetesVersion:\s*["\']?(v?\d+\.\d+(?:\.\d+)?)\b'),
    re.compile(r'^\s*version:\s*["\']?(v\d+\.\d+\.\d+)\b'),
)
CLASS = re.compile(r'^\s*(?:class|name):\s*["\']?(?P<base>[a-z0-9]+-[a-z0-9]+-\d+-\d+)-')


def check(stack: Stack) -> Iterable[Hit]:
    if stack.version is None or stack.identity is None:
        return
    for path in stack.files:
        if path.lower().endswith('.md'):
            for number, line in enumerate(stack.text(path).split('\n'), start=1):
                yield from _line(stack, path, number, line)


def _line(stack: Stack, path: str, number: int, line: str) -> Iterable[Hit]:
    version, identity = stack.version, stack.identity
    assert version is not None
    assert identity is not None
    for pattern in FIELDS:
        match = pattern.match(line)
        stated = parse_kubernetes(match[1]) if match else None
        if match and stated and not stated.agrees(version):
            message = f'shows Kubernetes {match[1]}, the stack is at {version}'
            yield Hit(path, number, message, seen=match[1], wanted=str(version))
    match = CLASS.match(line)
    family = f'{identity.provider}-{identity.name}-'
    if match and match['base'].startswith(family) and match['base'] != identity.base:
        yield Hit(path, number, f'shows a class of {match["base"]}', seen=match['base'], wanted=identity.base)


RULE = Rule(
    id='docs-versions',
    severity=Severity.WARNING,
    title='examples in documents are of the declared version',
    motivation='The README of scs2 creates clusters of 1.33 from a stack at 1.34: CSO refuses what its readers copy.',
    check=check,
    bad=(
        Example(
            {'README.md': '  kubernetesVersion: "1.33"\n    class: openstack-demo-1-33-v1\n    version: v1.33.4\n'},
            hits=(('README.md', 1), ('README.md', 2), ('README.md', 3)),
        ),
    ),
    good=(
        Example(
            {'README.md': '  kubernetesVersion: "1.34"\n    class: openstack-demo-1-34-v1\n    version: v1.34.7\n'}
        ),
        Example({'README.md': 'clusterctl 1.10; version: v1beta1\n'}),
    ),
)
