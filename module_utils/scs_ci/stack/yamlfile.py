"""YAML files of a stack, and texts stated in them at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .yamltext import MOST_NODES, Broken, Document, List, Map, Node, Scalar, parse

# Larger text files are read neither by helm templates nor by people.
MOST_TEXT = 4 * 1024 * 1024
# A million nodes take 190 MB, and those of a stack are held all at the same time.
MOST_NODES_OF_STACK = 1_000_000


@dataclass(frozen=True)
class YamlFile:
    """A YAML file of the stack; broken tells why it has no documents."""

    path: str
    documents: tuple[Document, ...] = ()
    broken: Broken | None = None

    @property
    def root(self) -> Node | None:
        return next((d.root for d in self.documents if d.root is not None), None)

    def value(self, *keys: str) -> str:
        return self.root.value(*keys) if self.root is not None else ''


@dataclass(frozen=True)
class Stated:
    """A text at a place; '' when the file does not state it, and then line is the best place to add it."""

    text: str
    file: str
    line: int


def stated(file: YamlFile, *keys: str) -> Stated:
    """The scalar below these keys with its place; without it, the place of the deepest key that exists."""
    node, line = file.root, 1
    for key in keys:
        line = node.line if node is not None else line
        node = node.get(key) if node is not None else None
    return Stated(node.text, file.path, node.line) if node is not None else Stated('', file.path, line)


def yaml_files(contents: Mapping[str, bytes]) -> dict[str, YamlFile]:
    """The YAML and JSON files of a stack; those that would be too many nodes together are broken."""
    found: dict[str, YamlFile] = {}
    left = MOST_NODES_OF_STACK
    for name, content in contents.items():
        found[name] = yaml_file(name, content, min(left, MOST_NODES))
        left -= sum(document.size for document in found[name].documents)
    return found


def yaml_file(name: str, content: bytes, most: int = MOST_NODES) -> YamlFile:
    """A YAML or JSON file of at most so many nodes; what cannot be parsed is told in `broken`."""
    if len(content) > MOST_TEXT:
        return YamlFile(name, broken=Broken(f'larger than {MOST_TEXT >> 20} MiB', 1))
    try:
        return YamlFile(name, parse(content.decode('utf-8'), most))
    except UnicodeDecodeError as error:
        return YamlFile(name, broken=Broken('not UTF-8', content.count(b'\n', 0, error.start) + 1))
    except Broken as error:
        return YamlFile(name, broken=error)


def scalars(node: Node | None, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Scalar]]:
    """Every scalar value below a node with its path of keys; list elements have their index as key."""
    if isinstance(node, Scalar):
        return [(prefix, node)]
    if isinstance(node, List):
        return [hit for i, child in enumerate(node.nodes) for hit in scalars(child, (*prefix, str(i)))]
    if isinstance(node, Map):
        return [hit for name, child in node.entries for hit in scalars(child, (*prefix, name.content))]
    return []
