"""What every file of a checkout holds, at a revision and now, with links replaced by what they lead to.

A content is told by the id that git gives it. A release holds the content of a link's target, so a link to a file
outside of the stack makes that file reach the stack.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import UsageProblem
from . import gitread

# Links to links: the kernel gives up after as many.
MOST_HOPS = 40
SHA1_DIGITS = 40


@dataclass(frozen=True)
class Contents:
    """files: path -> id of the content that is read there. targets: path of a link -> the file that it leads to."""

    files: Mapping[str, str]
    targets: Mapping[str, str] = field(default_factory=dict)


def at_revision(checkout: Path, reference: str) -> Contents:
    """All files of the checkout as they were."""
    entries = gitread.listing(checkout, reference)
    links = [name for name, entry in entries.items() if entry.is_link]
    texts = gitread.blobs(checkout, [entries[name].blob for name in links])
    leads = {name: text.decode('utf-8', 'surrogateescape') for name, text in zip(links, texts, strict=True)}
    ends = {name: end for name in links if (end := follow(name, leads)) in entries}
    files = {name: entries[ends.get(name, name)].blob for name in entries}
    return Contents(files, ends)


def follow(name: str, links: Mapping[str, str]) -> str:
    """The path that a link leads to in the end; '' when it goes round in circles or out of the checkout."""
    for _ in range(MOST_HOPS):
        if name not in links:
            return name
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), links[name]))
        if name.startswith(('/', '../')):
            return ''
    return ''


def now(checkout: Path, names: Iterable[str], algorithm: str) -> Contents:
    """The named files as they are. Paths are relative to the checkout."""
    links = _links(checkout, names := list(names))
    ends = {name: end for name in names if name in links and _is_file(checkout, end := follow(name, links))}
    return Contents({name: blob_id(checkout / ends.get(name, name), algorithm) for name in names}, ends)


def _links(checkout: Path, names: Iterable[str]) -> dict[str, str]:
    """Path of a link -> what it says, for the names and whatever they lead to."""
    found: dict[str, str] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found or not (checkout / name).is_symlink():
            continue
        found[name] = os.readlink(checkout / name)  # noqa: PTH115 - the text, not a path made of it
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[name]))
        if not target.startswith(('/', '../')):
            pending.append(target)
    return found


def _is_file(checkout: Path, name: str) -> bool:
    return bool(name) and (checkout / name).is_file() and not (checkout / name).is_symlink()


def algorithm_of(ids: Iterable[str]) -> str:
    """The hash that a repository names contents with."""
    return 'sha1' if all(len(one) == SHA1_DIGITS for one in ids) else 'sha256'


def blob_id(path: Path, algorithm: str) -> str:
    """The id git gives to the file's content; of a link, to its target's name."""
    try:
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    except OSError as error:
        raise UsageProblem('cannot read', str(path), error.strerror or str(error), 'fix its permissions') from error
    return hashlib.new(algorithm, b'blob %d\0' % len(content) + content).hexdigest()
