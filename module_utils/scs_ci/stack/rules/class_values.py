"""Values of the class chart: each is read by a template, and each that is read is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..hits import nearest
from ..model import CLASS_DIR, Stack
from ..rule import Example, Hit, Rule
from ..statements import source_text
from ..yamltext import Map, Node, Scalar

TEMPLATE = 'cluster-class/templates/class.yaml'
VALUES = 'cluster-class/values.yaml'
# One that is not closed ends where the next one begins, so that a file of nothing else takes no longer.
ACTION = re.compile(r'\{\{(?:`[^`]*`|"(?:\\.|[^"\\])*"|(?!\{\{|\}\})[^`"])*+\}\}')
TEXTS = re.compile(r'`[^`]*`')
COMMENT = re.compile(r'\{\{-?\s*/\*(?:(?!/\*).)*?\*/\s*-?\}\}', re.S)
READ = re.compile(r'\.Values((?:\.\w+)+)')
INDEXED = re.compile(r'\b(?:index|get|hasKey|dig)\s+\$?\.Values((?:\.\w+)*)((?:\s+"[\w-]+")+)')
QUOTED = re.compile(r'"([\w-]+)"')
WHOLE = re.compile(r'\.Values(?![\w.])')
# An action that does without the value: it asks first, or has something else.
ASKS = re.compile(r'\b(?:if|with|range|default|required|coalesce|hasKey|empty|ternary|dig|and|or|not)\b')
GLOBAL = 'global'


@dataclass(frozen=True)
class Reads:
    """Paths of values in a template's actions. asked: read where their absence is provided for."""

    plain: dict[tuple[str, ...], tuple[str, int]]
    asked: frozenset[tuple[str, ...]]
    whole: bool

    def reads(self, path: tuple[str, ...]) -> bool:
        """Whether something at, above or below this path is read."""
        return any(path[: len(p)] == p or p[: len(path)] == path for p in (*self.plain, *self.asked))


def check(stack: Stack) -> Iterable[Hit]:
    chart = stack.class_chart
    root = chart.values.root if chart is not None and chart.values is not None else None
    if chart is None or (chart.values is not None and chart.values.broken) or chart.dependencies:
        return
    given = root if isinstance(root, Map) else Map(1, 1, ())
    reads = _reads(stack, helpers=True)
    if not reads.whole:
        yield from _unread(given, reads, ())
    for path, (file, line) in _reads(stack, helpers=False).plain.items():
        if not _given(given, path) and not any(path[: len(a)] == a for a in reads.asked):
            name = '.'.join(path)
            message = f'{VALUES} has no {name}: the template prints nothing there; give it a default'
            yield Hit(file, line, message + nearest(name, _names(given, ())), seen=name)


def _reads(stack: Stack, helpers: bool) -> Reads:
    """What templates read. Charts begin with helpers that nobody calls, so what only those read is not missed."""
    plain: dict[tuple[str, ...], tuple[str, int]] = {}
    asked: set[tuple[str, ...]] = set()
    whole = False
    for file, line, action in _actions(stack, helpers):
        asked |= {(*_keys(m[1]), *QUOTED.findall(m[2])) for m in INDEXED.finditer(action)}
        rest = INDEXED.sub('', action)
        whole = whole or bool(WHOLE.search(rest))
        for path in (_keys(match[1]) for match in READ.finditer(rest)):
            if ASKS.search(action):
                asked.add(path)
            else:
                plain.setdefault(path, (file, line))
    return Reads(plain, frozenset(asked), whole)


def _actions(stack: Stack, helpers: bool) -> Iterator[tuple[str, int, str]]:
    """(file, line, action) of the templates of the class, without comments and the texts that actions only print."""
    for file in stack.files:
        if file.startswith(f'{CLASS_DIR}/templates/') and (helpers or not file.endswith('.tpl')):
            text = COMMENT.sub(lambda match: '\n' * match[0].count('\n'), source_text(stack, file))
            for match in ACTION.finditer(text):
                yield file, text.count('\n', 0, match.start()) + 1, TEXTS.sub('', match[0])


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key for key in text.split('.') if key)


def _unread(node: Map, reads: Reads, above: tuple[str, ...]) -> Iterator[Hit]:
    """The topmost keys of which nothing is read."""
    for name, value in node.entries:
        path = (*above, name.content)
        if path == (GLOBAL,):
            continue
        if not reads.reads(path):
            message = f'no template reads {".".join(path)}: setting it has no effect; use it or remove it'
            yield Hit(VALUES, name.line, message, seen=name.content)
        elif isinstance(value, Map):
            yield from _unread(value, reads, path)


def _given(node: Node, path: tuple[str, ...]) -> bool:
    """Whether the values have the path; what is below a text or null cannot be told here, helm refuses it."""
    for key in path:
        if not isinstance(node, Map):
            return True
        below = node.child(key)
        if below is None:
            return False
        node = below
    return True


def _names(node: Node, above: tuple[str, ...]) -> Iterator[str]:
    for name, value in node.entries if isinstance(node, Map) else ():
        yield '.'.join((*above, name.content))
        yield from _names(value, (*above, name.content)) if not isinstance(value, Scalar) else ()


def _example(values: str | None, text: str, *hits: tuple[str, int]) -> Example:
    return Example({VALUES: values, TEMPLATE: text}, hits=hits)


RULE = Rule(
    id='class-values',
    severity=Severity.WARNING,
    title='every value of the class chart is read, and every one that is read is there',
    motivation=(
        'Values stayed in values.yaml when class variables took their place, and people went on setting them. A '
        'misspelt name in a template is no error for helm: it prints nothing.'
    ),
    check=check,
    bad=(
        _example('flavor: a\nroot_disk: 50\n', 'a: {{ .Values.flavor }}\n', (VALUES, 2)),
        _example('images:\n  worker: {name: a}\n  old: {name: b}\n', 'a: {{ .Values.images.worker }}\n', (VALUES, 3)),
        _example('flavor: a\n', 'b: c\na: {{ .Values.flavour | quote }}\n', (VALUES, 1), (TEMPLATE, 2)),
        _example(None, 'a: {{ $.Values.flavor }}\n', (TEMPLATE, 1)),
    ),
    good=(
        Example(),
        _example('flavor: a\nimages: {worker: {name: b}}\n', 'a: {{ .Values.flavor }}{{ .Values.images.worker.name }}'),
        _example('a: {b: 1}\n', '{{ with .Values.a }}{{ .b }}{{ end }}{{ .Values.c | default 1 }}'),
        _example('a: [b]\n', '{{ range .Values.a }}x{{ end }}{{ if .Values.d }}{{ .Values.d.e }}{{ end }}'),
        _example('a-b: 1\nc: 2\n', '{{ index .Values "a-b" }}{{ toYaml .Values }}'),
        _example('a: 1\n', '{{ .Values.a }}{{/* .Values.b */}} {{ `{{ .Values.c }}` }}'),
    ),
)
