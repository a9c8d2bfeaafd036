"""The nodes that YAML is made of, with their places.

Scalars keep their text as written, for an unquoted `1.30` must not become the number 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

TEXT = 'tag:yaml.org,2002:str'
# No number, date or truth value is longer, and the time to read a number grows with the square of its length.
LONGEST_PLAIN = 128
_CONSTRUCTOR: Any = yaml.constructor.SafeConstructor()
# What YAML 1.1 makes of a scalar by its tag; anything else is a text.
_VALUES: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    f'tag:yaml.org,2002:{name}': getattr(_CONSTRUCTOR, f'construct_yaml_{name}')
    for name in ('null', 'bool', 'int', 'float', 'binary', 'timestamp')
}


class Broken(Exception):
    """The text is not YAML that can be used. line, column: from 1."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(f'line {line}: {message}')


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML node. line, column: from 1, of its first character."""

    line: int
    column: int

    @property
    def text(self) -> str:
        """The scalar as written; empty for anything else."""
        return ''

    def get(self, *keys: str) -> Node | None:
        """The node below these keys, or None when one of them is missing."""
        node: Node | None = self
        for key in keys:
            node = node.child(key) if isinstance(node, Map) else None
        return node

    def value(self, *keys: str) -> str:
        """Text of the scalar below these keys, empty when there is none."""
        node = self.get(*keys)
        return node.text if node is not None else ''

    def items(self, *keys: str) -> tuple[Node, ...]:
        """Elements of the list below these keys, empty when there is none."""
        node = self.get(*keys)
        return node.nodes if isinstance(node, List) else ()

    def plain(self) -> Any:
        """The value as Python data; scalars by the YAML 1.1 rules that Kubernetes' parser shares."""
        return None


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    content: str
    tag: str
    quoted: bool

    @property
    def text(self) -> str:
        return self.content

    def plain(self) -> Any:
        made = _VALUES.get(self.tag)
        if made is None or len(self.content) > LONGEST_PLAIN:
            return self.content
        try:
            return made(yaml.ScalarNode(self.tag, self.content))
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError):
            # PyYAML trips over tags that do not fit, such as `!!int` of nothing: then it is the text
            return self.content


@dataclass(frozen=True, slots=True)
class List(Node):
    nodes: tuple[Node, ...]

    def plain(self) -> Any:
        return [node.plain() for node in self.nodes]


@dataclass(frozen=True, slots=True)
class Map(Node):
    entries: tuple[tuple[Scalar, Node], ...]

    def child(self, key: str) -> Node | None:
        for name, value in self.entries:
            if name.content == key:
                return value
        return None

    def plain(self) -> Any:
        return {name.content: value.plain() for name, value in self.entries}


def walk(node: Node | None) -> Iterator[Node]:
    """The node and everything below it, in source order."""
    pending = [node] if node is not None else []
    while pending:
        found = pending.pop()
        yield found
        # generators in generators would pass on each node through all those above it
        if isinstance(found, List):
            pending.extend(reversed(found.nodes))
        elif isinstance(found, Map):
            for name, value in reversed(found.entries):
                pending += (value, name)
