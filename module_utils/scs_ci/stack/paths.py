"""The way from a path in the answers of other programs to a line."""

from __future__ import annotations

import re

from .yamltext import List, Map, Node, Scalar

SEGMENT = re.compile(r'\[([^\]]*)\]|([^.\[\]]+)')
# Field paths of Cluster API name an element of a list by one of these instead of its index.
NAMES = ('name', 'class', 'key')


def segments(path: str) -> tuple[str, ...]:
    """`a.b[0].c[name]` as ('a', 'b', '0', 'c', 'name'). Keys with dots cannot be told from two keys."""
    return tuple(index or key for index, key in SEGMENT.findall(path))


def find(root: Node, path: str) -> Node:
    """The deepest node on a path that exists; for the value of a key the node of the key: people look there."""
    node = shown = root
    for key in segments(path):
        step = _step(node, key)
        if step is None:
            break
        node, shown = step
    return shown


def _step(node: Node, key: str) -> tuple[Node, Node] | None:
    """(value, node to show) below a key, an index or a name."""
    if isinstance(node, Map):
        return next(((value, name) for name, value in node.entries if name.content == key), None)
    if not isinstance(node, List):
        return None
    if key.isdecimal() and int(key) < len(node.nodes):
        return node.nodes[int(key)], node.nodes[int(key)]
    element = next((n for n in node.nodes if key in (n.value(name) for name in NAMES)), None)
    return (element, element) if element is not None else None


def text_line(node: Node, words: str) -> int:
    """The line of a scalar's text in which `words` stand, its first line if they do not."""
    if isinstance(node, Scalar) and '\n' in node.content:
        for number, line in enumerate(node.content.split('\n'), start=1):
            if words and words in line:
                return node.line + number  # a block scalar starts on the line after its indicator
    return node.line
