"""What documents beside a stack make their readers do: blocks of code, and the YAML in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from .model import Stack
from .statements import LONGEST_LINE, source_text
from .yamltext import Broken, Document, parse

FENCE = re.compile(r'^(?P<indent>\s*)(?P<fence>```+|~~~+)\s*(?P<language>[\w+-]*)')
HEREDOC = re.compile(r'<<-?\s*(?P<quote>["\']?)(?P<word>\w+)(?P=quote)')
EXPORT = re.compile(r'(?:^|[\s;&(])(?P<name>[A-Za-z_]\w*)=(?P<value>"[^"]*"|\'[^\']*\'|[^\s;&]*)')
# Other ways by which a variable gets a value that nobody can read here.
ASSIGNED = re.compile(r'\b(?:for|read(?:\s+-\w+(?:\s+"[^"]*")?)*)\s+(?P<name>[A-Za-z_]\w*)')
VARIABLE = re.compile(r'\$(?:\{(?P<braced>[A-Za-z_]\w*)(?P<more>[^}]*)\}|(?P<plain>[A-Za-z_]\w*))')
YAML_LANGUAGES = ('yaml', 'yml')
SHELL_LANGUAGES = ('sh', 'bash', 'shell', 'console', 'zsh', '')


@dataclass(frozen=True)
class Block:
    """A fenced block. line: of its first line of content; lines: without the indent of the fence."""

    file: str
    language: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """YAML that a document shows, with its variables of the shell replaced. offset: adds to lines of its nodes."""

    file: str
    offset: int
    documents: tuple[Document, ...]
    broken: Broken | None


def documents(stack: Stack) -> tuple[str, ...]:
    """Paths of the documents of the stack, without what packed charts bring."""
    return tuple(p for p in stack.files if p.lower().endswith('.md') and '/charts/' not in p)


def blocks(stack: Stack, file: str) -> tuple[Block, ...]:
    """The fenced blocks of a document; one that is not closed ends with the file."""
    return _blocks(file, source_text(stack, file))


@lru_cache(maxsize=64)
def _blocks(file: str, text: str) -> tuple[Block, ...]:
    found: list[Block] = []
    opened: tuple[re.Match[str], int] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.split('\n'), start=1):
        match = FENCE.match(line)
        if opened is None:
            opened, lines = ((match, number + 1), []) if match else (None, [])
        elif match and match['fence'].startswith(opened[0]['fence']) and not match['language']:
            found.append(Block(file, opened[0]['language'].lower(), opened[1], tuple(lines)))
            opened = None
        else:
            lines.append(line.removeprefix(opened[0]['indent'])[:LONGEST_LINE])
    if opened is not None:
        found.append(Block(file, opened[0]['language'].lower(), opened[1], tuple(lines)))
    return tuple(found)


def exports(stack: Stack, file: str) -> dict[str, str]:
    """Variables of the shell that the blocks of a document set, with their last values."""
    found: dict[str, str] = {}
    for block in blocks(stack, file):
        for _, line in outside_heredocs(block) if block.language in SHELL_LANGUAGES else ():
            found |= {match['name']: '' for match in ASSIGNED.finditer(line)}
            found |= {match['name']: match['value'].strip('"\'') for match in EXPORT.finditer(line)}
    return found


def outside_heredocs(block: Block) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines that a shell would run."""
    end = ''
    for number, line in enumerate(block.lines, start=block.line):
        if end:
            end = '' if line.strip() == end else end
            continue
        yield number, line
        match = HEREDOC.search(line)
        end = match['word'] if match else ''


def samples(stack: Stack) -> Iterator[Sample]:
    """Every piece of YAML in the documents: blocks of YAML, and here-documents that are passed on as manifests."""
    for file in documents(stack):
        known = exports(stack, file)
        for block in blocks(stack, file):
            heredocs = list(_heredocs(block))
            if heredocs:
                for start, lines in heredocs:
                    yield _sample(file, start, lines, known)
            elif block.language in YAML_LANGUAGES:
                yield _sample(file, block.line, block.lines, known)


def _heredocs(block: Block) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Here-documents with an apiVersion: (number of the first line, lines)."""
    start, end = 0, ''
    lines: list[str] = []
    for number, line in enumerate(block.lines, start=block.line):
        if end and line.strip() == end:
            if any(part.startswith('apiVersion:') for part in lines):
                yield start, tuple(lines)
            end, lines = '', []
        elif end:
            lines.append(line)
        else:
            match = HEREDOC.search(line)
            start, end = (number + 1, match['word']) if match else (start, '')


def _sample(file: str, start: int, lines: tuple[str, ...], known: Mapping[str, str]) -> Sample:
    text = '\n'.join(substitute(line, known) for line in lines)
    if '{{' in text or '...' in text.split('\n'):
        return Sample(file, start - 1, (), None)  # a template, or shortened for the reader
    try:
        return Sample(file, start - 1, parse(text), None)
    except Broken as error:
        return Sample(file, start - 1, (), error)


def substitute(text: str, known: Mapping[str, str]) -> str:
    """The text with variables of the shell replaced; unknown ones become a word that is none of anything."""

    def value(match: re.Match[str]) -> str:
        name = match['braced'] or match['plain']
        found = known.get(name, '')
        return found if found and '$' not in found else f'value-of-{name.lower().replace("_", "-")}'

    return VARIABLE.sub(value, text)
