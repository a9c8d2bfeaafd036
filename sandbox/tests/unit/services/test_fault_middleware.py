"""Injected HTTP faults and the access log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from scs_sandbox.services.middleware import Middleware, Rules

pytestmark = pytest.mark.unit
Ask = Callable[[str, str], str]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served() -> list[str]:
    """Requests that reached the service."""
    return []


@pytest.fixture
def ask(tmp_path: Path, clock: Clock, served: list[str]) -> Ask:
    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        served.append(environ['PATH_INFO'])
        start('200 OK', [])
        return [b'fine']

    wrapped = Middleware(application, Rules('nova', tmp_path / 'faults.json', clock), tmp_path / 'access.log')

    def ask(method: str, path: str) -> str:
        seen: list[str] = []
        list(wrapped({'REQUEST_METHOD': method, 'PATH_INFO': path}, lambda status, *_: seen.append(status)))
        return seen[0]

    return ask


def rules(directory: Path, *wanted: dict[str, Any]) -> None:
    temporary = directory / 'new'
    temporary.write_text(json.dumps({'http': wanted}))
    temporary.rename(directory / 'faults.json')


def test_without_faults_everything_passes(ask: Ask) -> None:
    assert ask('GET', '/servers') == '200 OK'


def test_fault_hits_only_its_method_path_and_count(ask: Ask, tmp_path: Path) -> None:
    rules(tmp_path, {'service': 'nova', 'method': 'POST', 'path': '/servers$', 'status': 503, 'count': 2})
    assert ask('GET', '/servers') == '200 OK'
    assert ask('POST', '/servers/1/action') == '200 OK'
    assert [ask('POST', '/servers') for _ in range(3)] == [
        '503 Service Unavailable',
        '503 Service Unavailable',
        '200 OK',
    ]


def test_fault_of_another_service_does_not_hit(ask: Ask, tmp_path: Path) -> None:
    rules(tmp_path, {'service': 'neutron', 'status': 500})
    assert ask('GET', '/') == '200 OK'


def test_lost_answer_does_the_work(ask: Ask, tmp_path: Path, served: list[str]) -> None:
    rules(tmp_path, {'status': 504, 'after': True, 'count': 1})
    assert ask('POST', '/servers') == '504 Gateway Timeout'
    assert served == ['/servers']


def test_refused_request_does_not_reach_the_service(ask: Ask, tmp_path: Path, served: list[str]) -> None:
    rules(tmp_path, {'status': 503})
    ask('POST', '/servers')
    assert served == []


def test_rate_lets_some_through(ask: Ask, tmp_path: Path, clock: Clock) -> None:
    rules(tmp_path, {'rate': [2, 1.0], 'status': 429})
    assert [ask('GET', '/')[:3] for _ in range(3)] == ['200', '200', '429']
    clock.now = 1.5
    assert ask('GET', '/') == '200 OK'


def test_cleared_faults_end(ask: Ask, tmp_path: Path) -> None:
    rules(tmp_path, {'status': 500})
    assert ask('GET', '/')[:3] == '500'
    (tmp_path / 'faults.json').unlink()
    assert ask('GET', '/') == '200 OK'


def test_access_log_says_what_was_answered(ask: Ask, tmp_path: Path) -> None:
    rules(tmp_path, {'status': 503, 'count': 1})
    ask('POST', '/servers')
    ask('GET', '/flavors')
    lines = [line.split()[1:4] for line in (tmp_path / 'access.log').read_text().splitlines()]
    assert lines == [['POST', '/servers', '503'], ['GET', '/flavors', '200']]
