"""The mirror of registries: what is asked for, directories with OCI layouts, and the cache before a registry."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scs_sandbox.registries.layouts import Layouts
from scs_sandbox.registries.model import MANIFEST_TYPE, Answer, Request, parse
from scs_sandbox.registries.upstream import Upstream, address

pytestmark = pytest.mark.unit

LAYER = b'layer' * 1000
LAYER_DIGEST = f'sha256:{hashlib.sha256(LAYER).hexdigest()}'
INDEX_TYPE = 'application/vnd.oci.image.index.v1+json'
MANIFEST = json.dumps({'schemaVersion': 2, 'mediaType': MANIFEST_TYPE, 'layers': [{'digest': LAYER_DIGEST}]}).encode()
MANIFEST_DIGEST = f'sha256:{hashlib.sha256(MANIFEST).hexdigest()}'
NONE = f'sha256:{"0" * 64}'


def body(answer: Answer) -> bytes:
    return answer.content if isinstance(answer.content, bytes) else answer.content.read_bytes()


def asked(kind: str, reference: str, registry: str = 'ghcr.io') -> Request:
    return Request(registry, 'a/b', kind, reference)


@pytest.mark.parametrize(
    ('target', 'request_'),
    [
        ('/v2/a/b/manifests/v1.0?ns=ghcr.io', asked('manifests', 'v1.0')),
        (f'/v2/a/b/blobs/{NONE}?ns=localhost:5000', asked('blobs', NONE, 'localhost:5000')),
        ('/v2/a/b/blobs/v1.0?ns=ghcr.io', None),  # blobs have no tags
        ('/v2/a/b/manifests/v1.0', None),
        ('/v2/a/../b/manifests/v1.0?ns=ghcr.io', None),
        ('/v2/a/b/manifests/..?ns=ghcr.io', None),
        ('/v2/a/b/manifests/v1?ns=../../etc', None),
        ('/v2/a/b/manifests/v1?ns=..', None),
        ('/v2//b/manifests/v1?ns=ghcr.io', None),
        ('/v2/a/b/tags/list?ns=ghcr.io', None),
    ],
)
def test_only_pulls_with_a_registry_are_understood(target: str, request_: Request | None) -> None:
    assert parse(target) == request_


@pytest.fixture
def layouts(tmp_path: Path) -> Layouts:
    layout = tmp_path / 'ghcr.io/a/b'
    (layout / 'blobs/sha256').mkdir(parents=True)
    for content in (LAYER, MANIFEST):
        (layout / 'blobs/sha256' / hashlib.sha256(content).hexdigest()).write_bytes(content)
    tag = {'org.opencontainers.image.ref.name': 'v1'}
    whole = {'org.opencontainers.image.ref.name': 'ghcr.io/a/b:v2'}
    entries = [{'digest': MANIFEST_DIGEST, 'mediaType': MANIFEST_TYPE, 'annotations': names} for names in (tag, whole)]
    (layout / 'index.json').write_text(json.dumps({'manifests': [*entries, {'digest': NONE}]}))
    return Layouts(tmp_path)


@pytest.mark.parametrize('reference', ['v1', 'v2', MANIFEST_DIGEST])
def test_a_layout_has_its_image_by_tag_and_digest(layouts: Layouts, reference: str) -> None:
    answer = layouts.get(asked('manifests', reference))
    assert (answer.status, body(answer)) == (200, MANIFEST)
    assert answer.headers == {'Content-Type': MANIFEST_TYPE, 'Docker-Content-Digest': MANIFEST_DIGEST}
    assert body(layouts.get(asked('blobs', LAYER_DIGEST))) == LAYER


@pytest.mark.parametrize(
    ('request_', 'words'),
    [
        (asked('manifests', 'v3'), 'index.json has no v3'),
        (asked('blobs', NONE), f'has no {NONE}'),
        (asked('manifests', 'v1', 'quay.io'), 'no directory'),
    ],
)
def test_what_a_layout_lacks_is_named(layouts: Layouts, request_: Request, words: str) -> None:
    answer = layouts.get(request_)
    assert answer.status == 404
    assert words in json.loads(body(answer))['errors'][0]['message']


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"manifests": 3}', '{"manifests": [3]}', '\0'])
def test_a_broken_layout_is_an_error_and_not_a_missing_image(layouts: Layouts, text: str) -> None:
    (layouts.directory / 'ghcr.io/a/b/index.json').write_text(text)
    answer = layouts.get(asked('manifests', 'v1'))
    assert answer.status == 500
    assert 'is no index of an OCI layout' in json.loads(body(answer))['errors'][0]['message']


class Registry(http.server.ThreadingHTTPServer):
    """A small registry: manifests for a token, blobs from another place that wants none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Answers)
        self.seen: list[tuple[str, str]] = []
        self.layer = LAYER

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_address[1]}'


