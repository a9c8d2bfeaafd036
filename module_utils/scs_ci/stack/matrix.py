"""The points of the matrix: sets of values that a chart must render with, besides its defaults.

Each boolean both ways, each value of an enumeration, each empty value and each list set; with a schema each optional
value unset.
One value at a time: what depends on two is rare, and all pairs of forty values would be eight hundred renderings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .model import Chart, Stack
from .yamltext import List, Map, Node, Scalar

# Words that stand in a rendering only because a point put them there.
SAMPLE = 'scs-ci-sample'
SAMPLES = (f'{SAMPLE}-one', f'{SAMPLE}-two')
# Larger charts have values of others in them; one of ours has forty.
MOST_POINTS = 200
# Values below these belong to helm, or to charts of others.
NOT_OURS = frozenset({'global'})


@dataclass(frozen=True)
class Point:
    """title: what differs from the defaults, e.g. 'values: oidc.enabled=true'; values: YAML for helm.

    sure: False when the value is a guess of ours, so that a template may rightly refuse it.
    """

    title: str
    values: str
    sure: bool = True


def points(stack: Stack, chart: Chart) -> tuple[Point, ...]:
    """Points for a chart with templates of its own; values of charts that it depends on are their authors' business."""
    own = any(path.startswith(f'{chart.path}/templates/') for path in stack.files)
    root = chart.values.root if chart.values is not None else None
    if not own or not isinstance(root, Map):
        return ()
    schema = chart.schema.root.plain() if chart.schema is not None and chart.schema.root is not None else {}
    foreign = NOT_OURS | {d.alias or d.name for d in chart.dependencies}
    found = [
        point
        for key, node in root.entries
        if key.content not in foreign
        for point in _of(node, (key.content,), _below(schema, key.content), _required(schema, key.content))
    ]
    return tuple(found[:MOST_POINTS])


def _of(node: Node, path: tuple[str, ...], schema: Mapping[str, Any], required: bool) -> Iterator[Point]:
    if isinstance(node, Map) and node.entries:
        for key, child in node.entries:
            yield from _of(child, (*path, key.content), _below(schema, key.content), _required(schema, key.content))
        return
    value = node.plain()
    if isinstance(value, bool):
        yield _point(path, not value)
    for other in _enumeration(schema):
        if other != value:
            yield _point(path, other)
    if (_empty(node) or isinstance(node, List)) and not schema.get('enum'):
        yield _point(path, _sample(node, schema), sure='type' in schema and schema.get('type') in EXACT)
    elif schema and not required and not isinstance(value, bool):
        yield _point(path, None)


# Types of a schema whose sample no sensible template refuses; strings may have a form, objects have fields.
EXACT = frozenset({'boolean', 'integer', 'number'})


def _sample(node: Node, schema: Mapping[str, Any]) -> Any:
    kind = schema.get('type')
    if kind in ('integer', 'number'):
        return schema.get('minimum', 1)
    if kind == 'boolean':
        return True
    if isinstance(node, List) or kind == 'array':
        return list(SAMPLES)
    if isinstance(node, Map) or kind == 'object':
        return dict(zip(SAMPLES, SAMPLES, strict=True))
    return SAMPLES[0]


def _empty(node: Node) -> bool:
    if isinstance(node, Scalar):
        return node.plain() in (None, '')
    return node.plain() in ([], {})


def _enumeration(schema: Mapping[str, Any]) -> list[Any]:
    found = schema.get('enum')
    return [value for value in found if value is not None] if isinstance(found, list) else []


def _below(schema: Any, key: str) -> Mapping[str, Any]:
    properties = schema.get('properties') if isinstance(schema, Mapping) else None
    found = properties.get(key) if isinstance(properties, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _required(schema: Any, key: str) -> bool:
    names = schema.get('required') if isinstance(schema, Mapping) else None
    return isinstance(names, list) and key in names


def _point(path: tuple[str, ...], value: Any, sure: bool = True) -> Point:
    nested: Any = value
    for key in reversed(path):
        nested = {key: nested}
    shown = 'unset' if value is None else json.dumps(value)
    title = f'values: {".".join(path)}={shown}' if value is not None else f'values: {".".join(path)} {shown}'
    return Point(title, json.dumps(nested), sure)
