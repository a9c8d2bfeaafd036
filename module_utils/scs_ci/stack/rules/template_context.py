"""Templates of charts read what helm gives them: a template for Cluster API, not escaped, is evaluated by helm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..hits import nearest
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..statements import source_text

TEMPLATE = 'cluster-class/templates/class.yaml'
HELPERS = 'cluster-class/templates/_helpers.tpl'
# What stands at the top of the context of every template.
GIVEN = ('Capabilities', 'Chart', 'Files', 'Release', 'Subcharts', 'Template', 'Values')
# One that is not closed ends where the next one begins, so that a file of nothing else takes no longer.
ACTION = re.compile(
    r'\{\{-?(?P<body>(?:`[^`]*`|"(?:\\.|[^"\\])*"|/\*(?:(?!/\*|\*/).)*+\*/|(?!\{\{|\}\})[^`"])*+)\}\}', re.S
)
TEXT = re.compile(r'`[^`]*`|"(?:\\.|[^"\\])*"|/\*.*?\*/', re.S)
FIELD = re.compile(r'(?<![\w)\]$.])\.([A-Za-z_]\w*)')
ROOT = re.compile(r'\$\.([A-Za-z_]\w*)')
# What these open ends with `end`; in some of them the dot is something else.
OPENING = frozenset({'if', 'with', 'range', 'define', 'block'})
MOVING = OPENING - {'if'}
# There the dollar is what the caller gives.
NAMED = frozenset({'define', 'block'})
SHOWN = 80


def check(stack: Stack) -> Iterable[Hit]:
    for chart in stack.charts:
        for path in stack.files:
            if path.startswith(f'{chart.path}/templates/'):
                yield from _of_file(path, source_text(stack, path))


def _of_file(path: str, text: str) -> Iterator[Hit]:
    opened: list[str] = []
    line, at = 1, 0
    for match in ACTION.finditer(text):
        line, at = line + text.count('\n', at, match.start()), match.start()
        plain = TEXT.sub('""', match['body'])
        for name in dict.fromkeys(_read(plain, opened)):
            if name not in GIVEN:
                yield _hit(path, line, match[0], name)
        word = next(iter(plain.split()), '')
        if word in OPENING:
            opened.append(word)
        elif word == 'end' and opened:
            opened.pop()


def _read(action: str, opened: list[str]) -> list[str]:
    """Names at the top of the context that an action reads, as far as its place tells that they are there."""
    names = [] if MOVING.intersection(opened) else FIELD.findall(action)
    return names if NAMED.intersection(opened) else names + ROOT.findall(action)


def _hit(path: str, line: int, action: str, name: str) -> Hit:
    shown = ' '.join(action.split())[:SHOWN]
    near = nearest(name.capitalize(), GIVEN)
    message = f'helm evaluates {shown}, and .{name} is nothing that it has, so always empty{near}'
    if not near:
        message += '; where Cluster API is to evaluate it, write {{` before and `}} behind it'
    return Hit(path, line, message, seen=f'.{name}', wanted=', '.join(f'.{given}' for given in GIVEN))


def _example(condition: str, *lines: int) -> Example:
    spec = (
        '  variables:\n    - name: lb\n      schema: {openAPIV3Schema: {type: string}}\n'
        f"  patches:\n    - name: one\n      enabledIf: '{condition}'\n"
    )
    return printed_class(CLASS_HEAD + spec, *lines)


RULE = Rule(
    id='template-context',
    severity=Severity.ERROR,
    title='templates of charts read what helm gives them',
    motivation=(
        'The condition of a patch was written into the class without escaping it: helm evaluated it long before '
        'Cluster API could, found no such variable, and printed "true", so that the patch was always on.'
    ),
    check=check,
    bad=(
        _example('{{ ne .lb "" }}', 11),
        _example('{{ if .Values.lb }}{{ $.lb }}{{ end }}', 11),
        _example('{{ .values.lb }}', 11),
        _example('{{- range .lbs }}{{ .name }}{{ end }}', 11),
    ),
    good=(
        Example(),
        _example('{{`{{ ne .lb "" }}`}}'),
        _example('{{ "{{ ne .lb }}" }}{{/* .lb */}}'),
        _example('{{ range .Values.lbs }}{{ .name }}{{ else }}{{ (index $.Values.lbs 0).name }}{{ end }}'),
        _example('{{ with .Chart }}{{ if .AppVersion }}{{ .Name }}{{ end }}{{ end }}{{ .Release.Name }}'),
        Example({HELPERS: '{{- define "a" }}{{ .name }}{{ $.name }}{{ end -}}\n'}),
    ),
)
