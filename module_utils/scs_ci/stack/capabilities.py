"""What charts print only where the cluster has an API: the operator renders without one, so they never print it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .archive import Archive
from .given import given_values
from .model import Chart, Stack
from .yamltext import Scalar

HAS = re.compile(r'\$?\.Capabilities\.APIVersions\.Has\s+"([^"]*)"')
VALUE = re.compile(r'\.Values((?:\.\w+)+)')
# A cheap look before a text is searched.
MARK = b'.Capabilities.APIVersions.Has'
# How templates include whole other ones, mostly for a checksum.
INCLUDES = b'.Template.BasePath'


@dataclass(frozen=True)
class Gate:
    """A template that asks whether there is an API, and names a value that the stack sets to true.

    template: below the directory of the chart, as it is printed; value: as a path; file, line: where it is set.
    """

    template: str
    api: str
    value: str
    file: str
    line: int


def gates(stack: Stack, chart: Chart, fetched: Sequence[Archive]) -> Iterator[Gate]:
    """The gates of a chart and of those that it depends on. fetched: of these the ones that are not in the stack."""
    for template, key, text in _templates(stack, chart, fetched):
        for value in dict.fromkeys(VALUE.findall(text)):
            path = tuple(part for part in (key, *value.strip('.').split('.')) if part)
            place = _switched_on(stack, chart, path)
            if place:
                yield Gate(template, ', '.join(dict.fromkeys(HAS.findall(text))), '.'.join(path), *place)
                break


def _templates(stack: Stack, chart: Chart, fetched: Sequence[Archive]) -> Iterator[tuple[str, str, str]]:
    """(template, key of its values, text) of those that ask for an API."""
    keys = {d.name: d.alias or d.name for d in chart.dependencies}
    for path, content in stack.files.items():
        below = path.removeprefix(f'{chart.path}/')
        name = below.split('/')[1] if below.startswith('charts/') else ''
        if path != below and '/templates/' in f'/{below}' and MARK in content:
            yield below, keys.get(name, name), content.decode('utf-8', 'replace')
    for archive in (*chart.archives, *fetched):
        key = keys.get(archive.name, archive.name)
        for path, content in archive.files.items():
            if path.startswith('templates/') and MARK in content:
                yield f'charts/{key}/{path}', key, content.decode('utf-8', 'replace')


def _switched_on(stack: Stack, chart: Chart, path: tuple[str, ...]) -> tuple[str, int] | None:
    """Where the stack sets a value to true."""
    for given in given_values(stack, chart):
        node = given.root.get(*path)
        if isinstance(node, Scalar) and node.plain() is True:
            return given.file, node.line + given.offset
    return None


def granted(chart: Chart, content: Mapping[str, bytes], archives: Sequence[Archive]) -> dict[str, bytes]:
    """The files of a chart, changed so that every API that a template asks for is there.

    Templates that ask for none are left out, for they print what they print anyway, and some make certificates.
    """
    found = dict(content)
    for archive in archives:
        packed = archive.path.removeprefix(f'{chart.path}/')
        if packed in found and any(MARK in data for data in archive.files.values()):
            del found[packed]
            found |= {f'charts/{archive.name}/{path}': data for path, data in archive.files.items()}
    needed = {path: data for path, data in found.items() if MARK in data or not _prints_only(path, data)}
    if any(INCLUDES in data for data in needed.values()):
        needed = found
    return {path: _granted(data) for path, data in needed.items()}


def _prints_only(path: str, data: bytes) -> bool:
    """Whether a file is a template that no other one includes by a name that it defines."""
    above, _, name = path.rpartition('/')
    return '/templates/' in f'/{above}/' and not name.startswith('_') and b'define' not in data


def _granted(data: bytes) -> bytes:
    return HAS.sub(r'eq "\1" "\1"', data.decode('utf-8', 'replace')).encode() if MARK in data else data
