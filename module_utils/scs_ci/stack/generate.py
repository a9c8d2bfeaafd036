"""One stack directory for every entry of `versions.yaml`, as csctl wants them: one minor per directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..core.errors import ProductProblem, UsageProblem
from .bucket import Image
from .images import node_images
from .model import Stack
from .rewrite import Target
from .table import COLUMNS, TABLE, TIED, Row, rows
from .update import Fetch, after, updated
from .versions import Kubernetes, parse_kubernetes

SHA256_DIGITS = 64
# Gives the image of a version that the stack's own files do not describe.
FindImage = Callable[[Kubernetes], Image]


def entries(stack: Stack, wanted: Sequence[str]) -> tuple[Row, ...]:
    """The rows of the table that are asked for, by full version or by minor; all without a wish.

    UsageProblem for a wish that no row fulfils, ProductProblem for a table that cannot be used: one row without a
    version, or two of one minor.
    """
    known = rows(stack)
    if not known:
        raise UsageProblem(
            'cannot generate from', f'stack {stack.path}', f'it has no {TABLE} with entries', 'add one, or name another'
        )
    names: dict[str, int] = {}
    for row in known:
        if row.version is None or row.version.patch is None:
            raise _unusable(stack, row, f'{row.node.value("kubernetes")!r} is no version like 1.34.7')
        first = names.setdefault(row.version.dashed_minor, row.node.line)
        if first != row.node.line:
            raise _unusable(stack, row, f'line {first} has the same minor')
    chosen = {id(row) for text in wanted for row in _named(stack, known, text)}
    return tuple(row for row in known if not wanted or id(row) in chosen)


def _unusable(stack: Stack, row: Row, answer: str) -> ProductProblem:
    return ProductProblem('cannot generate from', f'{stack.path}/{TABLE}:{row.node.line}', answer, 'correct the entry')


def _named(stack: Stack, known: Sequence[Row], text: str) -> list[Row]:
    version = parse_kubernetes(text)
    found = [row for row in known if version and row.version and row.version.agrees(version)]
    if not found:
        listed = ', '.join(str(row.version) for row in known)
        raise UsageProblem(
            'cannot generate', f'version {text!r}', f'{stack.path}/{TABLE} has {listed}', 'name one of them, or add it'
        )
    return found


def generate(
    stack: Stack, chosen: Sequence[Row], find_image: FindImage, fetch: Fetch, bases: tuple[str, ...] = ()
) -> dict[str, dict[str, bytes]]:
    """Directory name, the minor with a dash -> the files of the stack at that version, without the table.

    The same input always gives the same bytes. Any Problem ends all of it.
    """
    return {
        row.version.dashed_minor: _tree(stack, row, row.version, find_image, fetch, bases)
        for row in chosen
        if row.version is not None
    }


def _tree(
    stack: Stack, row: Row, version: Kubernetes, find_image: FindImage, fetch: Fetch, bases: tuple[str, ...]
) -> dict[str, bytes]:
    image = (image_in(stack, version) or find_image(version)) if states_image(stack) else None
    # where the stack's own files say the checksum, images may come from anywhere
    known = (*bases, image.url.rsplit('/', 2)[0]) if image else bases
    target = Target(version, _charts(stack, row), image, known, table=False)
    # its directory is named after the minor, so whatever else is wrong with the name of the old one does not matter
    files = updated(replace(stack, path=f'{stack.path}@{version}'), target, fetch).files
    return {path: content for path, content in after(stack, files).files.items() if path != TABLE}


def _charts(stack: Stack, row: Row) -> Mapping[str, str]:
    """The charts of a row. ProductProblem when a chart of the stack that is tied to the minor has no cell there."""
    needed = {d.name for chart in stack.addon_charts for d in chart.dependencies if d.name in TIED}
    for name in sorted(needed - set(row.charts)):
        columns = ' or '.join(column for column, chart in COLUMNS.items() if chart == name) or 'no known column'
        raise _unusable(stack, row, f'it has no version of {name} ({columns})')
    return row.charts


def states_image(stack: Stack) -> bool:
    """Whether files of the stack name the file of a node image, which then has to be known."""
    return any(image.url is not None for image in node_images(stack)) or any(
        b'.qcow2' in content for path, content in stack.files.items() if not path.lower().endswith('.md')
    )


def image_in(stack: Stack, version: Kubernetes) -> Image | None:
    """The node image of a version as the stack's own files describe it, checksum included."""
    for found in node_images(stack):
        if found.version != version or found.url is None or len(found.digest) != SHA256_DIGITS:
            continue
        parts = found.url.text.rsplit('/', 1)[-1].split('-')
        if len(parts) > 1 and parts[1].isdecimal():
            return Image(version, found.url.text, found.digest, parts[1])
    return None
