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
REPOSITORY = re.compile(r'\bhelm\s+repo\s+add\s+(?:-\S+\s+)*([\w.-]+)')
GO_LATEST = re.compile(r'\bgo\s+(?:install|run)\s+(\S+@latest)\b')


def check(stack: Stack) -> Iterable[Hit]:
    for file in documents(stack):
        lines = [line for block in blocks(stack, file) for line in block.lines]
        repositories = frozenset(name for line in lines for name in REPOSITORY.findall(line))
        for block in blocks(stack, file):
            yield from _addresses(file, enumerate(block.lines, start=block.line))
            if block.language in SHELL_LANGUAGES:
                yield from _commands(block, repositories)
    for path in stack.files:
        if path.startswith(f'{CLASS_DIR}/templates/'):
            yield from _addresses(path, without_prose(source_text(stack, path)))


def _addresses(file: str, lines: Iterable[tuple[int, str]]) -> Iterator[Hit]:
    for number, line in lines:
        for match in MOVING.finditer(line):
            message = 'what lies at this address changes from day to day: name a version'
            yield Hit(file, number, message, seen=match[0].rstrip('"\')'))
        for match in GO_LATEST.finditer(line):
            yield Hit(file, number, 'installs whatever is newest: name a version', seen=match[1])
        for match in LATEST_IMAGE.finditer(line):
            yield Hit(file, number, 'tag latest means another image every day: name a version', seen=match['image'])


def _commands(block: Block, repositories: frozenset[str]) -> Iterator[Hit]:
    for number, command in _joined(block):
        if 'clusterctl init' in command:
            for listed in PROVIDERS.findall(command):
                for provider in listed.split(','):
                    yield from _provider(block.file, number, provider)
        chart = _chart(command, repositories) if HELM.search(command) and '--version' not in command else ''
        if chart and ':' not in chart.rpartition('/')[2]:
            line = next((n for n, text in _lines_of(block, number) if chart in text), number)
            message = f'installs whatever version of {chart} is newest: add --version'
            yield Hit(block.file, line, message, seen=chart, wanted='--version X.Y.Z')


def _chart(command: str, repositories: frozenset[str]) -> str:
    """The chart that a command of helm installs from a registry or an added repository; '' for files."""
    found = CHART.search(command)
    names = [word for word in command.split() if word.partition('/')[0] in repositories and '/' in word]
    return found[0] if found else next(iter(names), '')


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
        _bad('helm repo add cilium https://helm.example/\nhelm install cilium cilium/cilium', 3),
        _bad('go install example.org/x/cmd/y@latest'),
        Example({TEMPLATE: 'run: |\n  image: ghcr.io/x/y:latest\n'}, hits=((TEMPLATE, 2),)),
    ),
    good=(
        _sh('clusterctl init --infrastructure openstack:v0.12.6'),
        _sh('helm repo add c https://helm.example/\nhelm install x c/x --version 1.2.3\nhelm install y ./y'),
        _sh('helm upgrade -i cso oci://registry.example/cso --version 0.1.0'),
        _sh('kubectl apply -f https://github.com/k-orc/x/releases/download/v2.1.0/install.yaml'),
    ),
)
