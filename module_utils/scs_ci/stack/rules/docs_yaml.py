"""YAML that documents tell their readers to apply is YAML, after the shell has replaced its variables."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..documents import samples
from ..model import Stack
from ..rule import Example, Hit, Rule

README = 'README.md'


def check(stack: Stack) -> Iterable[Hit]:
    for sample in samples(stack):
        if sample.broken is not None:
            message = f'readers copy this, and it is no YAML: {sample.broken.message}; correct it'
            yield Hit(sample.file, sample.broken.line + sample.offset, message)
        for document in sample.documents:
            for double in document.duplicates:
                line = double.line + sample.offset
                message = (
                    f'key {double.key!r} stands here and in line {double.first + sample.offset}: one of them is lost'
                )
                yield Hit(sample.file, line, message, seen=double.key)


RULE = Rule(
    id='docs-yaml',
    severity=Severity.ERROR,
    title='YAML in documents can be applied',
    motivation='The first thing that users do with a stack is to copy the manifests of its README.',
    check=check,
    bad=(
        Example({README: 'x\n```yaml\nkind: Cluster\n  metadata: [\n```\n'}, hits=((README, 4),)),
        Example({README: '```yaml\nkind: Cluster\nkind: Cluster\n```\n'}, hits=((README, 3),)),
        Example(
            {README: '```sh\ncat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: $KIND: x\nEOF\n```\n'},
            hits=((README, 4),),
        ),
    ),
    good=(
        Example({README: '```yaml\nkind: Cluster\nmetadata:\n  name: $NAME\n```\n'}),
        Example({README: '```sh\ncat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: ${KIND}\nEOF\n```\n'}),
        Example({README: '```\nnothing: [of\n```\n```yaml\na: {{ .Values.a }}\n```\n'}),
    ),
)
