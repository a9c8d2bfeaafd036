"""A stack as it was at a Git revision, read from the objects of Git without touching the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..core.errors import ToolProblem
from .changes import GIT_SECONDS, git_command, verify
from .discover import Place, with_patch
from .model import Stack, build_model
from .sources import MOST_BYTES, MOST_FILES

# Modes of regular files; links and submodules of an old revision are not followed.
REGULAR = ('100644', '100755')


def load(checkout: Path, place: Place, reference: str) -> Stack | None:
    """The stack at the revision, None when it did not exist then; UsageProblem for a revision that git has not."""
    verify(checkout, reference)
    listing = _git(checkout, 'ls-tree', '-r', '-z', '-l', reference, '--', place.path)
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
    contents = _blobs(checkout, list(wanted.values()))
    files = dict(sorted(zip(wanted, contents, strict=True)))
    return with_patch(build_model(place.path, place.layout, files))


def _blobs(checkout: Path, ids: list[str]) -> list[bytes]:
    """Contents of blobs in their order, by one process for all."""
    answer = _git(checkout, 'cat-file', '--batch', feed='\n'.join(ids).encode() + b'\n')
    found, at = [], 0
    for _ in ids:
        end = answer.index(b'\n', at)
        length = int(answer[at:end].split()[2])
        found.append(answer[end + 1 : end + 1 + length])
        at = end + 1 + length + 1
    return found


def _git(checkout: Path, *words: str, feed: bytes | None = None) -> bytes:
    """Bytes that git prints; contents need not be text, so this does not go through core.process."""
    argv = git_command(checkout, *words)
    try:
        done = subprocess.run(argv, input=feed, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolProblem('cannot run', f'git in {checkout}', str(error), 'is the disk slow? run it again') from error
    if done.returncode:
        answer = done.stderr.decode('utf-8', 'replace').strip() or f'exit code {done.returncode}'
        raise ToolProblem('cannot read', f'git objects of {checkout}', answer, 'see the message of git')
    return done.stdout
