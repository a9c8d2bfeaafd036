"""Reading from Git: names, commits and contents of a checkout, without changing it or running what it configures."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ToolProblem, UsageProblem
from ..core.process import Completed, run

# git answers from local files: ten times what the largest repository of stacks needs on a slow disk.
GIT_SECONDS = 60


@dataclass(frozen=True)
class Entry:
    """A file at a revision. mode: as git writes it, e.g. 100644, 120000 for a link; blob: id of its content."""

    mode: str
    blob: str

    @property
    def is_link(self) -> bool:
        return self.mode == '120000'


def git_command(checkout: Path, *words: str) -> list[str]:
    """git for reading, whoever owns the checkout and whatever its configuration starts."""
    return ['git', '-C', str(checkout), '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', *words]


def git(checkout: Path, *words: str) -> Completed:
    """Run git for reading text."""
    return run(
        git_command(checkout, *words), timeout=GIT_SECONDS, env={**os.environ, 'LC_ALL': 'C', 'GIT_OPTIONAL_LOCKS': '0'}
    )


def git_bytes(checkout: Path, *words: str, feed: bytes | None = None) -> bytes:
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


def verify(checkout: Path, reference: str) -> None:
    """UsageProblem when git knows no such commit in the checkout."""
    found = git(checkout, 'rev-parse', '--verify', '--quiet', '--end-of-options', f'{reference}^{{commit}}')
    if found.code:
        answer = found.last_words() if found.stderr.strip() else 'git knows no such commit here'
        advice = 'fetch it (a shallow clone lacks old commits) or name another'
        raise UsageProblem('cannot compare with', f'git reference {reference!r} in {checkout}', answer, advice)


def listing(checkout: Path, reference: str) -> dict[str, Entry]:
    """Path relative to the checkout -> its entry at the reference; submodules are left out."""
    done = git(checkout, 'ls-tree', '-r', '-z', reference, '--', '.')
    if done.code:
        raise ToolProblem('cannot list', f'git tree {reference}', done.last_words(), 'see the message of git')
    lines = (line.split('\t', 1) for line in done.stdout.split('\0') if line)
    entries = ((name, meta.split()) for meta, name in lines)
    return {name: Entry(mode, blob) for name, (mode, kind, blob) in entries if kind == 'blob'}


def below(checkout: Path, path: str) -> list[str]:
    """Files below a directory that git would see: untracked ones count, ignored ones do not enter a clean checkout."""
    done = git(checkout, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', path)
    names = dict.fromkeys(name for name in done.stdout.split('\0') if name)
    return [name for name in names if (checkout / name).is_symlink() or (checkout / name).is_file()]


def blobs(checkout: Path, ids: Sequence[str]) -> list[bytes]:
    """Contents of blobs in their order, by one process for all."""
    if not ids:
        return []
    answer = git_bytes(checkout, 'cat-file', '--batch', feed='\n'.join(ids).encode() + b'\n')
    found, at = [], 0
    for _ in ids:
        end = answer.index(b'\n', at)
        length = int(answer[at:end].split()[2])
        found.append(answer[end + 1 : end + 1 + length])
        at = end + 1 + length + 1
    return found
