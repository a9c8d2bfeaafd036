"""A stack as it was at a Git revision, read from the objects of Git without touching the checkout."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import ToolProblem
from . import gitread
from .discover import Place, with_patch
from .model import Stack, build_model
from .sources import MOST_BYTES, MOST_FILES

# Modes of regular files; links and submodules of an old revision are not followed.
REGULAR = ('100644', '100755')


def load(checkout: Path, place: Place, reference: str) -> Stack | None:
    """The stack at the revision, None when it did not exist then; UsageProblem for a revision that git has not."""
    gitread.verify(checkout, reference)
    listing = gitread.git_bytes(checkout, 'ls-tree', '-r', '-z', '-l', reference, '--', place.path)
    prefix = '' if place.path == '.' else f'{place.path}/'
    wanted: dict[str, str] = {}
    size = 0
    for entry in filter(None, listing.split(b'\0')):
        meta, _, name = entry.decode('utf-8', 'replace').partition('\t')
        mode, _, blob, length = meta.split()
        if mode in REGULAR and name.startswith(prefix):
            wanted[name.removeprefix(prefix)] = blob
            size += int(length)
    if not wanted:
        return None
    if size > MOST_BYTES or len(wanted) > MOST_FILES:
        raise ToolProblem(
            'cannot read', f'{place.path} at {reference}', f'{size} bytes', 'compare with another revision'
        )
    contents = gitread.blobs(checkout, list(wanted.values()))
    files = dict(sorted(zip(wanted, contents, strict=True)))
    return with_patch(build_model(place.path, place.layout, files))
