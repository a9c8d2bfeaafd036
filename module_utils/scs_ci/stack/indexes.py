"""What chart repositories offer: from files, from a cache, from the network, or from what was known on some day."""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from ..core import files
from ..core.errors import Problem
from .known_indexes import KNOWN
from .model import Index, Stack
from .sources import read_file
from .yamltext import Broken, List, Map, Node, parse

# The index of cilium has 5 MB; ten times that is no index.
MOST_BYTES = 50 * 1024 * 1024
# That of cilium has 15,000; a million nodes take 190 MB.
MOST_NODES = 1_000_000
# A repository that does not begin to answer by then would hold every check; the known index is used instead.
ANSWER_SECONDS = 10
# Some MB over a slow line; after that the known index is used, too.
WHOLE_SECONDS = 60
PIECE = 1 << 16
DAY = datetime.timedelta(days=1)
RUN = re.compile(r'(\d+\.\d+):([\d,-]+)')
RELEASE = re.compile(r'v?(\d+)\.(\d+)\.(\d+)')


@dataclass(frozen=True)
class IndexSource:
    """Where indexes come from. directory: of index files, replaces everything else; offline: ask nobody."""

    cache: Path
    directory: Path | None = None
    offline: bool = False


def indexes(stacks: Iterable[Stack], source: IndexSource, now: datetime.datetime) -> dict[str, Index]:
    """The indexes of all repositories that the stacks name, as written there.

    The network is asked only for what neither the cache nor the snapshot offers, for published versions do not vanish.
    """
    wanted: dict[str, set[tuple[str, str]]] = {}
    for entry in (d for stack in stacks for chart in stack.charts for d in chart.dependencies):
        if entry.repository.startswith('https://'):
            wanted.setdefault(entry.repository, set()).add((entry.name, entry.version))
    found = {repository: _index(repository, needed, source, now) for repository, needed in wanted.items()}
    return {repository: index for repository, index in found.items() if index}


def latest(repositories: Iterable[str], source: IndexSource, now: datetime.datetime) -> dict[str, Index]:
    """The newest index of each repository that is to be had: files, else the network, else what is known of before."""
    found = {repository: _latest(repository, source, now) for repository in repositories}
    return {repository: index for repository, index in found.items() if index}


def _latest(repository: str, source: IndexSource, now: datetime.datetime) -> Index | None:
    if source.directory:
        return _from_directory(repository, source.directory, now)
    asked = None if source.offline else _fetched(repository, source.cache, now)
    return asked or _newest([_cached(repository, source.cache, now), _snapshot(repository, now)])


def _index(repository: str, needed: set[tuple[str, str]], source: IndexSource, now: datetime.datetime) -> Index | None:
    if source.directory:
        return _from_directory(repository, source.directory, now)
    known = _newest([_cached(repository, source.cache, now), _snapshot(repository, now)])
    complete = known and all(version in known.charts.get(name, ()) for name, version in needed)
    fresh = known and known.age is not None and known.age < 1
    if complete or fresh or source.offline:
        return known
    return _fetched(repository, source.cache, now) or known


def _newest(found: list[Index | None]) -> Index | None:
    aged = [index for index in found if index is not None]
    return min(aged, key=lambda index: index.age or 0) if aged else None


def _from_directory(repository: str, directory: Path, now: datetime.datetime) -> Index | None:
    """`<host>/<path>/index.yaml` as in a mirror, or `<host>_<path>.yaml`."""
    where = urlsplit(repository)
    parts = [where.netloc, *(part for part in where.path.split('/') if part)]
    if '..' in parts:
        return None
    for path in (directory.joinpath(*parts, 'index.yaml'), directory / f'{"_".join(parts)}.yaml'):
        if path.is_file():
            content = read_file(path, MOST_BYTES)
            return parse_index(repository, content, str(path), now) if content is not None else None
    return None


def parse_index(repository: str, content: bytes, source: str, now: datetime.datetime) -> Index | None:
    """The index that a repository serves; None for something that is none."""
    try:
        documents = parse(content.decode('utf-8', 'replace'), MOST_NODES)
    except Broken:
        return None
    root = documents[0].root if documents else None
    entries = root.get('entries') if root is not None else None
    if root is None or not isinstance(entries, Map):
        return None
    charts = {name.content: _versions(listed) for name, listed in entries.entries}
    return Index(repository, charts, source, _age(root.value('generated'), now))


