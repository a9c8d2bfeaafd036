"""Statements of a Kubernetes version: names of images, charts and classes, addresses and fields that carry one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .model import ADDON_DIR, CLASS_DIR, Stack, YamlFile
from .versions import Kubernetes, parse_kubernetes
from .yamltext import List, Map, Node, Scalar

# Lists of image managers name images of many versions on purpose; so does the table that generators read.
OF_MANY = frozenset({'kubernetes.yaml', 'image-manager.yaml', 'versions.yaml'})
# Sources are written by people: templates of 100 kB are the largest that there are.
MOST_BYTES = 1024 * 1024
LONGEST_LINE = 2_000
# Names and addresses of node images, as the community builds and publishes them.
IMAGE = re.compile(r'(?:capi-image[- ]|kube-|kindest/node:)(v?\d+\.\d+(?:\.\d+)?)(?!\w*\d)(?!\.\d)')
# Fields whose value is a Kubernetes version; `version` alone is one only in the topology of a Cluster.
FIELD = re.compile(r'(?:kubernetes|k8s)[-_]?version', re.IGNORECASE)
# Keys with prose or samples: what they show is not in force.
PROSE = frozenset({'description', 'example', 'examples', 'title', 'x-example', 'externalDocs'})
PROSE_LINE = re.compile(r'^(?P<indent>\s*)(?:- )?(?:description|examples?|title):(?P<rest>.*)$')


@dataclass(frozen=True)
class Statement:
    """A version that a line states. what: of which thing, as a person calls it; seen: the text of the version."""

    what: str
    seen: str
    version: Kubernetes
    file: str
    line: int


def statements(stack: Stack) -> Iterator[Statement]:
    """What the files of the stack state, documents and the declaration itself excepted, in order of the files."""
    for path in stack.files:
        name = path.rsplit('/', 1)[-1]
        if name in OF_MANY or path.lower().endswith('.md') or path == stack.kubernetes.file:
            continue
        if path in stack.yaml:
            yield from _in_yaml(stack, stack.yaml[path])
        elif is_source(path):
            yield from in_lines(stack, path, without_prose(source_text(stack, path)))


def is_source(path: str) -> bool:
    """Templates and small text files beside them; packed charts and what upstream wrote are none."""
    if '/charts/' in path or path.endswith(('.tgz', '.tpl', '.lock', '.helmignore')):
        return False
    return path.startswith((f'{CLASS_DIR}/', f'{ADDON_DIR}/', 'node-image')) or '/' not in path


def source_text(stack: Stack, path: str) -> str:
    """Text of a source, '' for what nobody writes by hand: large files, and those with zero bytes."""
    content = stack.files.get(path, b'')
    return '' if len(content) > MOST_BYTES or b'\0' in content else stack.text(path)


def in_lines(stack: Stack, file: str, lines: Iterator[tuple[int, str]]) -> Iterator[Statement]:
    """What lines of text state by the names that stand in them."""
    for number, line in lines:
        for what, seen in in_text(stack, line):
            version = parse_kubernetes(seen)
            if version:
                yield Statement(what, seen, version, file, number)


def in_text(stack: Stack, text: str) -> Iterator[tuple[str, str]]:
    """(thing, version) of each name in a text that carries a version."""
    for match in IMAGE.finditer(text):
        yield 'node image', match[1]
    if stack.provider.text and stack.name.text:
        for match in re.finditer(family(stack.provider.text, stack.name.text), text):
            yield f'name {match[0]}', f'{match["major"]}.{match["minor"]}'


def family(provider: str, name: str) -> str:
    """Pattern of the names of classes, charts and releases of this stack: `<provider>-<stack>-<major>-<minor>…`."""
    return rf'(?<![\w-]){re.escape(provider)}-{re.escape(name)}-(?P<major>\d)-(?P<minor>\d\d)(?![\d.])'


def without_prose(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines that are no comment and no description, block scalars of descriptions included.

    Of lines longer than anybody writes only the beginning is looked at.
    """
    deeper_than = -1
    for number, line in enumerate(text.split('\n'), start=1):
        indent = len(line) - len(line.lstrip(' '))
        if deeper_than >= 0 and (not line.strip() or indent > deeper_than):
            continue
        deeper_than = -1
        match = PROSE_LINE.match(line)
        if match:
            deeper_than = len(match['indent'])
        elif not line.lstrip().startswith('#'):
            yield number, line[:LONGEST_LINE]


def _in_yaml(stack: Stack, file: YamlFile) -> Iterator[Statement]:
    for document in file.documents:
        yield from _in_node(stack, file.path, document.root, ())


def _in_node(stack: Stack, file: str, node: Node | None, keys: tuple[str, ...]) -> Iterator[Statement]:
    if isinstance(node, Map):
        for name, value in node.entries:
            if name.content not in PROSE:
                yield from _in_node(stack, file, value, (*keys, name.content))
    elif isinstance(node, List):
        for value in node.nodes:
            yield from _in_node(stack, file, value, keys)
    elif isinstance(node, Scalar):
        yield from _in_scalar(stack, file, node, keys)


def _in_scalar(stack: Stack, file: str, node: Scalar, keys: tuple[str, ...]) -> Iterator[Statement]:
    version = parse_kubernetes(node.content)
    if version and keys and (FIELD.fullmatch(keys[-1]) or keys[-2:] == ('topology', 'version')):
        yield Statement(keys[-1], node.content, version, file, node.line)
        return
    yield from in_lines(stack, file, iter([(node.line, line) for line in node.content.split('\n')]))
