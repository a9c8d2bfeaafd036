"""Small public files and tags of public repositories: from the network, or from a directory laid out like it."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..core.errors import InfrastructureProblem, Problem, UsageProblem
from ..core.process import run

# What is asked for has one line; a server that sends more sends something else.
MOST_BYTES = 64 * 1024
# Each file is tiny: who has not begun to answer by then is out of order, and twenty of them may be asked for.
ANSWER_SECONDS = 20
# git prints some thousand tags; the answer takes a second or two.
TAGS_SECONDS = 60
MOST_TAGS_BYTES = 16 * 1024 * 1024
# How servers say that there is no such object; object stores that do not list their content say 403.
ABSENT = (403, 404, 410)
TAG = re.compile(r'refs/tags/(?P<name>[^\s^]+)(?:\^\{\})?$')


class WebFiles(Protocol):
    """Where small files come from. Every method raises a Problem when nobody answers."""

    def text(self, url: str) -> str | None:
        """The text there, None when there is no such object."""

    def exists(self, url: str) -> bool:
        """Whether there is such an object."""

    def tags(self, repository: str) -> frozenset[str] | None:
        """Names of the tags of a Git repository; None when nobody knows."""


@dataclass(frozen=True)
class Network:
    """The real ones."""

    def text(self, url: str) -> str | None:
        content = self._ask(urllib.request.Request(url))
        return None if content is None else content.decode('utf-8', 'replace')

    def exists(self, url: str) -> bool:
        return self._ask(urllib.request.Request(url, method='HEAD')) is not None

    def tags(self, repository: str) -> frozenset[str] | None:
        words = ['git', '-c', 'credential.helper=', 'ls-remote', '--tags', '--', repository]
        try:
            done = run(words, timeout=TAGS_SECONDS, env={**os.environ, 'GIT_TERMINAL_PROMPT': '0'})
        except Problem:
            return None  # tags only explain; nothing is decided by them
        return parse_tags(done.stdout) if done.code == 0 else None

    def _ask(self, request: urllib.request.Request) -> bytes | None:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                content: bytes = answer.read(MOST_BYTES)
                return content
        except urllib.error.HTTPError as error:
            if error.code in ABSENT:
                return None
            raise _silent(request.full_url, f'HTTP {error.code} {error.reason}') from error
        except (OSError, ValueError) as error:
            raise _silent(request.full_url, str(getattr(error, 'reason', error))) from error


@dataclass(frozen=True)
class Mirror:
    """Files below a directory: `<host>/<path>`; tags of a repository in `<host>/<path>/tags`, as git prints them.

    Images need not be there: they are as large as gigabytes, and their checksum is proof enough that they were.
    """

    directory: Path

    def text(self, url: str) -> str | None:
        return self._read(url, MOST_BYTES)

    def exists(self, url: str) -> bool:
        return self._path(url).is_file() or self._path(f'{url}.CHECKSUM').is_file()

    def tags(self, repository: str) -> frozenset[str] | None:
        text = self._read(f'{repository.rstrip("/")}/tags', MOST_TAGS_BYTES)
        return None if text is None else parse_tags(text)

    def _path(self, url: str) -> Path:
        where = urlsplit(url)
        parts = [where.netloc, *(part for part in where.path.split('/') if part)]
        if '..' in parts:
            raise UsageProblem('cannot look up', f'address {url}', 'it leads out of the mirror', 'correct the address')
        return self.directory.joinpath(*parts)

    def _read(self, url: str, most: int) -> str | None:
        try:
            with self._path(url).open('rb') as file:
                return file.read(most).decode('utf-8', 'replace')
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            answer = error.strerror or str(error)
            raise UsageProblem(
                'cannot read', f'mirror file {self._path(url)}', answer, 'fix its permissions'
            ) from error


@dataclass
class Remembered:
    """Asks another one once for each thing: stacks of one minor need the same files, and all need the same tags."""

    files: WebFiles
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)

    def text(self, url: str) -> str | None:
        found: str | None = self._once('text', url, self.files.text)
        return found

    def exists(self, url: str) -> bool:
        return bool(self._once('exists', url, self.files.exists))

    def tags(self, repository: str) -> frozenset[str] | None:
        found: frozenset[str] | None = self._once('tags', repository, self.files.tags)
        return found

    def _once(self, what: str, subject: str, ask: Callable[[str], Any]) -> Any:
        if (what, subject) not in self.answers:
            self.answers[what, subject] = ask(subject)
        return self.answers[what, subject]


def _silent(url: str, answer: str) -> InfrastructureProblem:
    advice = 'check the network, try later, or give a directory with the files: --mirror'
    return InfrastructureProblem('cannot read', f'address {url}', answer, advice)


def parse_tags(text: str) -> frozenset[str]:
    """Names of the tags in what `git ls-remote --tags` prints; lines with nothing but a name count, too."""
    found = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        match = TAG.search(line)
        if match:
            found.add(match['name'])
        elif len(line.split()) == 1:
            found.add(line)
    return frozenset(found)
