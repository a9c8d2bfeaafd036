"""Stating other versions in a stack: every statement is replaced where it stands, nothing else changes a byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..core.errors import ProductProblem
from .bucket import BUCKET, FORMER, Image, is_of_builder
from .imagelist import image_lists
from .lock import locked
from .model import Chart, Dependency, Stack
from .semver import is_exact, satisfies
from .spans import Span, in_documents, in_sources, replaced, scalar
from .statements import OF_MANY, is_source, source_text, without_prose
from .table import COLUMNS, TABLE, rows
from .versions import Kubernetes

GENERATION = re.compile(r'ubuntu-(\d{4})-kube-')
FILE_OF_IMAGE = re.compile(r'kube-v?\d+\.\d+\.\d+\.qcow2')
SHA256 = re.compile(r'(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])')
DISTRO_VERSION = re.compile(r'^\s*(?:version|os_version):\s*["\']?(\d\d\.(?:04|10))["\']?\s*(?:#.*)?$')
# A checksum is the one of an image when it stands at most so many lines from its address; between them are the
# algorithm and the names of a few keys.
NEAR = 6
# The numbers of a range that name its minor, and what follows them.
RANGE = re.compile(r'(?P<major>\d+)\.(?P<minor>\d+)(?P<rest>\.[\dxX*]+)?')


@dataclass(frozen=True)
class Target:
    """What the stack is to state. charts: name -> version, of those tied to the minor; image: None where not known.

    bases: addresses besides the community's whose images are those of its builder. table: keep the table current.
    """

    kubernetes: Kubernetes
    charts: Mapping[str, str]
    image: Image | None = None
    bases: tuple[str, ...] = ()
    table: bool = True


@dataclass(frozen=True)
class Rewritten:
    """Path below the stack -> new content, of files that change; None deletes.

    repack: charts that carry another version packed.
    """

    files: Mapping[str, bytes | None]
    repack: tuple[tuple[Chart, Dependency], ...] = field(default=())


Edits = Iterator[tuple[Span, str]]


def rewrite(stack: Stack, target: Target) -> Rewritten:
    """The files of the stack at other versions. ProductProblem for what cannot be rewritten surely.

    dependencies in repack have the new version; their archives are for the caller to exchange.
    """
    edits: dict[str, list[tuple[Span, str]]] = {}
    for span, new in _edits(stack, target):
        edits.setdefault(span.file, []).append((span, new))
    changed = {path: replaced(_text(stack, path), wanted) for path, wanted in edits.items()}
    for path, text in image_lists(stack, target.image, target.kubernetes, target.bases):
        changed[path] = text
    if target.table and TABLE in stack.yaml:
        changed[TABLE] = _with_row(stack, target, changed.get(TABLE, stack.text(TABLE)))
    files: dict[str, bytes | None] = {path: text.encode() for path, text in changed.items() if text != stack.text(path)}
    return Rewritten(files, tuple(_repack(stack, target)))


def _text(stack: Stack, path: str) -> str:
    content = stack.files[path] if path in stack.files else stack.shared[path]
    try:
        return content.decode('utf-8')
    except UnicodeDecodeError as error:
        raise ProductProblem('cannot rewrite', path, f'it is not UTF-8: {error}', 'convert it') from error


def _edits(stack: Stack, target: Target) -> Edits:
    for span in (*in_sources(stack), *in_documents(stack)):
        yield span, target.kubernetes.like(span.text)
    for path in stack.files:
        name = path.rsplit('/', 1)[-1]
        if (is_source(path) or path in stack.yaml) and name not in OF_MANY and not path.lower().endswith('.md'):
            yield from _of_images(stack, path, target)
    for chart in stack.addon_charts:
        yield from _of_chart(stack, chart, target)
    yield from _of_addons(stack, target)
    if target.table:
        yield from _of_table(stack, target)


def _of_images(stack: Stack, path: str, target: Target) -> Edits:
    """Address, checksum and Ubuntu release of images; the version in their names is rewritten with all others."""
    lines = list(without_prose(source_text(stack, path)))
    named = [(number, line) for number, line in lines if FILE_OF_IMAGE.search(line)]
    image = target.image
    for number, line in named:
        if image is None:
            raise _unknown(path, number, f'the node image of {target.kubernetes} is not known')
        ours = is_of_builder(line, target.bases)
        sums = _nearest(lines, number, [n for n, _ in named])
        if not ours and sums:
            raise _unknown(path, number, 'the checksum of an image from that address is not known')
        for at, match in sums:
            yield Span(path, at, match.start(), match.end(), match[0], 'checksum'), image.sha256
        for match in GENERATION.finditer(line) if ours else ():
            yield Span(path, number, match.start(1), match.end(1), match[1], 'Ubuntu release'), image.ubuntu
        if FORMER in line:
            start = line.index(FORMER)
            yield Span(path, number, start, start + len(FORMER), FORMER, 'bucket'), BUCKET
        if ours:
            yield from _distribution(path, lines, image)


def _unknown(path: str, number: int, answer: str) -> ProductProblem:
    advice = 'name the address of its directory with --bucket, or correct the file by hand'
    return ProductProblem('cannot rewrite', f'{path}:{number}', answer, advice)


def _nearest(lines: list[tuple[int, str]], number: int, images: list[int]) -> list[tuple[int, re.Match[str]]]:
    """The checksum of the image in a line: that on the line, else the nearest that no other image is nearer to."""
    found = [(abs(n - number), n, match) for n, line in lines for match in SHA256.finditer(line)]
    near = [hit for hit in found if hit[0] <= NEAR and all(hit[0] <= abs(hit[1] - other) for other in images)]
    return [(n, match) for _, n, match in sorted(near, key=lambda hit: hit[:2])[:1]]


def _distribution(path: str, lines: list[tuple[int, str]], image: Image) -> Edits:
    release = f'{image.ubuntu[:2]}.{image.ubuntu[2:]}'
    for number, line in lines:
        if match := DISTRO_VERSION.match(line):
            yield Span(path, number, match.start(1), match.end(1), match[1], 'Ubuntu release'), release


def _of_chart(stack: Stack, chart: Chart, target: Target) -> Edits:
    """Versions in Chart.yaml and Chart.lock; the digest there, too."""
    nodes = chart.meta.root.items('dependencies') if chart.meta.root is not None else ()
    changed = []
    for node, entry in zip(nodes, chart.dependencies, strict=True):
        version = target.charts.get(entry.name)
        stated = node.get('version')
        if version and stated is not None and satisfies(version, entry.version) is not True:
            new = range_like(entry.version, version)
            changed.append((node, new))
            yield scalar(stack, chart.meta.path, stated, f'version of {entry.name}'), new
    yield from locked(stack, chart, target.charts, changed)


def range_like(seen: str, version: str) -> str:
    """The version in the form that was seen: exactly, with `v`, or as a range of its minor, `~2.34.0` or `2.34.x`."""
    if is_exact(seen):
        return ('v' if seen.startswith('v') else '') + version.removeprefix('v')
    match = RANGE.search(seen)
    if not match or len(RANGE.findall(seen)) > 1:
        return version
    major, minor = version.removeprefix('v').split('.')[:2]
    rest = match['rest'] or ''
    kept = '.0' if rest[1:].isdecimal() else rest
    new = f'{seen[: match.start()]}{major}.{minor}{kept}{seen[match.end() :]}'
    return new if satisfies(version, new) else version


def _of_addons(stack: Stack, target: Target) -> Edits:
    """`addons` of layout B: charts by abbreviation, mostly as ranges."""
    file = stack.yaml.get(stack.kubernetes.file)
    for column, name in COLUMNS.items():
        cell = file.root.get('addons', column) if file and file.root is not None else None
        version = target.charts.get(name)
        if cell is not None and version and satisfies(version, cell.text) is not True:
            yield scalar(stack, stack.kubernetes.file, cell, column), range_like(cell.text, version)


def _of_table(stack: Stack, target: Target) -> Edits:
    """The row of the minor."""
    for row in rows(stack):
        if row.version is None or row.version.dotted_minor != target.kubernetes.dotted_minor:
            continue
        stated = row.node.get('kubernetes')
        if stated is not None:
            yield scalar(stack, TABLE, stated, 'kubernetes'), target.kubernetes.like(stated.text)
        for column, cell in row.cells.items():
            if COLUMNS[column] in target.charts:
                yield scalar(stack, TABLE, cell, column), target.charts[COLUMNS[column]]


def _with_row(stack: Stack, target: Target, text: str) -> str:
    """The table with a row of the minor at its end, in the form of the last one, where it has none."""
    known = rows(stack)
    if not known or any(r.version and r.version.dotted_minor == target.kubernetes.dotted_minor for r in known):
        return text
    last = known[-1]
    keep = [(key, cell) for key, cell in [('kubernetes', last.node.get('kubernetes')), *last.cells.items()] if cell]
    if not keep:
        return text
    first, end = last.node.line, max(cell.line for _, cell in keep if cell)
    edits = []
    for key, cell in keep:
        new = target.kubernetes.like(cell.text) if key == 'kubernetes' else target.charts.get(COLUMNS[key], cell.text)
        edits.append((scalar(stack, TABLE, cell, key), new))
    copied = replaced(stack.text(TABLE), edits).split('\n')[first - 1 : end]
    lines = text.split('\n')
    return '\n'.join([*lines[:end], *copied, *lines[end:]])


def _repack(stack: Stack, target: Target) -> Iterator[tuple[Chart, Dependency]]:
    for chart in stack.addon_charts:
        for entry in chart.dependencies:
            version = target.charts.get(entry.name)
            packed = [a.version.removeprefix('v') for a in chart.archives if a.name == entry.name]
            if version and packed and version.removeprefix('v') not in packed:
                yield chart, Dependency(entry.name, version, entry.repository, entry.alias, entry.line)