class Answers(http.server.BaseHTTPRequestHandler):
    server: Registry

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, 'Content_Length': str(len(content))}.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        token = self.headers.get('Authorization', '')
        self.server.seen.append((self.path, token))
        if self.path.startswith('/token?'):
            self.answer(200, json.dumps({'token': 'secret'}).encode())
        elif self.path.startswith('/storage/'):
            self.answer(200 if not token else 400, self.server.layer)
        elif token != 'Bearer secret':
            realm = f'Bearer realm="{self.server.url}/token",service="here",scope="repository:a/b:pull"'
            self.answer(401, b'', WWW_Authenticate=realm)
        elif '/blobs/' in self.path:
            self.answer(307, b'', Location=f'{self.server.url}/storage/{self.path.rpartition("/")[2]}')
        elif self.path.endswith(('/v1', MANIFEST_DIGEST)):
            self.answer(200, MANIFEST, Content_Type=INDEX_TYPE)
        else:
            self.answer(404, b'{}')


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_registry_is_asked_with_a_token_and_each_blob_once(registry: Registry, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path, lambda name: registry.url)
    for origin in ('upstream', 'cache'):
        manifest, layer = upstream.get(asked('manifests', MANIFEST_DIGEST)), upstream.get(asked('blobs', LAYER_DIGEST))
        assert (manifest.origin, layer.origin) == (origin, origin)
        assert (body(manifest), body(layer)) == (MANIFEST, LAYER)
        assert manifest.headers == {'Content-Type': INDEX_TYPE, 'Docker-Content-Digest': MANIFEST_DIGEST}
    paths = [path for path, _ in registry.seen]
    assert paths.count(f'/storage/{LAYER_DIGEST}') == 1
    assert [path for path in paths if path.startswith('/token')] == [
        '/token?service=here&scope=repository%3Aa%2Fb%3Apull'
    ]


def test_a_tag_is_asked_for_each_time_until_nobody_answers(registry: Registry, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path, lambda name: registry.url)
    assert [upstream.get(asked('manifests', 'v1')).origin for _ in range(2)] == ['upstream', 'upstream']
    away = Upstream(tmp_path, lambda name: 'http://127.0.0.1:1')
    stale = away.get(asked('manifests', 'v1'))
    assert (stale.origin, body(stale)) == ('stale', MANIFEST)
    gone = away.get(asked('manifests', 'v2'))
    assert gone.status == 502
    assert 'ghcr.io/a/b:v2: the mirror of the lab cannot reach the registry' in body(gone).decode()


def test_what_a_registry_refuses_is_told(registry: Registry, tmp_path: Path) -> None:
    answer = Upstream(tmp_path, lambda name: registry.url).get(asked('manifests', 'v3'))
    assert answer.status == 404
    assert 'ghcr.io/a/b:v3: the registry answered 404' in body(answer).decode()


def test_a_blob_that_is_not_what_was_asked_for_is_not_kept(registry: Registry, tmp_path: Path) -> None:
    registry.layer = b'something else'
    answer = Upstream(tmp_path, lambda name: registry.url).get(asked('blobs', LAYER_DIGEST))
    assert answer.status == 502
    assert 'the answer has the digest sha256:' in body(answer).decode()
    assert list(tmp_path.iterdir()) == []


def test_docker_hub_answers_elsewhere() -> None:
    assert address('docker.io') == 'https://registry-1.docker.io'
    assert address('quay.io') == 'https://quay.io'
