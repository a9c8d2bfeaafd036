"""The sets of variables that a class is tried with.

Nothing set, each variable in each of its forms, each patch switched on, everything set. Values come from the author
where the schema names some (default, example, enum, comparisons in templates); others are made up and marked, for a
refusal of those says less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .clusterclass import ClusterClass, Patch
from .yamltext import List, Map, Node, Scalar

# Each point costs some milliseconds; a class with more forms than this is tried with the first ones.
MOST_POINTS = 400
LABEL = 60
COMPARED = re.compile(r'\b(?:eq|ne)\s+\.(\w+)\s+(?:"([^"]*)"|`([^`]*)`)')
USED = re.compile(r'\.(\w+)')
UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
BY_FORMAT = {
    'uuid': '3adf4e92-bb33-4e44-8ad3-afda9dfe8ec3',
    'uuid4': '3adf4e92-bb33-4e44-8ad3-afda9dfe8ec3',
    'cidr': '192.0.2.0/24',
    'ipv4': '192.0.2.10',
    'ipv6': '2001:db8::10',
    'hostname': 'host.example',
    'email': 'someone@host.example',
    'uri': 'https://host.example/',
    'date-time': '2026-01-01T00:00:00Z',
    'date': '2026-01-01',
    'duration': '1h',
    'byte': 'c2FtcGxl',
}


@dataclass(frozen=True)
class Value:
    """A value to try. guessed: nobody named it."""

    content: Any
    guessed: bool


@dataclass(frozen=True)
class Point:
    """A set of variables. variable: the one that this point is about, '' for none or many."""

    name: str
    values: Mapping[str, Any]
    guessed: bool
    variable: str = ''


def points(view: ClusterClass) -> tuple[Point, ...]:
    """All points of a class, the one with nothing set first."""
    compared = _compared(view)
    forms = {v.name: [*variants(v.schema), *_literals(v.schema, compared.get(v.name, []))] for v in view.variables}
    needed = {v.name: forms[v.name][-1] for v in view.variables if v.required and forms[v.name]}
    base = {name: value.content for name, value in needed.items()}
    made = [Point('no variable set', base, any(value.guessed for value in needed.values()))]
    for name, values in forms.items():
        made += [Point(_label(name, v.content), {**base, name: v.content}, v.guessed, name) for v in values]
    made += [_switched_on(patch, forms, base) for patch in view.patches]
    rich = {name: values[0] for name, values in forms.items() if values}
    everything = {name: value.content for name, value in rich.items()}
    made.append(Point('every variable set', everything, any(value.guessed for value in rich.values())))
    return tuple(_distinct(made))[:MOST_POINTS]


def _distinct(made: list[Point]) -> Iterator[Point]:
    seen: set[str] = set()
    for point in made:
        text = json.dumps(point.values, sort_keys=True, default=str)
        if text not in seen:
            seen.add(text)
            yield point


def _switched_on(patch: Patch, forms: Mapping[str, list[Value]], base: Mapping[str, Any]) -> Point:
    """Every variable that the condition of a patch names has a value, compared ones the one they are compared with."""
    condition = patch.enabled_if
    chosen = {name: forms[name][0] for name in USED.findall(condition) if forms.get(name)}
    chosen |= {name: Value(one or two, False) for name, one, two in COMPARED.findall(condition) if name in forms}
    values = {**base, **{name: value.content for name, value in chosen.items()}}
    return Point(f'patch {patch.name} switched on', values, any(v.guessed for v in chosen.values()))


def _compared(view: ClusterClass) -> dict[str, list[str]]:
    """Texts that templates compare variables with."""
    found: dict[str, list[str]] = {}
    for patch in view.patches:
        for text in _templates(patch.node):
            for name, one, two in COMPARED.findall(text):
                found.setdefault(name, []).append(one or two)
    return found


def _templates(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.content
    elif isinstance(node, List):
        for child in node.nodes:
            yield from _templates(child)
    elif isinstance(node, Map):
        for _, child in node.entries:
            yield from _templates(child)


def _literals(schema: Node | None, texts: list[str]) -> list[Value]:
    """Only where the schema leaves them open: an enum names all there are."""
    if schema is None or schema.value('type') != 'string' or schema.get('enum') is not None:
        return []
    return [Value(text, False) for text in dict.fromkeys(texts) if text]


def _label(name: str, content: Any) -> str:
    text = json.dumps(content, default=str)
    return f'{name}: {text if len(text) <= LABEL else text[:LABEL] + "..."}'


def variants(schema: Node | None) -> list[Value]:
    """The forms of a value, the richest first."""
    if schema is None:
        return []
    if schema.get('enum') is not None:
        return [Value(node.plain(), False) for node in schema.items('enum')]
    kind = schema.value('type')
    if kind == 'boolean':
        return [Value(True, False), Value(False, False)]
    if kind == 'object':
        return list(_objects(schema))
    if kind == 'array':
        return list(_arrays(schema))
    return list(_plain(schema))


def _named(schema: Node) -> list[Value]:
    """Values that the author wrote down."""
    nodes = [schema.get('example'), schema.get('default')]
    return [Value(node.plain(), False) for node in nodes if node is not None]


def _plain(schema: Node) -> Iterator[Value]:
    """Strings and numbers: what the author names, the bounds, or something made up."""
    yield from _named(schema)
    if schema.value('type') in ('integer', 'number'):
        bounds = [node for node in (schema.get('minimum'), schema.get('maximum')) if node is not None]
        yield from (Value(node.plain(), False) for node in bounds)
        if not bounds and schema.get('example') is None:
            yield Value(1, True)
    elif schema.value('type') == 'string' and schema.get('example') is None and schema.get('pattern') is None:
        text = BY_FORMAT.get(schema.value('format'), 'sample')
        least = schema.value('minLength')
        yield Value(text.ljust(int(least), 'x') if least.isdecimal() else text, True)


def _arrays(schema: Node) -> Iterator[Value]:
    """Each form of one element, two elements, none. Elements that the author names beat made-up ones."""
    named = [value for value in _named(schema) if value.content]
    yield from named
    elements = variants(schema.get('items'))
    if named and all(element.guessed for element in elements):
        elements = [Value(named[0].content[0], False)] if isinstance(named[0].content, list) else []
    yield from (Value([element.content], element.guessed) for element in elements)
    if elements and (second := _other(elements[0].content)) is not None:
        yield Value([elements[0].content, second], True)
    if not schema.value('minItems').strip('0'):
        yield Value([], False)


def _other(content: Any) -> Any:
    """A value of the same form that is not equal; None when that is not to be had by chance."""
    if isinstance(content, str) and UUID.fullmatch(content):
        return content[:-1] + ('1' if content[-1] == '0' else '0')
    if isinstance(content, str):
        return f'{content}-2' if re.fullmatch(r'[a-z][a-z-]*(-?\d)?', content) else None
    if isinstance(content, dict):
        changed = {key: value for key in content if (value := _other(content[key])) is not None}
        return {**content, **changed} if changed else None
    return None


def _objects(schema: Node) -> Iterator[Value]:
    """The whole object, each property in each form beside the required ones, and as little as allowed."""
    yield from (value for value in _named(schema) if value.content)
    properties = schema.get('properties')
    if not isinstance(properties, Map):
        if schema.get('additionalProperties') is not None:
            for value in variants(schema.get('additionalProperties')):
                yield Value({'sample': value.content}, True)
        yield Value({}, False)
        return
    forms = {name.content: variants(child) for name, child in properties.entries}
    best = {name: values[0] for name, values in forms.items() if values}
    yield _object(best)
    required = {node.text for node in schema.items('required')}
    needed = {name: best[name] for name in required if name in best}
    for name, values in forms.items():
        for value in values:
            yield _object({**needed, name: value})
    if required <= set(needed):
        yield _object(needed)


def _object(values: Mapping[str, Value]) -> Value:
    content = {name: value.content for name, value in values.items()}
    return Value(content, any(value.guessed for value in values.values()))
