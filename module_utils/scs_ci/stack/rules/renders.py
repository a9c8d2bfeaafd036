"""Every chart renders with helm, and what it prints is YAML without duplicate keys."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rendered import printed
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    # helm stops at a template that prints no YAML; its line in the source says more than helm's message
    explained = {template.chart.path for template in printed(stack) if template.broken}
    for rendering in stack.renderings:
        if rendering.error and rendering.chart not in explained:
            yield Hit(rendering.file, rendering.line, f'helm cannot render {rendering.chart}: {rendering.error}')
    for template in printed(stack):
        if template.broken:
            place = template.place(stack, template.broken.line)
            what = f'{template.part.template} prints no YAML: {template.broken.message}'
            yield Hit(place.file, place.line, what)
        for document in template.documents:
            for duplicate in document.duplicates:
                place = template.place(stack, duplicate.line)
                message = f'{template.part.template} prints the key {duplicate.key!r} twice in one mapping'
                # What a chart of somebody else prints is a fact to know; the stack's author cannot correct it there.
                severity = None if place.own else Severity.WARNING
                yield Hit(place.file, place.line, message, seen=duplicate.key, severity=severity)


RULE = Rule(
    id='renders',
    severity=Severity.ERROR,
    title='charts render, and the result is YAML',
    motivation=(
        'A stage that fails to render and is not the last one leaves every condition of CSO true: nothing but an event '
        'tells that the addon is missing.'
    ),
    check=check,
    bad=(
        Example(failed={'cluster-class': 'function "foo" not defined'}, hits=((TEMPLATE, 1),)),
        Example(
            {TEMPLATE: 'a: 1\nb: {{ .Values.list }}\nc: 2\nb: 3\n'},
            {'cluster-class': '# Source: x/templates/class.yaml\na: 1\nb: text\nc: 2\nb: 3\n'},
            hits=((TEMPLATE, 4),),
        ),
        Example(
            {TEMPLATE: 'a: 1\nb: {{ .Values.list }}\nc: 2\n'},
            {'cluster-class': '# Source: x/templates/class.yaml\na: 1\nb: [x\nc: 2\n'},
            hits=((TEMPLATE, 3),),
        ),
    ),
    good=(Example(rendered={'cluster-class': '# Source: x/templates/class.yaml\napiVersion: v1\nkind: A\n'}),),
)
