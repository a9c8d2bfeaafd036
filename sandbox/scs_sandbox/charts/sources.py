"""Where the mirror takes its answers from: a directory `<host>/<path>`, or the real hosts with a cache on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

# Chart archives are a few hundred kB; the largest index files of public repositories have 20 MB.
SIZE_LIMIT = 256 * 2**20  # bytes
FETCH_SECONDS = 60.0  # an index of 20 MB over a slow line; helm itself gives up after 120 s
# An index changes when a chart is released, an archive never does.
INDEX_SECONDS = 3600.0
IMMUTABLE = ('.tgz', '.tar.gz', '.prov')
# Registries that speak OCI need these; everything else of a request is the client's own business.
FORWARDED = ('accept', 'authorization')
RETURNED = ('content-type', 'docker-content-digest', 'location', 'www-authenticate')


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. origin: mirror, cache, upstream, stale (cached, upstream did not answer) or none."""

    status: int
    body: bytes
    origin: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Something that answers for hosts."""

    def refusal(self, host: str) -> str:
        """Why this source does not answer for a host; empty when it does."""
        ...

    def get(self, host: str, target: str, headers: Mapping[str, str]) -> Answer:
        """The answer for a path with query of a host."""
        ...


class Directory:
    """Files below a directory: `<directory>/<host>/<path>`. Nothing leaves the machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    def refusal(self, host: str) -> str:
        """A host without a folder of its name is not mirrored."""
        return '' if (self.directory / host).is_dir() else f'{host} is not mirrored: no folder {self.directory / host}'

    def get(self, host: str, target: str, headers: Mapping[str, str]) -> Answer:
        """The file, or 404 with a text that names it."""
        base = self.directory / host
        file = (base / unquote(target.partition('?')[0]).lstrip('/')).resolve()
        if base in file.parents and file.is_file():
            return Answer(200, file.read_bytes(), 'mirror')
        return Answer(404, f'the chart mirror has no file {base}{target}\n'.encode(), 'none')


class Upstream:
    """The real hosts, asked at most once per chart archive and once an hour per index.

    fetch: gets (url, headers) over the network; raises OSError when there is no answer. clock: seconds since the epoch.
    """

    def __init__(
        self,
        cache: Path,
        fetch: Callable[[str, Mapping[str, str]], Answer] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cache = cache
        self.fetch = fetch or fetch_url
        self.clock = clock

    def refusal(self, host: str) -> str:
        """Any host may be asked."""
        return ''

    def get(self, host: str, target: str, headers: Mapping[str, str]) -> Answer:
        """From the cache while it is fresh, else from the host, else a stale copy, else 502 with the reason."""
        url = f'https://{host}{target}'
        wanted = {name: value for name, value in headers.items() if name.lower() in FORWARDED}
        file = self.cache / host / _file_name(target)
        # What needs credentials or speaks OCI depends on more than its address.
        cachable = not any(name.lower() == 'authorization' for name in wanted) and not target.startswith('/v2/')
        if cachable and self._fresh(file, target):
            return Answer(200, file.read_bytes(), 'cache')
        try:
            answer = self.fetch(url, wanted)
        except OSError as error:
            if cachable and file.is_file():
                return Answer(200, file.read_bytes(), 'stale')
            text = f'the chart mirror cannot fetch {url}: {error}\n  next: give a directory with charts (CHARTS=PATH)\n'
            return Answer(502, text.encode(), 'none')
        if cachable and answer.status == 200:
            _store(file, answer.body)
        return answer

    def _fresh(self, file: Path, target: str) -> bool:
        if not file.is_file():
            return False
        return target.partition('?')[0].endswith(IMMUTABLE) or self.clock() - file.stat().st_mtime < INDEX_SECONDS


def _file_name(target: str) -> str:
    path, _, query = target.partition('?')
    name = path.lstrip('/').replace('/', '_')[-100:]
    return f'{hashlib.sha256(f"{path}?{query}".encode()).hexdigest()[:16]}-{name}'


def _store(file: Path, body: bytes) -> None:
    """By rename, as several sandboxes share the cache."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f'.{file.name}.', dir=file.parent)
    with os.fdopen(descriptor, 'wb') as opened:
        opened.write(body)
    Path(temporary).replace(file)


class _KeepRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects with credentials are the client's to follow: they must not reach another host."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if req.has_header('Authorization'):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_url(url: str, headers: Mapping[str, str]) -> Answer:
    """GET over the network of this process, by its proxy settings. Raises OSError when nobody answers."""
    opener = urllib.request.build_opener(_KeepRedirect())
    try:
        with opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=FETCH_SECONDS) as response:
            return _answer(response.status, response.read(SIZE_LIMIT + 1), dict(response.headers.items()))
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.read(SIZE_LIMIT + 1), dict(error.headers.items()))


def _answer(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    if len(body) > SIZE_LIMIT:
        raise OSError(f'answer larger than {SIZE_LIMIT // 2**20} MiB')
    kept = {name: value for name, value in headers.items() if name.lower() in RETURNED}
    return Answer(status, body, 'upstream', kept)
