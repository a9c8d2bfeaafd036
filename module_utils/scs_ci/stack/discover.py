"""Finding cluster stacks in a checkout and choosing those that were asked for."""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import ProductProblem, UsageProblem
from .model import CLASS_DIR, LAYOUT_A, LAYOUT_B, LAYOUT_HISTORIC, TOOL_CONFIG, Stack, build_model
from .sources import read_file, read_tree
from .versions import Kubernetes, parse_kubernetes
from .yamlfile import MOST_TEXT
from .yamltext import Broken, parse

PROVIDERS = 'providers'
# Lists node images by version; in layout B it lies beside the minors, hence is shared by them.
IMAGE_LIST = 'image-manager.yaml'
# Directories that never hold stacks: results of builds.
NOT_SOURCE = frozenset({'node_modules', 'release'})
MINOR = re.compile(r'\d+-\d+')
DEEPEST = 6  # levels below the start: providers/<provider>/<stack>/<minor> has four


@dataclass(frozen=True)
class Place:
    """A directory that is a stack. path: relative to the checkout, '.' for the checkout itself."""

    path: str
    layout: str


def find(checkout: Path) -> tuple[Place, ...]:
    """All stack directories of a checkout, sorted by path. The checkout may be one stack itself.

    A directory is a stack when it has a `stack.yaml` (layout B), a `csctl.yaml` (layout A) or a class chart (historic
    when it is named after a minor or has a metadata.yaml, else A); what lies below a stack is not searched. Links to
    directories are not followed. Raises UsageProblem if there are none.
    """
    if not checkout.is_dir():
        raise UsageProblem(
            'cannot search', f'checkout {checkout}', 'it is not a directory', 'give the path of a checkout'
        )
    start = checkout / PROVIDERS if (checkout / PROVIDERS).is_dir() and _layout(checkout) is None else checkout
    found = tuple(sorted(_search(checkout, start, DEEPEST), key=lambda place: place.path))
    if not found:
        raise UsageProblem(
            'found no cluster stack in',
            f'checkout {checkout}',
            f'no directory below {start} has a csctl.yaml, a stack.yaml or a cluster-class chart',
            'give the path of a checkout of cluster stacks',
        )
    return found


def _layout(directory: Path) -> str | None:
    if (directory / TOOL_CONFIG[LAYOUT_B]).is_file():
        return LAYOUT_B
    if (directory / TOOL_CONFIG[LAYOUT_A]).is_file():
        return LAYOUT_A
    if not (directory / CLASS_DIR / 'Chart.yaml').is_file():
        return None
    # A stack of today that lost its csctl.yaml must not pass as one from before there was such a file.
    old = MINOR.fullmatch(directory.resolve().name) or (directory / TOOL_CONFIG[LAYOUT_HISTORIC]).is_file()
    return LAYOUT_HISTORIC if old else LAYOUT_A


def _search(checkout: Path, directory: Path, levels: int) -> list[Place]:
    layout = _layout(directory)
    if layout:
        return [Place(directory.relative_to(checkout).as_posix(), layout)]
    if levels == 0:
        return []
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageProblem(
            'cannot search', str(directory), error.strerror or str(error), 'fix its permissions'
        ) from error
    below = [e for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith('.')]
    return [p for e in below if e.name not in NOT_SOURCE for p in _search(checkout, Path(e.path), levels - 1)]


def choose(places: Sequence[Place], patterns: Iterable[str]) -> tuple[Place, ...]:
    """The places that match one of the patterns (paths or globs); all without a pattern.

    A pattern that also matches a parent selects everything below it. UsageProblem for one that selects nothing.
    """
    wanted = [pattern.strip().strip('/') for pattern in patterns if pattern.strip()]
    if not wanted:
        return tuple(places)
    chosen: set[Place] = set()
    for pattern in wanted:
        hits = {place for place in places if _matches(place.path, pattern)}
        if not hits:
            names = [place.path for place in places]
            near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.4) or names[:5]
            raise UsageProblem(
                'cannot find stack',
                repr(pattern),
                f'the checkout has {len(names)} stacks',
                f'nearest: {", ".join(near)}',
            )
        chosen |= hits
    return tuple(place for place in places if place in chosen)


def _matches(path: str, pattern: str) -> bool:
    parts = path.split('/')
    heads = ['/'.join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(head, pattern) for head in heads)


def load(checkout: Path, place: Place) -> Stack:
    """Read and parse the stack at a place, without renderings. ProductProblem when its files cannot be taken over."""
    root = checkout / place.path
    files = read_tree(root)
    shared = _shared(root.parent / IMAGE_LIST) if place.layout == LAYOUT_B else {}
    return with_patch(build_model(place.path, place.layout, files, shared=shared))


def _shared(file: Path) -> dict[str, bytes]:
    """The image list beside the minors, if there is one. ProductProblem for one that nobody can read."""
    if not file.is_file():
        return {}
    content = read_file(file, MOST_TEXT)
    if content is None:
        advice = 'is it a list of images?'
        raise ProductProblem('cannot read', f'file {file}', f'more than {MOST_TEXT >> 20} MiB', advice)
    return {f'../{file.name}': content}


def with_patch(stack: Stack) -> Stack:
    """Layout B may state the minor only; then the newest patch of the shared image list is meant."""
    version = stack.version
    if version is None or version.patch is not None or stack.layout != LAYOUT_B:
        return stack
    listed = [v for content in stack.shared.values() for v in listed_versions(content.decode('utf-8', 'replace'))]
    fitting = [v for v in listed if (v.major, v.minor) == (version.major, version.minor) and v.patch is not None]
    if not fitting:
        return stack
    newest = max(fitting, key=lambda v: v.patch or 0)
    return replace(stack, kubernetes=replace(stack.kubernetes, text=str(newest)))


def listed_versions(text: str) -> list[Kubernetes]:
    """Kubernetes versions that an image manager's list has images for."""
    try:
        documents = parse(text)
    except Broken:
        return []  # the file is checked by a rule; here it only has no answer
    entries = [e for d in documents if d.root for image in d.root.items('images') for e in image.items('versions')]
    return [version for entry in entries if (version := parse_kubernetes(entry.value('version')))]


def key(stack: Stack) -> str:
    """Directory of the version in a run, `<provider>-<stack>-<major>-<minor>`; from the path if nothing is declared."""
    identity = stack.identity
    if identity:
        return _safe(identity.base)
    return _safe('-'.join([*stack.path.split('/')[-2:], 'undeclared']))


def _safe(text: str) -> str:
    return re.sub(r'[^a-z0-9-]+', '-', text.lower()).strip('-') or 'stack'


def readable(checkout: Path) -> list[Stack]:
    """All stacks of a checkout that can be read; another one that cannot is its own version's matter."""
    found = []
    for place in find(checkout):
        with contextlib.suppress(ProductProblem):
            found.append(load(checkout, place))
    return found


def unreadable(place: Place, reason: str = 'its files cannot be read') -> Stack:
    """A model for a stack whose files could not be read: it stays in the plan, and its check tells the reason."""
    return replace(build_model(place.path, place.layout, {}), unreadable=reason)
