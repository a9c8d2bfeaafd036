"""Images of the real registries, each blob fetched once; without credentials, as a node of a cluster pulls them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .model import BLOB, DIGEST, MANIFEST_TYPE, Answer, Request, error, found

SECONDS = 60.0  # of silence; kubelet gives a pull up after a minute without progress
CHUNK = 2**20  # bytes
MANIFEST_LIMIT = 4 * 2**20  # bytes, as registries have it
DOCKER = 'docker.io'
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


def address(registry: str) -> str:
    """Where a registry answers; Docker's is not where its name says."""
    return f'https://{"registry-1.docker.io" if registry == DOCKER else registry}'


class Upstream:
    """Registries behind a cache (a directory, may be shared). Tags are asked for each time; while a registry does not
    answer, what they were last is good enough.
    """

    def __init__(self, cache: Path, where: Callable[[str], str] = address) -> None:
        self.cache = cache
        self._where = where
        self._tokens: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def get(self, request: Request) -> Answer:
        """From the cache by digest, else from the registry; 502 with the reason when it does not answer."""
        if DIGEST.fullmatch(request.reference) and self._blob(request.reference).is_file():
            return self._cached(request, request.reference, 'cache')
        try:
            return self._fetched(request)
        except urllib.error.HTTPError as problem:
            with problem:
                return error(
                    problem.code, 'UNKNOWN', f'{request}: the registry answered {problem.code} {problem.reason}'
                )
        except OSError as problem:
            last = self._tag(request)
            if last.is_file():
                return self._cached(request, last.read_text(), 'stale')
            reason = getattr(problem, 'reason', problem)
            return error(502, 'UNAVAILABLE', f'{request}: the mirror of the lab cannot reach the registry: {reason}')

    def _cached(self, request: Request, digest: str, origin: str) -> Answer:
        file = self._blob(digest)
        if request.kind == BLOB:
            return found(request, file, origin, digest, '')
        kind = file.with_suffix('.type')
        return found(request, file, origin, digest, kind.read_text() if kind.is_file() else MANIFEST_TYPE)

    def _fetched(self, request: Request) -> Answer:
        url = f'{self._where(request.registry)}/v2/{request.name}/{request.kind}/{request.reference}'
        with self._ask(request, url) as response:
            kind = response.headers.get('Content-Type', MANIFEST_TYPE)
            digest = self._store(response, 0 if request.kind == BLOB else MANIFEST_LIMIT, request.reference)
        if request.kind != BLOB:
            _write(self._blob(digest).with_suffix('.type'), kind)
            if digest != request.reference:
                _write(self._tag(request), digest)
        return self._cached(request, digest, 'upstream')

    def _ask(self, request: Request, url: str) -> Any:
        """The open response; a token is fetched once a registry asks for one. Raises OSError."""
        key = (request.registry, request.name)
        try:
            return _open(url, request.accept, self._tokens.get(key, ''))
        except urllib.error.HTTPError as problem:
            if problem.code != 401:
                raise
            with problem:
                challenge = problem.headers.get('WWW-Authenticate', '')
            token = _token(challenge)
            if not token:
                raise
        with self._lock:
            self._tokens[key] = token
        return _open(url, request.accept, token)

    def _store(self, response: Any, limit: int, reference: str) -> str:
        """Write the body into the cache and return its digest. Raises OSError if it is not what was asked for."""
        self.cache.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        descriptor, temporary = tempfile.mkstemp(prefix='.incoming.', dir=self.cache)
        try:
            with os.fdopen(descriptor, 'wb') as opened:
                while part := response.read(CHUNK):
                    size += len(part)
                    if limit and size > limit:
                        raise OSError(f'manifest larger than {limit // 2**20} MiB')
                    digest.update(part)
                    opened.write(part)
            name = f'sha256:{digest.hexdigest()}'
            if DIGEST.fullmatch(reference) and name != reference:
                raise OSError(f'the answer has the digest {name}')
            Path(temporary).replace(self._blob(name))
        finally:
            Path(temporary).unlink(missing_ok=True)
        return name

    def _blob(self, digest: str) -> Path:
        return self.cache / digest.removeprefix('sha256:')

    def _tag(self, request: Request) -> Path:
        return self.cache / f'{hashlib.sha256(str(request).encode()).hexdigest()}.tag'


def _open(url: str, accept: str, token: str) -> Any:
    """The response to a GET by this process's proxy settings. Raises OSError, HTTPError among them."""
    asked = urllib.request.Request(url, headers={'Accept': accept})
    if token:
        # not to where a blob is redirected to: storage refuses a second kind of authorization, and must not see ours
        asked.add_unredirected_header('Authorization', f'Bearer {token}')
    return urllib.request.urlopen(asked, timeout=SECONDS)


def _token(challenge: str) -> str:
    """A token for nobody in particular; '' if the registry wants more than that. Raises OSError.

    Source: https://distribution.github.io/distribution/spec/auth/token/
    """
    kind, _, rest = challenge.partition(' ')
    told = dict(CHALLENGE.findall(rest))
    if kind.lower() != 'bearer' or not told.get('realm', '').startswith(('https://', 'http://')):
        return ''
    query = urlencode({name: told[name] for name in ('service', 'scope') if name in told})
    with urllib.request.urlopen(f'{told["realm"]}?{query}', timeout=SECONDS) as response:
        try:
            answer: Mapping[str, Any] = json.loads(response.read(MANIFEST_LIMIT))
            return str(answer.get('token') or answer.get('access_token') or '')
        except (ValueError, AttributeError) as problem:
            raise OSError(f'{told["realm"]} gave no token: {problem}') from problem


def _write(path: Path, text: str) -> None:
    """By rename: several sandboxes share the cache."""
    descriptor, temporary = tempfile.mkstemp(prefix='.incoming.', dir=path.parent)
    with os.fdopen(descriptor, 'w') as opened:
        opened.write(text)
    Path(temporary).replace(path)
