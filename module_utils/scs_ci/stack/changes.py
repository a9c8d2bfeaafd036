"""Which stacks differ from a git revision: by content, for that is what a release is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Problem
from . import contents, discover, gitread, reaching
from .contents import Contents
from .discover import Place
from .layouts import ADDON_CONFIG, ADDON_DIR, CLASS_DIR, TOOL_CONFIG

SHOWN = 3  # names of changed files in a part of a reason
# Part of a stack -> its files and directories; the rest is 'other files'.
PARTS = {
    'class': (f'{CLASS_DIR}/',),
    'addons': (f'{ADDON_DIR}/', ADDON_CONFIG, 'cluster-addon-values.yaml'),
    'node images': ('node-images/', 'node-image/', 'image.yaml', 'kubernetes.yaml', discover.IMAGE_LIST),
    'tool config': tuple(TOOL_CONFIG.values()),
}
OTHER, SHARED = 'other files', 'shared files'


@dataclass(frozen=True)
class Revision:
    """A checkout and what it held at a reference."""

    checkout: Path
    before: Contents
    algorithm: str

    def now(self, names: Collection[str]) -> Contents:
        return contents.now(self.checkout, names, self.algorithm)


def changed(checkout: Path, reference: str, places: Sequence[Place]) -> dict[str, str]:
    """Path of each stack that differs from `reference` -> the reason. Missing stacks have not changed.

    A stack differs when any file below it has another content, is new or is gone, which is what its content hash says;
    or when a file outside of it that reaches it does: the target of a link, a chart that it depends on by `file://`,
    the entries of its minor in a shared image list, any other file in a directory between it and the checkout,
    documents excepted.
    """
    gitread.verify(checkout, reference)
    before = contents.at_revision(checkout, reference)
    revision = Revision(checkout, before, contents.algorithm_of(before.files.values()))
    reasons = {place.path: _reason(revision, reference, place) for place in places}
    return {path: f'{reason} since {reference}' for path, reason in reasons.items() if reason}


def _reason(revision: Revision, reference: str, place: Place) -> str:
    prefix = '' if place.path == '.' else f'{place.path}/'
    old = {name for name in revision.before.files if name.startswith(prefix)}
    if not old:
        return 'new'
    now = revision.now(gitread.below(revision.checkout, place.path))
    parts: dict[str, list[str]] = {}
    for name in _different(revision.before, now, old):
        target = now.targets.get(name, name)
        if target != name and revision.before.targets.get(name) == target and not target.startswith(prefix):
            parts.setdefault(SHARED, []).append(target)
        else:
            own = name.removeprefix(prefix)
            parts.setdefault(_part(own), []).append(own + _state(name, revision.before, now))
    parts.setdefault(SHARED, []).extend(_outside(revision, reference, place, now))
    return ', '.join(f'{part} changed ({_some(parts[part])})' for part in (*PARTS, OTHER, SHARED) if parts.get(part))


def _different(before: Contents, now: Contents, old: Collection[str]) -> list[str]:
    return sorted(name for name in {*old, *now.files} if before.files.get(name) != now.files.get(name))


def _state(name: str, before: Contents, now: Contents) -> str:
    return ' is gone' if name not in now.files else '' if name in before.files else ' is new'


def _part(name: str) -> str:
    fitting = (part for part, heads in PARTS.items() for head in heads if name == head or _within(name, head))
    return next(fitting, OTHER)


def _within(name: str, head: str) -> bool:
    return head.endswith('/') and name.startswith(head)


def _some(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f' and {len(unique) - SHOWN} more' if len(unique) > SHOWN else ''
    return ', '.join(unique[:SHOWN]) + more


def _outside(revision: Revision, reference: str, place: Place, now: Contents) -> list[str]:
    """Files outside of the stack, by other ways than a link, that reach it and differ."""
    found = []
    for directory in reaching.between(place.path):
        before = {name for name in revision.before.files if _parent(name) == directory}
        there = [name for name in gitread.below(revision.checkout, directory) if _parent(name) == directory]
        found += [
            name
            for name in _different(revision.before, revision.now(there), before)
            if not reaching.is_document(name) and _reaches(revision, reference, place, name)
        ]
    for directory in sorted(set(reaching.local_charts(place.path, _charts(revision.checkout, now)))):
        before = {name for name in revision.before.files if name.startswith(f'{directory}/')}
        found += _different(revision.before, revision.now(gitread.below(revision.checkout, directory)), before)
    return found


def _charts(checkout: Path, now: Contents) -> Mapping[str, str]:
    names = [name for name in now.files if name.endswith('/Chart.yaml')]
    return {name: (checkout / name).read_text('utf-8', 'replace') for name in names if (checkout / name).is_file()}


def _reaches(revision: Revision, reference: str, place: Place, name: str) -> bool:
    """Whether the difference of a file beside the stacks is in a part of it that this stack has."""
    path = revision.checkout / name
    if not reaching.is_image_list(name) or not path.is_file() or name not in revision.before.files:
        return True
    with suppress(Problem):  # a stack that cannot be read has no minor, and its check says why
        version = discover.load(revision.checkout, place).version
        if version is not None:
            (old,) = gitread.blobs(revision.checkout, [revision.before.files[name]])
            one, other = (reaching.images_of_minor(text, version) for text in (old, path.read_bytes()))
            return bool(one != other)
    return True


def _parent(name: str) -> str:
    """Directory of a file, '' for the checkout itself."""
    return name.rpartition('/')[0]
