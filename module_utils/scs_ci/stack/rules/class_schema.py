"""Keywords in the schemas of variables have an effect where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..clusterclass import cluster_classes
from ..hits import at
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..yamltext import Map, Node, Scalar

# Types that a keyword says something about; it is silently ignored on others.
TYPES = {
    'required': ('object',),
    'properties': ('object',),
    'additionalProperties': ('object',),
    'maxProperties': ('object',),
    'minProperties': ('object',),
    'items': ('array',),
    'maxItems': ('array',),
    'minItems': ('array',),
    'uniqueItems': ('array',),
    'maxLength': ('string',),
    'minLength': ('string',),
    'pattern': ('string',),
    'maximum': ('integer', 'number'),
    'minimum': ('integer', 'number'),
    'exclusiveMaximum': ('integer', 'number'),
    'exclusiveMinimum': ('integer', 'number'),
    'multipleOf': ('integer', 'number'),
}
NUMBER_FORMATS = ('int32', 'int64', 'float', 'double')
# Formats that an API server checks (apiextensions-apiserver, supported formats); others are ignored.
STRING_FORMATS = (
    *('uuid', 'uuid3', 'uuid4', 'uuid5', 'cidr', 'ipv4', 'ipv6', 'mac', 'hostname', 'email', 'uri', 'byte', 'password'),
    *('date', 'datetime', 'date-time', 'duration', 'k8s-short-name', 'k8s-long-name', 'bsonobjectid', 'creditcard'),
    *('isbn', 'isbn10', 'isbn13', 'ssn', 'hexcolor', 'rgbcolor'),
)


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        for variable in view.variables:
            for node, message in _schema(variable.schema, variable.name):
                yield at(stack, view.object, node.line, message)


def _schema(schema: Node | None, name: str) -> Iterator[tuple[Node, str]]:
    """(node, message) for a schema and all below it. name: of what it describes."""
    if not isinstance(schema, Map):
        return
    kind = schema.value('type')
    for keyword, value in schema.entries:
        types = TYPES.get(keyword.content, ())
        if kind and types and kind not in types:
            where = ' or '.join(types)
            yield (
                keyword,
                f'{keyword.content} says nothing about the {kind} {name}, it belongs to a schema of type {where}',
            )
        if keyword.content == 'format' and isinstance(value, Scalar) and (what := _format(kind, value.content)):
            yield keyword, f'format {value.content} of {name} is never checked: {what}'
    properties = schema.get('properties')
    if isinstance(properties, Map):
        yield from _required(schema, properties, name)
        for key, child in properties.entries:
            yield from _schema(child, f'{name}.{key.content}')
    yield from _schema(schema.get('items'), f'{name}[]')
    yield from _schema(schema.get('additionalProperties'), f'{name}.*')


def _format(kind: str, text: str) -> str:
    """Why a format has no effect, '' when it has."""
    if kind == 'string':
        return '' if text in STRING_FORMATS else 'an API server does not know it'
    if kind in ('integer', 'number'):
        return '' if text in NUMBER_FORMATS else 'it is none of numbers'
    return (
        f'a value of type {kind or "none"} has no format, put it below items' if text in STRING_FORMATS else 'unknown'
    )


def _required(schema: Map, properties: Map, name: str) -> Iterator[tuple[Node, str]]:
    known = {key.content for key, _ in properties.entries}
    for node in schema.items('required'):
        if node.text not in known:
            yield node, f'{name} requires {node.text}, which is not among its properties: no value is ever accepted'


def _example(schema: str, *hits: int) -> Example:
    head = '  variables:\n    - name: disks\n      schema:\n        openAPIV3Schema:\n'
    return printed_class(CLASS_HEAD + head + schema, *hits)


RULE = Rule(
    id='class-schema',
    # Cluster API accepts such a class; only what the author meant to demand is not demanded.
    severity=Severity.WARNING,
    title='keywords in schemas of variables have an effect',
    motivation=(
        'scs2 demands `required: ["name"]` of an array and `format: uuid4` of arrays: both are ignored, block devices '
        'without name and security groups that are no UUIDs are accepted, and the cluster fails later.'
    ),
    check=check,
    bad=(
        _example('          type: array\n          required: ["name"]\n          items: {type: string}\n', 11),
        _example('          type: array\n          format: uuid4\n          items: {type: string}\n', 11),
        _example('          type: string\n          format: uuid9\n          minimum: 3\n', 11, 12),
        _example('          type: object\n          required: ["a"]\n          properties: {b: {type: string}}\n', 11),
    ),
    good=(
        Example(),
        _example('          type: array\n          items: {type: string, format: uuid4, minLength: 1}\n'),
        _example('          type: object\n          required: ["a"]\n          properties: {a: {type: integer}}\n'),
    ),
)
