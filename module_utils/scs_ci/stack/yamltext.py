"""YAML with positions: what the rules read, so that every finding can name a line of the source.

Scalars keep their text as written, for an unquoted `1.30` must not become the number 1.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

# The C parser is ten times as fast; it is missing only where PyYAML was built without libyaml.
_LOADER: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
# A document of more nodes, counted with aliases expanded, is a bomb or no cluster stack; the largest one has 17,000.
MOST_NODES = 200_000
# Deeper nesting would exhaust the stack of the interpreter before it helps anybody.
DEEPEST = 200
# The parser's C code recurses per level, hence a cheap look at the text before it sees it.
MOST_FLOW_BRACKETS = 5_000


class Broken(Exception):
    """The text is not YAML that can be used. line, column: from 1."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(f'line {line}: {message}')


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Scalar(Node):
    content: str
    tag: str
    quoted: bool

    @property
    def text(self) -> str:
        return self.content

    def plain(self) -> Any:
        loader = yaml.SafeLoader('')
        try:
            return loader.construct_object(yaml.ScalarNode(self.tag, self.content))
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError):
            # PyYAML trips over tags that do not fit, such as `!!int` of nothing: then it is the text
            return self.content
        finally:
            loader.dispose()


@dataclass(frozen=True)
class List(Node):
    nodes: tuple[Node, ...]

    def plain(self) -> Any:
        return [node.plain() for node in self.nodes]


@dataclass(frozen=True)
class Map(Node):
    entries: tuple[tuple[Scalar, Node], ...]

    def child(self, key: str) -> Node | None:
        return next((value for name, value in self.entries if name.content == key), None)

    def plain(self) -> Any:
        return {name.content: value.plain() for name, value in self.entries}


@dataclass(frozen=True)
class Duplicate:
    """A key that stands twice in one mapping; the first one is lost."""

    key: str
    line: int
    first: int


@dataclass(frozen=True)
class Document:
    """One document of a stream; root is None when it is empty."""

    root: Node | None
    duplicates: tuple[Duplicate, ...]
    line: int


def parse(text: str) -> tuple[Document, ...]:
    """All documents of the text. Raises Broken, and nothing else, for text that is not usable YAML."""
    if text.count('[') + text.count('{') > MOST_FLOW_BRACKETS and _flow_depth(text) > DEEPEST:
        raise Broken(f'nested deeper than {DEEPEST} levels', 1)
    if _indent_depth(text) > DEEPEST:
        raise Broken(f'nested deeper than {DEEPEST} levels', 1)
    try:
        return tuple(_document(node) for node in yaml.compose_all(text, Loader=_LOADER))
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


def _flow_depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in '[{':
            depth += 1
            deepest = max(deepest, depth)
        elif character in ']}':
            depth -= 1
    return deepest


def _indent_depth(text: str) -> int:
    """An upper bound of block nesting: a line of n dashes or blanks opens at most n levels."""
    return max((len(line) - len(line.lstrip(' -?:')) for line in text.splitlines()), default=0) // 2


def _document(node: yaml.Node | None) -> Document:
    if node is None:
        return Document(None, (), 1)
    duplicates: list[Duplicate] = []
    budget = [MOST_NODES]
    root = _convert(node, duplicates, budget, 0)
    return Document(root, tuple(duplicates), node.start_mark.line + 1)


def _convert(node: yaml.Node, duplicates: list[Duplicate], budget: list[int], depth: int) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    budget[0] -= 1
    if budget[0] < 0 or depth > DEEPEST:
        raise Broken(f'more than {MOST_NODES} nodes or {DEEPEST} levels, with aliases expanded', line, column)
    if isinstance(node, yaml.SequenceNode):
        return List(line, column, tuple(_convert(n, duplicates, budget, depth + 1) for n in node.value))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, duplicates, budget, depth)
    return Scalar(line, column, str(node.value), node.tag, bool(getattr(node, 'style', None)))


def _mapping(node: yaml.MappingNode, duplicates: list[Duplicate], budget: list[int], depth: int) -> Map:
    own: list[tuple[Scalar, Node]] = []
    merged: list[tuple[Scalar, Node]] = []
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = _convert(key, duplicates, budget, depth + 1)
        content = _convert(value, duplicates, budget, depth + 1)
        if not isinstance(name, Scalar):
            raise Broken('a mapping or list as key', name.line, name.column)
        if name.tag == 'tag:yaml.org,2002:merge':
            for part in content.nodes if isinstance(content, List) else (content,):
                merged.extend(part.entries if isinstance(part, Map) else ())
            continue
        if name.content in seen:
            duplicates.append(Duplicate(name.content, name.line, seen[name.content]))
        seen.setdefault(name.content, name.line)
        own.append((name, content))
    # child() takes the first entry of a name: the mapping's own keys win over merged ones
    return Map(node.start_mark.line + 1, node.start_mark.column + 1, (*own, *merged))


def walk(node: Node | None) -> Iterator[Node]:
    """The node and everything below it, in source order."""
    if node is None:
        return
    yield node
    if isinstance(node, List):
        for element in node.nodes:
            yield from walk(element)
    elif isinstance(node, Map):
        for name, value in node.entries:
            yield name
            yield from walk(value)
