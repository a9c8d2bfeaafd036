"""Documents beside the stack show the version that it has."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..spans import FIELD, in_documents, version_of

README = 'README.md'


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None or stack.identity is None:
        return
    for span in in_documents(stack):
        stated = version_of(span)
        if stated and not stated.agrees(version):
            shown = 'Kubernetes' if span.what == FIELD else f'a {span.what} of Kubernetes'
            seen = span.text.replace('-', '.')
            message = f'shows {shown} {seen}, the stack is at {version}: correct the document'
            yield Hit(span.file, span.line, message, seen=seen, wanted=str(version))


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
