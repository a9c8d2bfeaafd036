"""Where exactly the text of a file states a version: what is rewritten, and nothing around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.errors import ProductProblem
from .documents import blocks, documents
from .model import Stack
from .statements import FIELD as VERSION_FIELD
from .statements import IMAGE, OF_MANY, PROSE, family, is_source, source_text, without_prose
from .versions import Kubernetes, parse_kubernetes
from .yamlfile import scalars
from .yamltext import Node

# What users of documents copy: a ClusterStack's version, a Cluster's version, a variable of the shell for one of them.
DOCUMENT_FIELDS = (
    re.compile(r'^\s*kubernetesVersion:\s*["\']?(v?\d+\.\d+(?:\.\d+)?)\b'),
    re.compile(r'^\s*version:\s*["\']?(v\d+\.\d+\.\d+)\b'),
    re.compile(r'^\s*(?:export\s+)?(?:KUBERNETES|K8S)_(?:\w+_)?VERSION=["\']?(v?\d+\.\d+(?:\.\d+)?)\b'),
)
# What a span of a field in a document is of.
FIELD = 'Kubernetes version'
FIRST_CLASS = re.compile(r'^\s*(?:- )?(?:class|name):')
COMMENT = re.compile(r'(?:^|\s)#.*$')
# Before the text of a scalar: an anchor, a tag, the quote.
BEFORE = re.compile(r'(?:[&!]\S*\s+)*["\']?')


@dataclass(frozen=True)
class Span:
    """A piece of a line. start, end: columns from 0; what: of which thing it is, as a person calls it."""

    file: str
    line: int
    start: int
    end: int
    text: str
    what: str


def in_sources(stack: Stack) -> Iterator[Span]:
    """Every statement of a Kubernetes version in sources, documents, tables and image lists excepted.

    What comments and descriptions say stays what it was. The declaration itself is among them.
    """
    declared = stack.kubernetes
    for path in stack.files:
        name = path.rsplit('/', 1)[-1]
        if name in OF_MANY or path.lower().endswith('.md') or not (path in stack.yaml or is_source(path)):
            continue
        fields = list(_fields(stack, path))
        yield from fields
        if path == declared.file and declared.line not in {span.line for span in fields}:
            yield from _declaration(stack)
        for number, line in without_prose(source_text(stack, path)):
            yield from _names(stack, path, number, COMMENT.sub('', line))


def in_documents(stack: Stack) -> Iterator[Span]:
    """Every statement that readers of documents copy: fields anywhere, names in blocks of code."""
    for path in documents(stack):
        inside = {n for b in blocks(stack, path) for n in range(b.line, b.line + len(b.lines))}
        for number, line in enumerate(source_text(stack, path).split('\n'), start=1):
            for pattern in DOCUMENT_FIELDS:
                if match := pattern.match(line):
                    yield Span(path, number, match.start(1), match.end(1), match[1], FIELD)
            # outside of blocks an older version may well be talked about
            if number in inside or FIRST_CLASS.match(line):
                yield from _names(stack, path, number, line)


def _fields(stack: Stack, path: str) -> Iterator[Span]:
    """Fields of YAML that hold a version and nothing else."""
    file = stack.yaml.get(path)
    for document in file.documents if file else ():
        for keys, node in scalars(document.root):
            field = keys and (VERSION_FIELD.fullmatch(keys[-1]) or keys[-2:] == ('topology', 'version'))
            if field and parse_kubernetes(node.content) and not PROSE.intersection(keys):
                yield scalar(stack, path, node, keys[-1])


def _declaration(stack: Stack) -> Iterator[Span]:
    file = stack.yaml.get(stack.kubernetes.file)
    for document in file.documents if file else ():
        for _, node in scalars(document.root):
            if node.line == stack.kubernetes.line and node.content == stack.kubernetes.text:
                yield scalar(stack, stack.kubernetes.file, node, 'declared version')


def _names(stack: Stack, path: str, number: int, line: str) -> Iterator[Span]:
    for match in IMAGE.finditer(line):
        yield Span(path, number, match.start(1), match.end(1), match[1], 'node image')
    if stack.provider.text and stack.name.text:
        for match in re.finditer(family(stack.provider.text, stack.name.text), line):
            start, end = match.start('major'), match.end('minor')
            yield Span(path, number, start, end, line[start:end], f'name {match[0]}')


def scalar(stack: Stack, file: str, node: Node, what: str) -> Span:
    """The place of a scalar's text. ProductProblem when it is not written as it is read, e.g. with escapes."""
    lines = stack.text(file).split('\n')
    # YAML knows more ends of lines than editors; where one is used, this is not the line, and the text is not there
    line = lines[node.line - 1] if node.line <= len(lines) else ''
    begin = node.column - 1
    match = BEFORE.match(line, begin)
    start = match.end() if match else begin
    end = start + len(node.text)
    if line[start:end] != node.text or not node.text:
        raise ProductProblem(
            'cannot rewrite', f'{file}:{node.line}', f'{what} is not written plainly there', 'write it on one line'
        )
    return Span(file, node.line, start, end, node.text, what)


def version_of(span: Span) -> Kubernetes | None:
    """The version that a span states; names have a dash between its numbers."""
    return parse_kubernetes(span.text.replace('-', '.'))


def replaced(text: str, edits: Sequence[tuple[Span, str]]) -> str:
    """The text of a file with each span replaced; equal edits count once.

    ProductProblem when two of them want different things of one place.
    """
    lines = text.split('\n')
    wanted: dict[tuple[int, int, int], tuple[Span, str]] = {}
    for span, new in edits:
        key = (span.line, span.start, span.end)
        if wanted.setdefault(key, (span, new))[1] != new:
            answer = f'{wanted[key][1]} and {new} are wanted at one place'
            raise ProductProblem('cannot rewrite', f'{span.file}:{span.line}', answer, 'state them apart')
    last: tuple[int, int] | None = None
    for (number, start, end), (span, new) in sorted(wanted.items(), reverse=True):
        if last and number == last[0] and end > last[1]:
            raise ProductProblem(
                'cannot rewrite', f'{span.file}:{number}', 'two statements overlap there', 'write them apart'
            )
        line = lines[number - 1]
        lines[number - 1] = line[:start] + new + line[end:]
        last = number, start
    return '\n'.join(lines)
