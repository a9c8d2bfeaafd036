"""Where the mirror's answers come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scs_sandbox.charts.sources import INDEX_SECONDS, Answer, Directory, Upstream

pytestmark = pytest.mark.unit


class Web:
    """Upstream that counts; `answer` None means that nobody answers."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((url, dict(headers)))
        if self.answer is None:
            raise ConnectionRefusedError('connection refused')
        return self.answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def upstream(path: Path, web: Web, clock: Clock | None = None) -> Upstream:
    return Upstream(path, web, clock or Clock())


def found(body: bytes) -> Answer:
    return Answer(200, body, 'upstream', {'Content-Type': 'application/gzip'})


def test_directory_answers_for_its_hosts_only(tmp_path: Path) -> None:
    (tmp_path / 'charts.example' / 'stable').mkdir(parents=True)
    (tmp_path / 'charts.example' / 'stable' / 'a b.tgz').write_bytes(b'archive')
    (tmp_path / 'secret').write_bytes(b'secret')
    source = Directory(tmp_path)
    assert source.refusal('charts.example') == ''
    assert 'other.example is not mirrored' in source.refusal('other.example')
    assert source.get('charts.example', '/stable/a%20b.tgz?x=1', {}) == Answer(200, b'archive', 'mirror')


@pytest.mark.parametrize('target', ['/../secret', '/%2e%2e/secret', '/', '/stable', '/none.tgz'])
def test_directory_never_leaves_the_host(tmp_path: Path, target: str) -> None:
    (tmp_path / 'charts.example' / 'stable').mkdir(parents=True)
    (tmp_path / 'secret').write_bytes(b'secret')
    answer = Directory(tmp_path).get('charts.example', target, {})
    assert answer.status == 404
    assert b'secret' not in answer.body.replace(b'/secret', b'')


def test_archive_is_fetched_once_for_ever(tmp_path: Path) -> None:
    web, clock = Web(found(b'chart')), Clock()
    first = upstream(tmp_path, web, clock).get('charts.example', '/c-1.0.0.tgz', {'User-Agent': 'Helm'})
    clock.now = 1e12
    second = upstream(tmp_path, web, clock).get('charts.example', '/c-1.0.0.tgz', {})
    assert (first.body, first.origin, second.body, second.origin) == (b'chart', 'upstream', b'chart', 'cache')
    assert web.asked == [('https://charts.example/c-1.0.0.tgz', {})]


def test_index_is_asked_again_after_an_hour_and_kept_when_upstream_is_away(tmp_path: Path) -> None:
    web, clock = Web(found(b'old')), Clock()
    source = upstream(tmp_path, web, clock)
    source.get('charts.example', '/index.yaml', {})
    stored = next(tmp_path.rglob('*index.yaml')).stat().st_mtime
    clock.now = stored + INDEX_SECONDS - 1
    assert source.get('charts.example', '/index.yaml', {}).origin == 'cache'
    clock.now = stored + INDEX_SECONDS + 1
    web.answer = None
    assert source.get('charts.example', '/index.yaml', {}) == Answer(200, b'old', 'stale')
    web.answer = found(b'new')
    assert source.get('charts.example', '/index.yaml', {}).body == b'new'


def test_no_answer_names_the_address_and_the_cure(tmp_path: Path) -> None:
    answer = upstream(tmp_path, Web(None)).get('charts.example', '/c.tgz', {})
    assert answer.status == 502
    text = answer.body.decode()
    assert 'https://charts.example/c.tgz' in text
    assert 'connection refused' in text
    assert 'next: give a directory' in text


def test_failures_are_not_cached(tmp_path: Path) -> None:
    web = Web(Answer(404, b'no such chart', 'upstream'))
    source = upstream(tmp_path, web)
    assert source.get('charts.example', '/c.tgz', {}).status == 404
    web.answer = found(b'now')
    assert source.get('charts.example', '/c.tgz', {}).body == b'now'


def test_credentials_and_registries_are_passed_on_and_never_cached(tmp_path: Path) -> None:
    web = Web(found(b'manifest'))
    source = upstream(tmp_path, web)
    for target, headers in (('/c.tgz', {'Authorization': 'Bearer t'}), ('/v2/x/manifests/1', {'Accept': 'a'})):
        assert source.get('registry.example', target, headers).origin == 'upstream'
        assert source.get('registry.example', target, headers).origin == 'upstream'
        assert web.asked[-1][1] == headers
    assert not list(tmp_path.rglob('*'))


def test_queries_and_paths_do_not_collide(tmp_path: Path) -> None:
    source = Upstream(tmp_path, lambda url, _headers: found(url.encode()), Clock())
    targets = ['/a/b.tgz', '/a_b.tgz', '/b.tgz?a=1', '/b.tgz?a=2']
    for _ in range(2):
        assert {source.get('h.example', target, {}).body.decode() for target in targets} == {
            f'https://h.example{target}' for target in targets
        }
