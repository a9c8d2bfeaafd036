"""Which stacks differ from a git revision: by content, for that is what a release is made of."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..core.errors import ToolProblem, UsageProblem
from ..core.process import Completed, run
from .discover import Place

# git answers from local files: ten times what the largest repository of stacks needs on a slow disk.
GIT_SECONDS = 60
SHOWN = 3  # names of changed files in a reason
# Documents beside the stacks reach no release.
DOCUMENT = re.compile(r'(?i).*\.(md|rst|txt|adoc)|license.*|\.gitignore|codeowners')


def git_command(checkout: Path, *words: str) -> list[str]:
    """git for reading, whoever owns the checkout and whatever its configuration starts."""
    return ['git', '-C', str(checkout), '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', *words]


def git(checkout: Path, *words: str) -> Completed:
    """Run git for reading text."""
    return run(
        git_command(checkout, *words), timeout=GIT_SECONDS, env={**os.environ, 'LC_ALL': 'C', 'GIT_OPTIONAL_LOCKS': '0'}
    )


def commit(checkout: Path) -> str:
    """The commit of the checkout, with `-dirty` when files below it differ; '' when it is not a git work tree."""
    head = git(checkout, 'rev-parse', '--verify', '--quiet', 'HEAD')
    if head.code:
        return ''
    state = git(checkout, 'status', '--porcelain', '--', '.')
    return head.stdout.strip() + ('-dirty' if state.code or state.stdout.strip() else '')


def untracked(checkout: Path, path: str) -> frozenset[str]:
    """Files below a stack that Git does not know, ignored ones included; none when it knows no file of the stack.

    A plane host has a copy of the checkout without its history, and need not have git.
    """
    if shutil.which('git') is None:
        return frozenset()
    known = git(checkout, 'ls-files', '-z', '--cached', '--', path)
    others = git(checkout, 'ls-files', '-z', '--others', '--', path) if known.code == 0 and known.stdout else None
    if others is None or others.code:
        return frozenset()  # a copy without Git, or a stack that is not committed yet
    prefix = '' if path == '.' else f'{path}/'
    return frozenset(name.removeprefix(prefix) for name in others.stdout.split('\0') if name)


def changed(checkout: Path, reference: str, places: Sequence[Place]) -> dict[str, str]:
    """Path of each stack that differs from `reference` -> the reason. Missing stacks have not changed.

    A stack differs when any file below it has another content, is new or is gone, or when a file in a directory between
    the checkout and the stack does (the shared image list of layout B, for example; documents excepted).
    """
    verify(checkout, reference)
    before = _listing(checkout, reference)
    reasons: dict[str, str] = {}
    for place in places:
        reason = _reason(checkout, place.path, before)
        if reason:
            reasons[place.path] = f'{reason} since {reference}'
    return reasons


def verify(checkout: Path, reference: str) -> None:
    """UsageProblem when git knows no such commit in the checkout."""
    found = git(checkout, 'rev-parse', '--verify', '--quiet', '--end-of-options', f'{reference}^{{commit}}')
    if found.code:
        answer = found.last_words() if found.stderr.strip() else 'git knows no such commit here'
        advice = 'fetch it (a shallow clone lacks old commits) or name another'
        raise UsageProblem('cannot compare with', f'git reference {reference!r} in {checkout}', answer, advice)


def _listing(checkout: Path, reference: str) -> dict[str, str]:
    """Path relative to the checkout -> blob id at the reference."""
    done = git(checkout, 'ls-tree', '-r', '-z', reference, '--', '.')
    if done.code:
        raise ToolProblem('cannot list', f'git tree {reference}', done.last_words(), 'see the message of git')
    entries = (line.split('\t', 1) for line in done.stdout.split('\0') if line)
    return {name: meta.split()[2] for meta, name in entries}


def _reason(checkout: Path, path: str, before: Mapping[str, str]) -> str:
    prefix = '' if path == '.' else f'{path}/'
    old = {name: blob for name, blob in before.items() if name.startswith(prefix)}
    if not old:
        return 'new'
    algorithm = 'sha1' if len(next(iter(old.values()))) == 40 else 'sha256'
    own = _different(checkout, old, _below(checkout, path), algorithm)
    if own:
        more = f' and {len(own) - SHOWN} more' if len(own) > SHOWN else ''
        return f'changed: {", ".join(name.removeprefix(prefix) for name in own[:SHOWN])}{more}'
    for directory in _between(path):
        shared = {n: b for n, b in before.items() if _parent(n) == directory and not _document(n)}
        now = [n for n in _beside(checkout, directory) if not _document(n)]
        differing = _different(checkout, shared, now, algorithm)
        if differing:
            return f'shared file {differing[0]} changed'
    return ''


def _different(checkout: Path, old: Mapping[str, str], now: Sequence[str], algorithm: str) -> list[str]:
    new = {name: blob_id(checkout / name, algorithm) for name in now}
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def blob_id(path: Path, algorithm: str) -> str:
    """The id git gives to the file's content; of a link, to its target's name."""
    try:
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    except OSError as error:
        raise UsageProblem('cannot read', str(path), error.strerror or str(error), 'fix its permissions') from error
    return hashlib.new(algorithm, b'blob %d\0' % len(content) + content).hexdigest()


def _below(checkout: Path, path: str) -> list[str]:
    """Files below a directory that git would see: untracked ones count, ignored ones do not enter a clean checkout."""
    done = git(checkout, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', path)
    names = [name for name in done.stdout.split('\0') if name]
    return [name for name in names if (checkout / name).is_symlink() or (checkout / name).is_file()]


def _beside(checkout: Path, directory: str) -> list[str]:
    return [name for name in _below(checkout, directory or '.') if _parent(name) == directory]


def _between(path: str) -> list[str]:
    """Directories above the stack and below the checkout, nearest first."""
    parts = path.split('/')
    return ['/'.join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _parent(name: str) -> str:
    """Directory of a file, '' for the checkout itself."""
    return name.rpartition('/')[0]


def _document(name: str) -> bool:
    return DOCUMENT.fullmatch(PurePosixPath(name).name) is not None
