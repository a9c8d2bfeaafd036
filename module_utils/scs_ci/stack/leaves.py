"""Documents as flat mappings from a path to a text, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .yamltext import List, Map, Node


@dataclass(frozen=True)
class Change:
    """One difference. what: 'added', 'removed' or 'changed'; place: inside of the subject, '' for all of it."""

    what: str
    subject: str
    place: str = ''
    before: str = ''
    after: str = ''


def leaves(node: Node | None, place: str = '') -> Iterator[tuple[str, str]]:
    """Path and text of every value; elements of lists are called by their names where all have different ones."""
    if isinstance(node, Map) and node.entries:
        for key, child in node.entries:
            yield from leaves(child, f'{place}.{key.content}' if place else key.content)
    elif isinstance(node, List) and node.nodes:
        names = [child.value('name') for child in node.nodes]
        called = names if all(names) and len(set(names)) == len(names) else [str(i) for i in range(len(names))]
        for name, child in zip(called, node.nodes, strict=True):
            yield from leaves(child, f'{place}[{name}]')
    elif isinstance(node, (Map, List)):
        yield place, '{}' if isinstance(node, Map) else '[]'
    elif node is not None:
        yield place, node.text


def compared(subject: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What differs between two flat documents, in the order of their paths."""
    changes = []
    for place in sorted({*before, *after}):
        if place not in after:
            changes.append(Change('removed', subject, place, before=before[place]))
        elif place not in before:
            changes.append(Change('added', subject, place, after=after[place]))
        elif before[place] != after[place]:
            changes.append(Change('changed', subject, place, before[place], after[place]))
    return changes