def _versions(listed: Node) -> tuple[str, ...]:
    entries = listed.nodes if isinstance(listed, List) else ()
    return tuple(entry.value('version') for entry in entries if entry.get('version') is not None)


def _age(day: str, now: datetime.datetime) -> float | None:
    """Days since an ISO date or time; None without one."""
    try:
        then = datetime.datetime.fromisoformat(day[:10]).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return max((now - then) / DAY, 0.0)


def _cache_file(repository: str, cache: Path) -> Path:
    return cache / f'{re.sub(r"[^a-z0-9.]+", "_", repository.lower())}.json'


def _cached(repository: str, cache: Path, now: datetime.datetime) -> Index | None:
    try:
        stored = json.loads(_cache_file(repository, cache).read_text(encoding='utf-8'))
        charts = {str(name): tuple(map(str, versions)) for name, versions in stored['charts'].items()}
        then = datetime.datetime.fromisoformat(stored['read'])
        return Index(repository, charts, 'cache', max((now - then) / DAY, 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # a cache that cannot be read is as good as none


def _fetched(repository: str, cache: Path, now: datetime.datetime) -> Index | None:
    """What the repository answers now; None when it does not."""
    # loaded only where somebody is asked, for HTTP and TLS take longer to load than most else
    import http.client
    import urllib.request

    request = urllib.request.Request(f'{repository.rstrip("/")}/index.yaml')
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            content = _read(answer, time.monotonic() + WHOLE_SECONDS)
    except (OSError, ValueError, http.client.HTTPException):  # URLError is an OSError
        return None
    index = parse_index(repository, content, 'network', now)
    if index is None:
        return None
    stored = {'read': now.isoformat(), 'charts': {name: list(versions) for name, versions in index.charts.items()}}
    with suppress(Problem):  # a cache that cannot be written costs time, nothing else
        files.write_atomic(_cache_file(repository, cache), json.dumps(stored).encode())
    return Index(repository, index.charts, 'network', 0.0)


def _read(answer: BinaryIO, until: float) -> bytes:
    """The answer, or TimeoutError: the limit of the connection begins anew with every byte."""
    parts: list[bytes] = []
    size = 0
    while size < MOST_BYTES and (part := answer.read(min(PIECE, MOST_BYTES - size))):
        size += len(part)
        parts.append(part)
        if time.monotonic() > until:
            raise TimeoutError(f'the answer took longer than {WHOLE_SECONDS} s')
    return b''.join(parts)


def _snapshot(repository: str, now: datetime.datetime) -> Index | None:
    found = KNOWN.get(repository.rstrip('/'))
    if found is None:
        return None
    day, charts = found
    return Index(repository, expand(charts), 'as scs-ci knows it', _age(day, now))


def expand(charts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Versions from their compact form."""
    return {
        name: tuple(f'{minor}.{patch}' for minor, runs in RUN.findall(text) for patch in _patches(runs))
        for name, text in charts.items()
    }


def _patches(runs: str) -> list[int]:
    bounds = [run.partition('-') for run in runs.split(',')]
    return [patch for low, _, high in bounds for patch in range(int(low), int(high or low) + 1)]


def compact(versions: Iterable[str]) -> str:
    """The compact form of releases, see known_indexes."""
    minors: dict[tuple[int, int], list[int]] = {}
    for match in filter(None, map(RELEASE.fullmatch, versions)):
        minors.setdefault((int(match[1]), int(match[2])), []).append(int(match[3]))
    return ' '.join(f'{a}.{b}:{_runs(sorted(patches))}' for (a, b), patches in sorted(minors.items()))


def _runs(patches: list[int]) -> str:
    runs: list[list[int]] = []
    for patch in patches:
        if runs and patch == runs[-1][1] + 1:
            runs[-1][1] = patch
        else:
            runs.append([patch, patch])
    return ','.join(str(low) if low == high else f'{low}-{high}' for low, high in runs)
