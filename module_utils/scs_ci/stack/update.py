"""A stack at other versions, whole: statements rewritten, packed charts exchanged, and proven to agree."""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ..core.errors import ProductProblem
from .bucket import is_of_builder
from .discover import with_patch
from .images import node_images
from .model import Dependency, Stack, build_model
from .rewrite import Rewritten, Target, rewrite
from .semver import satisfies
from .spans import in_documents, version_of
from .statements import statements

Fetch = Callable[[Dependency], bytes]


def updated(stack: Stack, target: Target, fetch: Fetch) -> Rewritten:
    """The files of the stack that differ at the target. fetch: gives the archive of a chart that the stack carries.

    ProductProblem when a statement would be left that says something else: then nothing may be written.
    """
    rewritten = rewrite(stack, target)
    files = dict(rewritten.files)
    for chart, entry in rewritten.repack:
        files |= {a.path: None for a in chart.archives if a.name == entry.name}
        files[f'{chart.path}/charts/{entry.name}-{entry.version}.tgz'] = fetch(entry)
    verify(after(stack, files), target)
    return replace(rewritten, files=files)


def after(stack: Stack, files: Mapping[str, bytes | None]) -> Stack:
    """The model of the stack with these files instead of its own."""
    everything: dict[str, bytes | None] = {**stack.shared, **stack.files, **files}
    content = {path: content for path, content in sorted(everything.items()) if content is not None}
    own, shared = ({p: c for p, c in content.items() if p.startswith('../') is outside} for outside in (False, True))
    return with_patch(build_model(stack.path, stack.layout, own, shared=shared))


def verify(stack: Stack, target: Target) -> None:
    """ProductProblem for the first thing in the stack that does not state the target."""
    for place, seen, wanted in _wrong(stack, target):
        answer = f'it would still say {seen}, wanted is {wanted}'
        raise ProductProblem('cannot rewrite', f'{stack.path}/{place}', answer, 'correct this place by hand, run again')


def _wrong(stack: Stack, target: Target) -> Iterator[tuple[str, str, str]]:
    """(place, what it says, what it should say)."""
    version, declared = target.kubernetes, stack.kubernetes
    if stack.version is None or not stack.version.agrees(version):
        yield f'{declared.file}:{declared.line}', declared.text or 'no version', str(version)
    for found in statements(stack):
        if not found.version.agrees(version):
            yield f'{found.file}:{found.line}', found.seen, version.like(found.seen)
    for span in in_documents(stack):
        stated = version_of(span)
        if stated and not stated.agrees(version):
            yield f'{span.file}:{span.line}', span.text, version.like(span.text)
    yield from _wrong_charts(stack, target)
    yield from _wrong_images(stack, target)


def _wrong_charts(stack: Stack, target: Target) -> Iterator[tuple[str, str, str]]:
    for chart in stack.addon_charts:
        for file, entries in ((chart.meta.path, chart.dependencies), (f'{chart.path}/Chart.lock', chart.lock or ())):
            for entry in entries:
                version = target.charts.get(entry.name)
                if version and satisfies(version, entry.version) is not True:
                    yield f'{file}:{entry.version_line}', f'{entry.name} {entry.version}', version
        for archive in chart.archives:
            version = target.charts.get(archive.name)
            if version and archive.version.removeprefix('v') != version.removeprefix('v'):
                yield archive.path, f'{archive.name} {archive.version or archive.problem}', version


def _wrong_images(stack: Stack, target: Target) -> Iterator[tuple[str, str, str]]:
    """Images of the version in files; those that only a rendering shows were rewritten by the same hand."""
    image = target.image
    for found in node_images(stack) if image else ():
        if image is None or found.version != image.version or found.url is None:
            continue
        if not is_of_builder(found.url.text, target.bases):
            continue  # another builder's image of the same version
        file, line = found.place(found.checksum or found.url)
        if found.checksum is not None and found.digest != image.sha256:
            yield f'{file}:{line}', f'checksum {found.digest}', image.sha256
        if found.url.text.rsplit('/', 2)[1:] != image.url.rsplit('/', 2)[1:]:
            yield f'{file}:{line}', found.url.text, image.url


def difference(stack: Stack, rewritten: Rewritten, name: str) -> str:
    """A diff as `git diff` and `patch -p1` know it. name: of the stack's directory, as the caller sees it."""
    parts = []
    for path, content in sorted(rewritten.files.items()):
        shown = f'{name}/{path}' if name not in ('', '.') else path
        old = stack.files.get(path, stack.shared.get(path))
        if path.endswith('.tgz'):
            parts.append(
                f'Binary file {shown} is {"new" if old is None else "removed" if content is None else "other"}\n'
            )
        else:
            parts += _text_difference(shown, old, content)
    return ''.join(parts)


def _text_difference(shown: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    before, now = (_lines((content or b'').decode('utf-8', 'replace')) for content in (old, new))
    names = ('/dev/null' if old is None else f'a/{shown}', '/dev/null' if new is None else f'b/{shown}')
    for line in difflib.unified_diff(before, now, *names):
        yield line if line.endswith('\n') else f'{line}\n\\ No newline at end of file\n'


def _lines(text: str) -> list[str]:
    """Lines with their ends, as Git and patch see them: only a line feed ends one."""
    return io.StringIO(text, newline='\n').readlines()
