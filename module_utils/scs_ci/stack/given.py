"""The values that a stack gives to its addon charts: values.yaml, and overwrite templates as far as they are plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .model import Chart, Stack
from .statements import source_text
from .yamltext import Broken, Map, Node, Scalar, parse

OLD_OVERWRITE = 'cluster-addon-values.yaml'
# Lines that print nothing themselves: control structures and definitions.
CONTROL = re.compile(r'^\s*(?:\{\{[^}]*\}\}\s*)+$')
VALUES_LINE = re.compile(r'^values:\s*[|>][-+]?\s*$')


@dataclass(frozen=True)
class Given:
    """A document of values. offset: what to add to the lines of its nodes to have those of the file."""

    file: str
    root: Map
    offset: int = 0


def given_values(stack: Stack, chart: Chart) -> Iterator[Given]:
    """Values for the chart and its dependencies, in the order in which later ones win."""
    if chart.values is not None and isinstance(chart.values.root, Map):
        yield Given(chart.values.path, chart.values.root)
    overwrite = f'{chart.path}/overwrite.yaml' if stack.addon_layout == 'stages' else OLD_OVERWRITE
    if overwrite in stack.files:
        yield from _template(overwrite, source_text(stack, overwrite))


def _template(file: str, text: str) -> Iterator[Given]:
    """The keys of a template; nothing when it is no YAML without its actions, which a rendering then shows."""
    lines = _keep_lines(text)
    start = next((i for i, line in enumerate(lines) if VALUES_LINE.match(line)), -1)
    body = lines[start + 1 :]
    # of the branches of an `if` all stand there: the same key twice is no mistake then
    try:
        documents = parse('\n'.join(body))
    except Broken:
        return
    for document in documents:
        if isinstance(document.root, Map):
            yield Given(file, document.root, start + 1)


def _keep_lines(text: str) -> list[str]:
    """The lines with a word in place of what actions print, and nothing in place of control structures."""
    original = text.split('\n')
    lines = ''.join(_without_actions(text)).split('\n')
    return ['' if i < len(original) and CONTROL.match(original[i]) else line for i, line in enumerate(lines)]


def _without_actions(text: str) -> Iterator[str]:
    """The text with x for each action and the line ends in it; an action that is not closed stays as it is."""
    at = 0
    while (start := text.find('{{', at)) >= 0 and (end := text.find('}}', start)) >= 0:
        yield text[at:start]
        yield 'x' + '\n' * text.count('\n', start, end)
        at = end + 2
    yield text[at:]


def node_at(given: Given, path: tuple[str, ...]) -> tuple[Node, int] | None:
    """The deepest node that exists on a path with its line in the file; None when not even the first key does."""
    node: Node = given.root
    found: tuple[Node, int] | None = None
    for key in path:
        entry = next(((k, v) for k, v in node.entries if k.content == key), None) if isinstance(node, Map) else None
        if entry is None:
            break
        name, node = entry
        found = node, name.line + given.offset
    return found


def keys(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """The entries of a mapping, nothing for other nodes."""
    return node.entries if isinstance(node, Map) else ()
