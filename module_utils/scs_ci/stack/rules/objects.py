"""Every rendered document is an object: apiVersion, kind and a name, and no placeholder of a value that was missing."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import CLASS_DIR, Stack
from ..rendered import Printed, printed
from ..rule import Example, Hit, Rule
from ..yamltext import Map, Node

TEMPLATE = 'cluster-class/templates/class.yaml'
HEAD = '# Source: x/templates/class.yaml\n'
MISSING = '<no value>'


def check(stack: Stack) -> Iterable[Hit]:
    for template in printed(stack):
        for document in template.documents:
            if document.root is not None and not _empty(document.root):
                yield from _object(stack, template, document.root)
        for number, line in enumerate(template.part.text.split('\n'), start=1):
            if MISSING in line:
                place = template.place(stack, number)
                message = f'prints {MISSING}: the value it names does not exist'
                # In addons it comes from overwrite.yaml, and the made-up cluster cannot have every field of a real one.
                sure = template.chart.path == CLASS_DIR
                severity = None if sure else Severity.WARNING
                yield Hit(place.file, place.line, message, seen=line.strip(), severity=severity)


def _empty(root: Node) -> bool:
    """A document of comments or a lone null, which helm drops."""
    return not isinstance(root, Map) and root.plain() is None


def _object(stack: Stack, template: Printed, root: Node) -> Iterable[Hit]:
    place = template.place(stack, root.line)
    if not isinstance(root, Map):
        yield Hit(place.file, place.line, f'{template.part.template} prints a document that is no object')
        return
    lacking = [key for key in ('apiVersion', 'kind') if not root.value(key)]
    named = root.value('metadata', 'name') or root.value('metadata', 'generateName')
    if not named and not root.value('kind').endswith('List'):
        lacking.append('metadata.name')
    if lacking:
        kind = root.value('kind') or 'object'
        message = f'{template.part.template} prints a {kind} without {", ".join(lacking)}'
        yield Hit(place.file, place.line, message, wanted=', '.join(lacking))


RULE = Rule(
    id='objects',
    severity=Severity.ERROR,
    title='rendered documents have apiVersion, kind and metadata.name',
    motivation='The API server refuses other documents, and CSO then says only that it failed to apply everything.',
    check=check,
    bad=(
        Example(
            {TEMPLATE: 'kind: A\nmetadata:\n  name: {{ x }}\n'},
            {'cluster-class': f'{HEAD}kind: A\nmetadata:\n  name: b\n'},
            hits=((TEMPLATE, 1),),
        ),
        Example({TEMPLATE: '- {{ x }}\n'}, {'cluster-class': f'{HEAD}- b\n'}, hits=((TEMPLATE, 1),)),
        Example(
            {TEMPLATE: 'apiVersion: v1\nkind: A\nmetadata:\n  name: a{{ x }}\n'},
            {'cluster-class': f'{HEAD}apiVersion: v1\nkind: A\nmetadata:\n  name: a<no value>\n'},
            hits=((TEMPLATE, 4),),
        ),
    ),
    good=(
        Example(rendered={'cluster-class': f'{HEAD}apiVersion: v1\nkind: A\nmetadata: {{name: b}}\n---\n# nothing\n'}),
        Example(rendered={'cluster-class': f'{HEAD}apiVersion: v1\nkind: RoleList\nitems: []\n'}),
    ),
)
