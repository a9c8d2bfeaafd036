"""Every YAML file of the stack parses, without duplicate keys."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule

VALUES = 'cluster-addon/cni/values.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for file in stack.yaml.values():
        if file.broken:
            yield Hit(file.path, file.broken.line, f'not YAML: {file.broken.message}', column=file.broken.column)
        for document in file.documents:
            for duplicate in document.duplicates:
                message = f'key {duplicate.key!r} stands here again; the first one, in line {duplicate.first}, is lost'
                yield Hit(file.path, duplicate.line, message, seen=duplicate.key)


RULE = Rule(
    id='yaml-parses',
    severity=Severity.ERROR,
    title='YAML files parse and have no duplicate keys',
    motivation='Parsers keep the last of two equal keys without a word; the values above it silently do nothing.',
    check=check,
    bad=(
        Example({VALUES: 'cilium:\n  a: 1\n  b: 2\n  a: 3\n'}, hits=((VALUES, 4),)),
        Example({VALUES: 'cilium:\n  a: [1\n'}, hits=((VALUES, 2),)),
        Example({VALUES: 'a: &x [1, 2]\nb: "\t\x07"\n'}, hits=((VALUES, 2),)),
    ),
    good=(Example({VALUES: 'base: &base {a: 1}\nother:\n  <<: *base\n  a: 2\n'}), Example({VALUES: ''})),
)
