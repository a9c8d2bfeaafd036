"""Objects in documents choose each other: labels that a selector wants are on an object, names are made before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..documents import documents, samples
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..statements import source_text
from ..yamltext import Map, Node

README = 'README.md'


@dataclass(frozen=True)
class Shown:
    """An object of a document. offset: adds to the lines of its nodes."""

    file: str
    root: Map
    offset: int

    def hit(self, node: Node, message: str, seen: str, wanted: str | None = None) -> Hit:
        return Hit(self.file, node.line + self.offset, message, seen=seen, wanted=wanted)


def check(stack: Stack) -> Iterable[Hit]:
    for file in documents(stack):
        shown = [
            Shown(file, document.root, sample.offset)
            for sample in samples(stack)
            if sample.file == file
            for document in sample.documents
            if isinstance(document.root, Map)
        ]
        clusters = [one for one in shown if one.root.value('kind') == 'Cluster']
        for one in shown:
            if one.root.value('kind') == 'ClusterResourceSet':
                yield from _selector(one, clusters)
                yield from _resources(one, source_text(stack, file))


def _selector(one: Shown, clusters: list[Shown]) -> Iterator[Hit]:
    """The labels that choose clusters are on every cluster of the document, for each needs what the set brings."""
    wanted = one.root.get('spec', 'clusterSelector', 'matchLabels')
    for name, value in wanted.entries if isinstance(wanted, Map) else ():
        for cluster in clusters:
            labels = cluster.root.get('metadata', 'labels')
            if labels is None or labels.value(name.content) != value.text:
                message = (
                    f'no resource set reaches this cluster: line {name.line + one.offset} chooses clusters with the '
                    f'label {name.content}: {value.text}'
                )
                node = (labels and labels.get(name.content)) or labels or cluster.root.get('metadata') or cluster.root
                seen = labels.value(name.content) if labels is not None else ''
                yield cluster.hit(node, message, seen, f'{name.content}: {value.text}')


def _resources(one: Shown, text: str) -> Iterator[Hit]:
    """What the set brings is made somewhere else in the document."""
    for resource in one.root.items('spec', 'resources'):
        node = resource.get('name')
        if node is not None and node.text and text.count(node.text) < 2:
            message = f'the {resource.value("kind") or "resource"} {node.text} is made nowhere in this document'
            yield one.hit(node, message, node.text)


def _document(label: str, secret: str) -> str:
    return (
        'kubectl create secret generic clouds-yaml\n```yaml\nkind: ClusterResourceSet\nmetadata: {name: x}\nspec:\n'
        '  clusterSelector: {matchLabels: {managed-secret: clouds}}\n  resources:\n'
        f'    - {{kind: Secret, name: {secret}}}\n---\nkind: Cluster\nmetadata:\n  name: a\n  labels:\n'
        f'    managed-secret: {label}\n```\n'
    )


RULE = Rule(
    id='docs-selectors',
    severity=Severity.WARNING,
    title='selectors in documents choose the objects of the document',
    motivation=(
        'The credentials of addons come into a cluster by a ClusterResourceSet that chooses it by a label. Without the '
        'label the cluster is made, and its cloud controller waits for a Secret that never comes.'
    ),
    check=check,
    bad=(
        Example({README: _document('cloud', 'clouds-yaml')}, hits=((README, 14),)),
        Example({README: _document('clouds', 'cloud-yaml')}, hits=((README, 8),)),
        Example(
            {README: _document('clouds', 'clouds-yaml').replace('managed-secret: clouds\n', 'x: y\n')},
            hits=((README, 14),),
        ),
    ),
    good=(Example({README: _document('clouds', 'clouds-yaml')}),),
)
