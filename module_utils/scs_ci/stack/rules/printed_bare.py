"""No template prints a list or a mapping as Go shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..matrix import SAMPLES
from ..model import CLASS_DIR, Chart, Stack
from ..rendered import Printed, printed
from ..rule import Example, Hit, Rule
from ..yamltext import List, Scalar, walk

TEMPLATE = 'cluster-class/templates/class.yaml'
VALUES = 'cluster-class/values.yaml'
MAPPING = re.compile(r'(?:^|[\s\[:=,"\'])map\[[\w./-]+:[^\]]*\]')
BARE = '[10.0.0.0/8 192.0.2.0/24]'
# Shorter elements could stand beside each other by chance.
SHORTEST = 2


def check(stack: Stack) -> Iterable[Hit]:
    found: set[tuple[str, int]] = set()
    for template in printed(stack, variants=True):
        lists = tuple(_lists(template.chart))
        for number, line in enumerate(template.part.text.split('\n'), start=1):
            seen = _bare(line, lists)
            place = template.place(stack, number) if seen else None
            if place is not None and place.own and (place.file, place.line) not in found:
                found.add((place.file, place.line))
                yield Hit(place.file, place.line, _message(template, seen), seen=seen, wanted='toYaml or toJson')


def _message(template: Printed, seen: str) -> str:
    when = f'with {template.point} ' if template.point else ''
    kind = 'mapping' if seen.lstrip('[').startswith('map[') else 'list'
    return f'{when}a {kind} is printed as Go shows it, which is one text and no {kind}: use toYaml or toJson'


def _bare(line: str, lists: tuple[str, ...]) -> str:
    """The text that Go made of a list or mapping in this line, '' when there is none."""
    match = MAPPING.search(line)
    if match:
        return match[0].strip(' "\':=,')
    return next((text for text in (f'[{" ".join(SAMPLES)}]', *lists) if text in line), '')


def _lists(chart: Chart) -> Iterator[str]:
    """The lists in the values of the chart as Go would print them; with one element that is YAML for a list, too."""
    for node in walk(chart.values.root if chart.values is not None else None):
        if isinstance(node, List) and len(node.nodes) > 1 and all(isinstance(n, Scalar) for n in node.nodes):
            texts = [n.text for n in node.nodes]
            if all(len(text) >= SHORTEST for text in texts):
                yield f'[{" ".join(texts)}]'


RULE = Rule(
    id='printed-bare',
    severity=Severity.ERROR,
    title='lists and mappings are printed by toYaml or toJson',
    motivation=(
        'Go prints a list as [a b], which YAML reads as a list of one text: with the empty default all is right, '
        'and the first user who fills it gets an object that the API server refuses, or worse, accepts.'
    ),
    check=check,
    bad=(
        Example(
            {TEMPLATE: 'kind: A\ncidrs: {{ .Values.cidrs }}\n', VALUES: 'cidrs: [10.0.0.0/8, 192.0.2.0/24]\n'},
            {CLASS_DIR: f'# Source: x/templates/class.yaml\nkind: A\ncidrs: {BARE}\n'},
            hits=((TEMPLATE, 2),),
        ),
        Example(
            {TEMPLATE: 'kind: A\ncidrs: {{ .Values.cidrs }}\n'},
            {CLASS_DIR: '# Source: x/templates/class.yaml\nkind: A\ncidrs: []\n'},
            variants={
                (
                    'values: cidrs',
                    CLASS_DIR,
                ): f'# Source: x/templates/class.yaml\nkind: A\ncidrs: [{" ".join(SAMPLES)}]\n'
            },
            hits=((TEMPLATE, 2),),
        ),
        Example(
            {TEMPLATE: 'kind: A\nlabels: {{ .Values.labels }}\n'},
            {CLASS_DIR: '# Source: x/templates/class.yaml\nkind: A\nlabels: map[a:b c:d]\n'},
            hits=((TEMPLATE, 2),),
        ),
    ),
    good=(
        Example(
            {TEMPLATE: 'kind: A\ncidrs: {{ .Values.cidrs | toJson }}\n', VALUES: 'cidrs: [10.0.0.0/8, 192.0.2.0/24]\n'},
            {CLASS_DIR: '# Source: x/templates/class.yaml\nkind: A\ncidrs: ["10.0.0.0/8","192.0.2.0/24"]\n'},
        ),
    ),
)
