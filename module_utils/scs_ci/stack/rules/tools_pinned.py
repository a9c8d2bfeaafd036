"""Documents and templates name versions of the tools and files that they fetch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..documents import SHELL_LANGUAGES, Block, blocks, documents
from ..model import CLASS_DIR, Stack
from ..rule import Example, Hit, Rule
from ..statements import source_text, without_prose

README = 'README.md'
TEMPLATE = f'{CLASS_DIR}/templates/class.yaml'
# Addresses whose content changes under their name.
MOVING = re.compile(
    r'https?://\S+?(?:/releases/latest/|/latest/download/|/raw/(?:main|master)/|githubusercontent\.com/[^/\s]+/[^/\s]+/'
    r'(?:refs/heads/)?(?:main|master)/)\S*'
)
LATEST_IMAGE = re.compile(r'(?:image:\s*["\']?|docker run\s.*?)(?P<image>[\w.-]+(?::\d+)?/[\w./-]+:latest)\b')
PROVIDERS = re.compile(
    r'\s(?:--(?:infrastructure|core|bootstrap|control-plane|addon|ipam|runtime-extension)|-[ibc])[ =](\S+)'
)
HELM = re.compile(r'\bhelm\s+(?:upgrade|install|template|pull)\b')
CHART = re.compile(r'oci://\S+')


def check(stack: Stack) -> Iterable[Hit]:
    for file in documents(stack):
        for block in blocks(stack, file):
            yield from _addresses(file, enumerate(block.lines, start=block.line))
            if block.language in SHELL_LANGUAGES:
                yield from _commands(block)
    for path in stack.files:
        if path.startswith(f'{CLASS_DIR}/templates/'):
            yield from _addresses(path, without_prose(source_text(stack, path)))


def _addresses(file: str, lines: Iterable[tuple[int, str]]) -> Iterator[Hit]:
    for number, line in lines:
        for match in MOVING.finditer(line):
            message = 'what lies at this address changes from day to day: name a version'
            yield Hit(file, number, message, seen=match[0].rstrip('"\')'))
        for match in LATEST_IMAGE.finditer(line):
            yield Hit(file, number, 'tag latest means another image every day: name a version', seen=match['image'])


def _commands(block: Block) -> Iterator[Hit]:
    for number, command in _joined(block):
        if 'clusterctl init' in command:
            for listed in PROVIDERS.findall(command):
                for provider in listed.split(','):
                    yield from _provider(block.file, number, provider)
        chart = CHART.search(command)
        if HELM.search(command) and chart and '--version' not in command and ':' not in chart[0].rpartition('/')[2]:
            line = next((n for n, text in _lines_of(block, number) if chart[0] in text), number)
            message = f'installs whatever version of {chart[0]} is newest: add --version'
            yield Hit(block.file, line, message, seen=chart[0], wanted='--version X.Y.Z')


def _provider(file: str, line: int, provider: str) -> Iterator[Hit]:
    if ':' not in provider and provider.isidentifier():
        message = f'installs whatever version of provider {provider} is newest: name one'
        yield Hit(file, line, message, seen=provider, wanted=f'{provider}:vX.Y.Z')


def _joined(block: Block) -> Iterator[tuple[int, str]]:
    """(number of the first line, command) with continued lines put together."""
    start = block.line
    parts: list[str] = []
    for number, line in enumerate(block.lines, start=block.line):
        start = start if parts else number
        parts.append(line.rstrip().removesuffix('\\'))
        if not line.rstrip().endswith('\\'):
            yield start, ' '.join(parts)
            parts = []


def _lines_of(block: Block, start: int) -> Iterator[tuple[int, str]]:
    return ((n, text) for n, text in enumerate(block.lines, start=block.line) if n >= start)


def _sh(text: str) -> Example:
    return Example({README: f'```sh\n{text}\n```\n'})


def _bad(text: str, line: int = 2) -> Example:
    return Example({README: f'```sh\n{text}\n```\n'}, hits=((README, line),))


RULE = Rule(
    id='tools-pinned',
    severity=Severity.WARNING,
    title='tools, providers and files that are fetched have a version',
    motivation='A quickstart that installed the newest clusterctl and CAPO stopped working when they were released.',
    check=check,
    bad=(
        _bad('clusterctl init --infrastructure openstack'),
        _bad('clusterctl init --core cluster-api:v1.10.5 -i openstack'),
        _bad('kubectl apply -f https://github.com/k-orc/x/releases/latest/download/install.yaml'),
        _bad('helm upgrade -i cso \\\n-n cso-system \\\noci://registry.example/cso', 4),
        Example({TEMPLATE: 'run: |\n  image: ghcr.io/x/y:latest\n'}, hits=((TEMPLATE, 2),)),
    ),
    good=(
        _sh('clusterctl init --infrastructure openstack:v0.12.6'),
        _sh('helm upgrade -i cso oci://registry.example/cso --version 0.1.0'),
        _sh('kubectl apply -f https://github.com/k-orc/x/releases/download/v2.1.0/install.yaml'),
    ),
)
