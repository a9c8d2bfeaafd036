"""What the description of a variable calls its default is its default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..clusterclass import Variable, cluster_classes
from ..hits import at
from ..model import Stack
from ..paths import text_line
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..yamltext import Map, Node, Scalar

WORD = r'[\w./:-]*\w'
# "(default: SCS-4V-8, …)", "(Default is 50)", "defaults to `x`"
SAYS = re.compile(rf'\(\s*default(?:s to|\s*:| is)?\s+[`"\']?(?P<a>{WORD})|\bdefaults to\s+[`"\']?(?P<b>{WORD})', re.I)
# "If set to true (default), …"
MARKED = re.compile(r'\bset to\s+[`"\']?(?P<a>true|false)[`"\']?\s*\(\s*default\s*\)', re.I)


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        for variable in view.variables:
            for name, schema in _schemas(variable):
                default, description = schema.get('default'), schema.get('description')
                if not isinstance(default, Scalar) or not isinstance(description, Scalar):
                    continue
                for said, words in _said(description.content):
                    if said.lower() != default.content.lower():
                        message = (
                            f'the description of {name} calls {said} the default, which is '
                            f'{default.content or "empty"}: correct the one that is wrong'
                        )
                        line = text_line(description, words)
                        yield at(stack, view.object, line, message, seen=said, wanted=default.content)


def _schemas(variable: Variable) -> Iterator[tuple[str, Node]]:
    """(name, schema) of the variable and of its properties."""
    if variable.schema is not None:
        yield variable.name, variable.schema
        properties = variable.schema.get('properties')
        for name, schema in properties.entries if isinstance(properties, Map) else ():
            yield f'{variable.name}.{name.content}', schema


def _said(text: str) -> Iterator[tuple[str, str]]:
    """(value, line of the text) of what is called the default by a single word."""
    for line in text.split('\n'):
        for match in (*SAYS.finditer(line), *MARKED.finditer(line)):
            value = match.groupdict()
            yield value['a'] or value.get('b') or '', line.strip()


def _example(kind: str, default: str, description: str, *lines: int) -> Example:
    spec = (
        '  variables:\n    - name: a\n      schema:\n        openAPIV3Schema:\n'
        f'          type: {kind}\n          default: {default}\n'
        f'          description: |\n            What it is.\n            {description}\n'
    )
    return printed_class(CLASS_HEAD + spec, *lines)


RULE = Rule(
    id='class-descriptions',
    severity=Severity.WARNING,
    title='descriptions name the default that a variable has',
    motivation='A default that was changed, and its description was not, lets people rely on what they do not get.',
    check=check,
    bad=(
        _example('boolean', 'false', 'If set to true (default), it is on.', 14),
        _example('string', 'SCS-2V-4', 'Flavor (default: SCS-4V-8, which needs a disk).', 14),
        _example('integer', '50', 'Size, defaults to 20.', 14),
    ),
    good=(
        Example(),
        _example('boolean', 'true', 'If set to true (default), it is on.'),
        _example('string', 'octavia-ovn', '(default) Uses Octavia'),
        _example('string', 'SCS-2V-4', 'Flavor (Default: SCS-2V-4, or better another).'),
        _example('string', '""', 'By default the network of the cloud.'),
    ),
)
