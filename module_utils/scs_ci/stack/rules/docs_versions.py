"""Documents beside the stack show the version that it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..documents import blocks, documents
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..statements import in_text, source_text
from ..versions import Kubernetes, parse_kubernetes

# What users copy: a ClusterStack's version, a Cluster's version, a variable of the shell that is put into one of them.
FIELDS = (
    re.compile(r'^\s*kubernetesVersion:\s*["\']?(v?\d+\.\d+(?:\.\d+)?)\b'),
    re.compile(r'^\s*version:\s*["\']?(v\d+\.\d+\.\d+)\b'),
    re.compile(r'^\s*(?:export\s+)?(?:KUBERNETES|K8S)_(?:\w+_)?VERSION=["\']?(v?\d+\.\d+(?:\.\d+)?)\b'),
)
FIRST_CLASS = re.compile(r'^\s*(?:- )?(?:class|name):')
README = 'README.md'


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None or stack.identity is None:
        return
    for path in documents(stack):
        inside = {n for b in blocks(stack, path) for n in range(b.line, b.line + len(b.lines))}
        for number, line in enumerate(source_text(stack, path).split('\n'), start=1):
            yield from _fields(path, number, line, version)
            # outside of blocks an older version may well be talked about
            if number in inside or FIRST_CLASS.match(line):
                yield from _names(stack, path, number, line, version)


def _fields(path: str, number: int, line: str, version: Kubernetes) -> Iterator[Hit]:
    for pattern in FIELDS:
        match = pattern.match(line)
        stated = parse_kubernetes(match[1]) if match else None
        if match and stated and not stated.agrees(version):
            message = f'shows Kubernetes {match[1]}, the stack is at {version}: correct the document'
            yield Hit(path, number, message, seen=match[1], wanted=str(version))


def _names(stack: Stack, path: str, number: int, line: str, version: Kubernetes) -> Iterator[Hit]:
    for what, seen in in_text(stack, line):
        stated = parse_kubernetes(seen)
        if stated and not stated.agrees(version):
            message = f'shows a {what} of Kubernetes {seen}, the stack is at {version}: correct the document'
            yield Hit(path, number, message, seen=seen, wanted=str(version))


RULE = Rule(
    id='docs-versions',
    severity=Severity.WARNING,
    title='examples in documents are of the declared version',
    motivation='The README of scs2 creates clusters of 1.33 from a stack at 1.34: CSO refuses what its readers copy.',
    check=check,
    bad=(
        Example(
            {README: '  kubernetesVersion: "1.33"\n    class: openstack-demo-1-33-v1\n    version: v1.33.4\n'},
            hits=((README, 1), (README, 2), (README, 3)),
        ),
        Example(
            {README: '```sh\nexport KUBERNETES_VERSION=v1.33.4\nopenstack image show ubuntu-capi-image-v1.33.4\n```\n'},
            hits=((README, 2), (README, 3)),
        ),
    ),
    good=(
        Example({README: '  kubernetesVersion: "1.34"\n    class: openstack-demo-1-34-v1\n    version: v1.34.7\n'}),
        Example({README: 'clusterctl 1.10; version: v1beta1\nopenstack-demo-1-33 was the last one without it.\n'}),
    ),
)
