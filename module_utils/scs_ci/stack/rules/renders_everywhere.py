"""Charts render at every point of the matrix of their values, not only with the defaults."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rendered import printed
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'
POINT = ('values: oidc.enabled=true', 'cluster-class')


def check(stack: Stack) -> Iterable[Hit]:
    sure = {(r.chart, r.point) for r in stack.variants if not r.guess}
    explained = set()
    for template in printed(stack, variants=True):
        # rule `renders` tells what is wrong with the defaults
        if not template.point or (template.chart.path, template.point) not in sure:
            continue
        if template.broken:
            explained.add((template.chart.path, template.point))
            place = template.place(stack, template.broken.line)
            message = f'with {template.point} {template.part.template} prints no YAML: {template.broken.message}'
            yield Hit(place.file, place.line, message, seen=template.point)
        for duplicate in (d for document in template.documents for d in document.duplicates):
            place = template.place(stack, duplicate.line)
            if place.own:
                message = f'with {template.point} the key {duplicate.key!r} is printed twice in one mapping'
                yield Hit(place.file, place.line, message, seen=duplicate.key)
    for variant in stack.variants:
        if variant.error and not variant.guess and (variant.chart, variant.point) not in explained:
            message = f'with {variant.point} helm cannot render {variant.chart}: {variant.error}'
            yield Hit(variant.file, variant.line, message, seen=variant.point)


RULE = Rule(
    id='renders-everywhere',
    severity=Severity.ERROR,
    title='charts render with each boolean both ways, each value of an enumeration, and for another cluster',
    motivation='A branch that nobody switches on is not rendered by anybody before the first user who needs it.',
    check=check,
    bad=(
        Example(
            {TEMPLATE: 'a: 1\n{{ if .Values.oidc.enabled }}\nb: [{{ .Values.oidc.url }}\n{{ end }}\nc: 2\n'},
            {'cluster-class': '# Source: x/templates/class.yaml\na: 1\nc: 2\n'},
            variants={POINT: '# Source: x/templates/class.yaml\na: 1\nb: [x\nc: 2\n'},
            hits=((TEMPLATE, 5),),
        ),
        Example(variants_failed={POINT: 'nil pointer evaluating interface {}.url'}, hits=((TEMPLATE, 1),)),
        Example(
            {TEMPLATE: 'a: 1\n{{ if .Values.oidc.enabled }}\na: 2\n{{ end }}\n'},
            variants={POINT: '# Source: x/templates/class.yaml\na: 1\na: 2\n'},
            hits=((TEMPLATE, 3),),
        ),
    ),
    good=(Example(variants={POINT: '# Source: x/templates/class.yaml\na: 1\n'}),),
)
