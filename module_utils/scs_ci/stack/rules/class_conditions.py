"""Conditions of patches can come true: they print what YAML reads as true, and compare with what a variable can be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ...core.records import Severity
from ..clusterclass import ClusterClass, Patch, cluster_classes
from ..hits import at, nearest
from ..model import Stack
from ..paths import text_line
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class

ACTION = re.compile(r'\{\{(?P<left>-?)(?P<body>(?:`[^`]*`|"(?:\\.|[^"\\])*"|(?!\{\{|-?\}\})[^`"])*+)(?P<right>-?)\}\}')
COMPARED = re.compile(r'\b(?:eq|ne)\s+\.(?P<name>\w+)\s+(?P<values>"[^"]*"(?:\s+"[^"]*")*)')
PRINTED = re.compile(r'\{\{-?\s*\.(?P<name>\w+)\s*-?\}\}')
TEXT = re.compile(r'"([^"]*)"')
# What the YAML of Kubernetes reads as true.
TRUE = frozenset(form for word in ('true', 'yes', 'on', 'y') for form in (word, word.capitalize(), word.upper()))
# So many texts of one condition are looked at, and so many pieces of its template.
MOST, LONGEST = 64, 200
# Characters of a text that a message shows.
SHOWN = 80


def check(stack: Stack) -> Iterable[Hit]:
    for view in cluster_classes(stack)[:1]:
        for patch in view.patches:
            yield from _condition(stack, view, patch)
            for text, line in _texts(patch):
                yield from _compared(stack, view, patch, text, line)


def _condition(stack: Stack, view: ClusterClass, patch: Patch) -> Iterator[Hit]:
    """Cluster API applies a patch when it reads what its condition prints as the YAML value true."""
    node = patch.node.get('enabledIf')
    if node is None or not patch.enabled_if:
        return
    printed = _printed(patch.enabled_if)
    if printed and not any(text.strip() in TRUE for text in printed):
        most = max(printed, key=len)[:SHOWN]
        message = (
            f'the condition of patch {patch.name} prints {most!r} at most, which is not true in YAML: the patch is '
            'never applied'
        )
        yield at(stack, view.object, node.line, message, seen=patch.enabled_if[:SHOWN], wanted='true')
    match = PRINTED.fullmatch(patch.enabled_if)
    types = {v.name: v.schema.value('type') for v in view.variables if v.schema is not None}
    if match and types.get(match['name'], '') not in ('boolean', ''):
        kind = types[match['name']]
        message = f'the condition of patch {patch.name} prints a variable of type {kind}, which is hardly ever true'
        yield at(stack, view.object, node.line, message, seen=patch.enabled_if, wanted='{{ if … }}true{{ end }}')


def _printed(template: str) -> frozenset[str]:
    """All that a template of texts and `if` alone can print; nothing when there is more in it."""
    tokens = list(islice(_tokens(template), LONGEST + 1))
    if len(tokens) > LONGEST:
        return frozenset()
    try:
        made, rest = _sequence(tokens)
    except _Unknown:
        return frozenset()
    return frozenset() if rest else made


class _Unknown(Exception):
    """The template prints what cannot be told here."""


def _tokens(template: str) -> Iterator[tuple[str, str]]:
    """('', text) and (first word, action), with the spaces that actions trim taken away."""
    start, trim = 0, False
    for match in ACTION.finditer(template):
        text = template[start : match.start()]
        text = text.lstrip() if trim else text
        yield '', text.rstrip() if match['left'] else text
        yield (match['body'].split() or ['?'])[0], match['body']
        start, trim = match.end(), bool(match['right'])
    yield '', template[start:].lstrip() if trim else template[start:]


def _sequence(tokens: list[tuple[str, str]]) -> tuple[frozenset[str], list[tuple[str, str]]]:
    """What the tokens up to an `else` or `end` of somebody else print, and the tokens from there."""
    made = frozenset({''})
    while tokens and tokens[0][0] not in ('else', 'end'):
        (word, text), tokens = tokens[0], tokens[1:]
        if word == 'if':
            choices, tokens = _branches(tokens)
        elif word:
            raise _Unknown
        else:
            choices = frozenset({text})
        made = frozenset(before + after for before in made for after in choices)
        if len(made) > MOST:
            raise _Unknown
    return made, tokens


def _branches(tokens: list[tuple[str, str]]) -> tuple[frozenset[str], list[tuple[str, str]]]:
    """What an `if` prints, and the tokens after its `end`."""
    choices, tokens = _sequence(tokens)
    complete = False
    while tokens and tokens[0][0] == 'else':
        complete = complete or tokens[0][1].split() == ['else']
        more, tokens = _sequence(tokens[1:])
        choices |= more
    if not tokens:
        raise _Unknown
    return choices if complete else choices | {''}, tokens[1:]


def _texts(patch: Patch) -> Iterator[tuple[str, int]]:
    """(template, line of it) of everything that the patch evaluates."""
    condition = patch.node.get('enabledIf')
    if condition is not None:
        yield patch.enabled_if, condition.line
    for operation in (o for definition in patch.definitions for o in definition.operations):
        if operation.template and operation.value_node is not None:
            for found in COMPARED.finditer(operation.template):
                yield found[0], text_line(operation.value_node, found[0])


def _compared(stack: Stack, view: ClusterClass, patch: Patch, text: str, line: int) -> Iterator[Hit]:
    choices = {v.name: tuple(n.text for n in v.schema.items('enum')) for v in view.variables if v.schema is not None}
    for match in COMPARED.finditer(text):
        possible = choices.get(match['name'], ())
        for value in TEXT.findall(match['values']):
            if possible and value not in possible:
                message = (
                    f'patch {patch.name} compares {match["name"]} with {value!r}, which it can never be'
                    f'{nearest(value, possible)}'
                )
                yield at(stack, view.object, line, message, seen=value, wanted=', '.join(possible))


def _example(condition: str, *lines: int, kind: str = 'string') -> Example:
    spec = (
        f'  variables:\n    - name: lb\n      schema:\n        openAPIV3Schema:\n          type: {kind}\n'
        f"          enum: [none, octavia-ovn]\n  patches:\n    - name: one\n      enabledIf: '{condition}'\n"
    )
    return printed_class(CLASS_HEAD + spec, *lines)


RULE = Rule(
    id='class-conditions',
    severity=Severity.WARNING,
    title='conditions of patches can come true',
    motivation=(
        'A patch whose condition prints "enabled" or 1 is switched off for ever, and one that asks for a choice that '
        'was renamed, too. Neither Cluster API nor any other test says a word about it.'
    ),
    check=check,
    bad=(
        _example('{{ if .lb }}enabled{{ end }}', 14),
        _example('{{ if .lb }}1{{ else }}0{{ end }}', 14),
        _example('{{ if .lb }}"true"{{ end }}', 14),
        _example('{{ eq .lb "octavia_ovn" }}', 14),
        _example('{{ if or (eq .lb "none") (eq .lb "ovn") }}true{{ end }}', 14),
        _example('{{ .lb }}', 14),
    ),
    good=(
        Example(),
        _example('{{ if .lb }} true{{ end }} '),
        _example('{{- if .lb -}} true {{- end -}}'),
        _example('{{ if .lb }}true{{ else }}false{{ end }}'),
        _example('{{ eq .lb "octavia-ovn" }}'),
        _example('{{ .lb }}', kind='boolean'),
        _example('true'),
    ),
)
