"""Chart.lock: which versions it locks, and the digest by which helm sees that it fits Chart.yaml."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .model import Chart, Stack
from .spans import Span, scalar
from .yamltext import Node

# Fields of a dependency in the order in which helm writes them for the digest; empty ones but the first three are left
# out. The third is written even when it is empty.
FIELDS = ('name', 'version', 'repository', 'condition', 'tags', 'enabled', 'import-values', 'alias')
ALWAYS = ('name', 'repository')
# What Go writes instead of characters that HTML gives a meaning.
ESCAPES = {'<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029'}


def locked(
    stack: Stack, chart: Chart, charts: Mapping[str, str], changed: Sequence[tuple[Node, str]]
) -> Iterator[tuple[Span, str]]:
    """Edits that lock the charts at their versions. changed: entries of Chart.yaml with their new version texts."""
    path = f'{chart.path}/Chart.lock'
    file = stack.yaml.get(path)
    if file is None or file.root is None:
        return
    moved = []
    for node in file.root.items('dependencies'):
        stated, version = node.get('version'), charts.get(node.value('name'))
        if stated is not None and version and stated.text.removeprefix('v') != version.removeprefix('v'):
            moved.append((node, version))
            yield scalar(stack, path, stated, f'version of {node.value("name")}'), version
    stated = file.root.get('digest')
    if stated is not None and (moved or changed):
        wanted = chart.meta.root.items('dependencies') if chart.meta.root is not None else ()
        new = digest(_with(wanted, changed), _with(file.root.items('dependencies'), moved))
        yield scalar(stack, path, stated, 'digest'), new


def _with(nodes: Iterable[Node], changed: Sequence[tuple[Node, str]]) -> list[dict[str, Any]]:
    found = []
    for node in nodes:
        plain = node.plain()
        entry = {**plain, 'version': node.value('version')} if isinstance(plain, dict) else {}
        moved = next((new for other, new in changed if other is node), None)
        found.append({**entry, 'version': moved} if moved else entry)
    return found


def digest(declared: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> str:
    """The digest that helm writes for these entries of Chart.yaml and Chart.lock."""
    text = json.dumps([_ordered(declared), _ordered(held)], separators=(',', ':'), ensure_ascii=False)
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return f'sha256:{hashlib.sha256(text.encode()).hexdigest()}'


def _ordered(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: entry.get(key, '') for key in FIELDS if key in ALWAYS or entry.get(key)} for entry in entries]
