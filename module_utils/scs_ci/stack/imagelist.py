"""Lists of node images for the image manager: the entry of a version, in the form of the entries beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..core.errors import ProductProblem
from .bucket import Image, is_of_builder
from .images import list_files
from .model import Stack
from .spans import Span, replaced, scalar
from .versions import Kubernetes, parse_kubernetes
from .yamlfile import YamlFile, scalars
from .yamltext import Node

DATE_LINE = re.compile(r'^\s*build_date:')


def image_lists(
    stack: Stack, image: Image | None, version: Kubernetes, bases: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """(path, new text) of each list beside the stack, with an entry of this version.

    An entry that is there gets the address and the checksum of the image. Images of other builders stay as they are.
    ProductProblem when the list has no others, or when the image is not known and not listed.
    """
    for file in list_files(stack):
        listed = [entries for node in _images(file) if (entries := _entries(node))]
        ours = [entries for entries in listed if is_of_builder(_pattern(entries, version).value('url'), bases)]
        if listed and not ours:
            raise _unknown(version, file.path)
        text = stack.text(file.path)
        # from the end on, so that the lines of what comes before stay where they are
        for entries in reversed(ours):
            text = _with_entry(stack, file.path, text, _pattern(entries, version), image, version)
        yield file.path, text


def _entries(image: Node) -> tuple[Node, ...]:
    """The versions of an image, without what is none."""
    return tuple(entry for entry in image.items('versions') if _version(entry) is not None)


def _images(file: YamlFile) -> tuple[Node, ...]:
    return file.root.items('images') if file.root is not None else ()


def _unknown(version: Kubernetes, path: str) -> ProductProblem:
    advice = 'name the address of its directory with --bucket, or add it by hand'
    return ProductProblem('cannot list', f'node image of {version} in {path}', 'it is not known', advice)


def _with_entry(stack: Stack, path: str, text: str, pattern: Node, image: Image | None, version: Kubernetes) -> str:
    """The text with an entry made like the pattern, or with the pattern corrected when it is of the version."""
    same = _version(pattern) == version
    if image is None and same:
        return text
    if image is None:
        raise _unknown(version, path)
    changed = replaced(text, list(_entry(stack, path, pattern, image)))
    if same:
        return changed
    first, last = _lines(stack, path, pattern)
    copied = changed.split('\n')[first - 1 : last]
    copied = [line for line in copied if image.date or not DATE_LINE.match(line)]
    lines = text.split('\n')
    at = last if _order(pattern) < version.order else first - 1
    return '\n'.join([*lines[:at], *copied, *lines[at:]])


def _version(entry: Node) -> Kubernetes | None:
    return parse_kubernetes(entry.value('version'))


def _order(entry: Node) -> tuple[int, int, int]:
    version = _version(entry)
    return version.order if version else (0, 0, 0)


def _pattern(entries: tuple[Node, ...], version: Kubernetes) -> Node:
    """The entry of the version; else the one after which it belongs, the first one when that is before all."""
    same = [entry for entry in entries if _version(entry) == version]
    lower = [entry for entry in entries if _order(entry) < version.order]
    return same[0] if same else max(lower, key=_order) if lower else entries[0]


def _lines(stack: Stack, path: str, entry: Node) -> tuple[int, int]:
    """First and last line of an entry; ProductProblem when it shares them with others."""
    lines = stack.text(path).split('\n')
    line = lines[entry.line - 1] if entry.line <= len(lines) else ''
    if line[: entry.column - 1].strip() != '-':
        raise ProductProblem(
            'cannot copy',
            f'{path}:{entry.line}',
            'the entry shares its line with others',
            'write it on lines of its own',
        )
    return entry.line, max(node.line for _, node in scalars(entry))


def _entry(stack: Stack, path: str, entry: Node, image: Image) -> Iterator[tuple[Span, str]]:
    wanted = {'url': image.url, 'checksum': f'sha256:{image.sha256}', 'build_date': image.date}
    for key, new in wanted.items():
        node = entry.get(key)
        if node is not None and new:
            yield scalar(stack, path, node, key), new if ':' in node.text or key != 'checksum' else image.sha256
    stated = entry.get('version')
    if stated is not None:
        yield scalar(stack, path, stated, 'version'), image.version.like(stated.text)
