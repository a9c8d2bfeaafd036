"""YAML with positions: what the rules read, so that every finding can name a line of the source.

The nodes are built from the parser's events with a stack of our own: neither deep nesting nor aliases of aliases cost
more than the limits below, and no second tree of nodes is made on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from .yamlnodes import LONGEST_PLAIN as LONGEST_PLAIN
from .yamlnodes import TEXT as TEXT
from .yamlnodes import Broken as Broken
from .yamlnodes import List as List
from .yamlnodes import Map as Map
from .yamlnodes import Node as Node
from .yamlnodes import Scalar as Scalar
from .yamlnodes import walk as walk

# The C parser is ten times as fast; it is missing only where PyYAML was built without libyaml.
_LOADER: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_RESOLVERS: Any = yaml.SafeLoader.yaml_implicit_resolvers
# A text of more nodes, counted with aliases expanded, is a bomb or no cluster stack; the largest one has 17,000.
MOST_NODES = 200_000
# Deeper nesting would exhaust the stack of the interpreter before it helps anybody.
DEEPEST = 200
MERGE = 'tag:yaml.org,2002:merge'


@dataclass(frozen=True)
class Duplicate:
    """A key that stands twice in one mapping; the first one is lost."""

    key: str
    line: int
    first: int


@dataclass(frozen=True)
class Document:
    """One document of a stream; root is None when it is empty. size: how many nodes it has, aliases expanded."""

    root: Node | None
    duplicates: tuple[Duplicate, ...]
    line: int
    size: int = 0


def parse(text: str, most: int = MOST_NODES) -> tuple[Document, ...]:
    """All documents of the text, of at most so many nodes. Raises Broken, and nothing else, for what cannot be used."""
    try:
        return tuple(_documents(text, most))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ': '.join(part for part in (error.context, error.problem) if part)
        # what is missing at the end is told for the line after it, which nobody can open
        last = max(len(text.splitlines()), 1)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise Broken(message, min(line, last), column if line <= last else 1) from error
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        raise Broken(f'unprintable character {error.character!r}', text.count('\n', 0, position) + 1) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Broken(str(error) or type(error).__name__, 1) from error


def _documents(text: str, most: int) -> Iterator[Document]:
    builder = _Builder(most)
    for event in yaml.parse(text, Loader=_LOADER):
        kind = type(event)
        if kind is yaml.ScalarEvent:
            builder.scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            builder.begin(event, kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            builder.end()
        elif kind is yaml.AliasEvent:
            builder.alias(event)
        elif kind is yaml.DocumentEndEvent:
            yield builder.document()


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet. nodes: those of a mapping are its keys and values in turn.

    size, height: how many nodes and how many levels there are in it and below, with aliases expanded.
    """

    line: int
    column: int
    mapping: bool
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 0


class _Builder:
    """Makes nodes of the events of one text."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.left = most
        self.before = most
        self._reset()

    def _reset(self) -> None:
        self.root: Node | None = None
        self.open: list[_Open] = []
        # what an anchor names: the node with its size and height, None while its collection is open
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}
        self.duplicates: list[Duplicate] = []

    def document(self) -> Document:
        root, duplicates = self.root, tuple(self.duplicates)
        size, self.before = self.before - self.left, self.left
        self._reset()
        return Document(root, duplicates, root.line if root is not None else 1, size)

    def scalar(self, event: Any) -> None:
        mark, content = event.start_mark, event.value
        node = Scalar(mark.line + 1, mark.column + 1, content, _tag(event), bool(event.style))
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1, 0)
        self._take(node, mark, 1, 0)

    def begin(self, event: Any, mapping: bool) -> None:
        mark = event.start_mark
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.open.append(_Open(mark.line + 1, mark.column + 1, mapping, event.anchor))
        self._demand(mark, 0)

    def end(self) -> None:
        done = self.open.pop()
        node = self._mapping(done) if done.mapping else List(done.line, done.column, tuple(done.nodes))
        if done.anchor is not None:
            self.anchors[done.anchor] = (node, done.size, done.height)
        # its own nodes were counted when they came
        self._add(node, done.size, done.height)
        self.left -= 1

    def alias(self, event: Any) -> None:
        mark = event.start_mark
        if event.anchor not in self.anchors:
            raise Broken(f'found undefined alias {event.anchor}', mark.line + 1, mark.column + 1)
        named = self.anchors[event.anchor]
        if named is None:
            raise Broken(f'alias {event.anchor} stands for what it is in', mark.line + 1, mark.column + 1)
        node, size, height = named
        self._take(node, mark, size, height)

    def _take(self, node: Node, mark: Any, size: int, height: int) -> None:
        self.left -= size
        self._demand(mark, height)
        self._add(node, size, height)

    def _add(self, node: Node, size: int, height: int) -> None:
        if not self.open:
            self.root = node
            return
        around = self.open[-1]
        around.nodes.append(node)
        around.size += size
        around.height = max(around.height, height + 1)

    def _demand(self, mark: Any, height: int) -> None:
        if self.left < 0 or len(self.open) + height > DEEPEST:
            message = f'more than {self.most} nodes or {DEEPEST} levels, with aliases expanded'
            raise Broken(message, mark.line + 1, mark.column + 1)

    def _mapping(self, done: _Open) -> Map:
        own: list[tuple[Scalar, Node]] = []
        merged: list[tuple[Scalar, Node]] = []
        seen: dict[str, int] = {}
        pairs = iter(done.nodes)
        for name, content in zip(pairs, pairs, strict=True):
            if not isinstance(name, Scalar):
                raise Broken('a mapping or list as key', name.line, name.column)
            if name.tag == MERGE:
                for part in content.nodes if isinstance(content, List) else (content,):
                    merged.extend(part.entries if isinstance(part, Map) else ())
                continue
            if name.content in seen:
                self.duplicates.append(Duplicate(name.content, name.line, seen[name.content]))
            seen.setdefault(name.content, name.line)
            own.append((name, content))
        # child() takes the first entry of a name: the mapping's own keys win over merged ones
        return Map(done.line, done.column, (*own, *merged))


def _tag(event: Any) -> str:
    """The tag as YAML 1.1 resolves it; what is too long for a number is a text."""
    if event.tag is not None and event.tag != '!':
        return str(event.tag)
    return _plain_tag(event.value) if event.implicit[0] and len(event.value) <= LONGEST_PLAIN else TEXT


@lru_cache(maxsize=4096)
def _plain_tag(content: str) -> str:
    return next((tag for tag, pattern in _RESOLVERS.get(content[:1], ()) if pattern.match(content)), TEXT)
