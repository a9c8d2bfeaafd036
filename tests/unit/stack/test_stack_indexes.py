"""Indexes of chart repositories: where they come from, and that nobody is asked without need."""

from __future__ import annotations

import datetime
import io
import json
import os
import urllib.request
from pathlib import Path

import pytest

from scs_ci.stack import indexes
from scs_ci.stack.indexes import IndexSource, compact, expand, parse_index
from scs_ci.stack.known_indexes import KNOWN
from scs_ci.stack.model import Stack
from scs_ci.stack.rule import Example, example_stack

pytestmark = pytest.mark.unit
NOW = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
REPOSITORY = 'https://charts.example/stable'
INDEX = (
    b'apiVersion: v1\ngenerated: "2026-11-20T10:00:00Z"\nentries:\n'
    b'  demo:\n  - {name: demo, version: 1.2.3}\n  - {name: demo, version: 1.2.5}\n'
)
SHARED = Path(os.environ.get('SCS_CI_TESTDATA') or Path(__file__).resolve().parents[4] / 'shared/testdata')


def stack(version: str, repository: str = REPOSITORY) -> Stack:
    text = f'apiVersion: v2\ndependencies:\n- {{name: demo, version: {version}, repository: "{repository}"}}\n'
    return example_stack(Example({'cluster-addon/cni/Chart.yaml': text}))


class Answer:
    """Stands for the repository: counts how often it is asked."""

    def __init__(self, content: bytes | None) -> None:
        self.content, self.asked = content, 0

    def __call__(self, request: urllib.request.Request, timeout: float) -> Answer:
        self.asked += 1
        if self.content is None:
            raise OSError('no route to host')
        assert request.full_url == f'{REPOSITORY}/index.yaml'
        self.rest = io.BytesIO(self.content)
        return self

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, most: int) -> bytes:
        return self.rest.read(most)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    found = Answer(INDEX)
    monkeypatch.setattr(urllib.request, 'urlopen', found)
    return found


def test_the_network_is_asked_once_and_only_for_what_is_not_known(answer: Answer, tmp_path: Path) -> None:
    first = indexes.indexes([stack('1.2.3')], IndexSource(tmp_path), NOW)
    later = NOW + datetime.timedelta(days=30)
    known = indexes.indexes([stack('1.2.5')], IndexSource(tmp_path), later)

    assert answer.asked == 1
    assert (first[REPOSITORY].source, first[REPOSITORY].age) == ('network', 0.0)
    assert (known[REPOSITORY].source, known[REPOSITORY].age) == ('cache', 30.0)
    indexes.indexes([stack('1.2.4')], IndexSource(tmp_path), later)
    assert answer.asked == 2


def test_offline_and_broken_answers_leave_what_is_known(answer: Answer, tmp_path: Path) -> None:
    assert indexes.indexes([stack('1.2.3')], IndexSource(tmp_path, offline=True), NOW) == {}
    assert answer.asked == 0
    for broken in (None, b'<html>', b'\x00', b'entries: []', b'[' * 100_000):
        answer.content = broken
        assert indexes.indexes([stack('1.2.3')], IndexSource(tmp_path), NOW) == {}
    (tmp_path / 'https_charts.example_stable.json').write_text('{"charts": 3}')
    assert indexes.indexes([stack('1.2.3')], IndexSource(tmp_path, offline=True), NOW) == {}


def test_a_repository_that_answers_byte_by_byte_is_given_up(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(indexes, 'WHOLE_SECONDS', -1.0)

    assert indexes.indexes([stack('1.2.3')], IndexSource(tmp_path), NOW) == {}
    assert answer.asked == 1


@pytest.mark.parametrize('name', ['charts.example/stable/index.yaml', 'charts.example_stable.yaml'])
def test_files_replace_the_network(answer: Answer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(INDEX)

    found = indexes.indexes([stack('1.2.4')], IndexSource(tmp_path, tmp_path), NOW)

    assert found[REPOSITORY].charts == {'demo': ('1.2.3', '1.2.5')}
    assert found[REPOSITORY].age == 7.0
    assert answer.asked == 0


def test_compact_forms_are_taken_apart_again() -> None:
    versions = ['1.18.0', '1.18.1', '1.18.2', '1.18.5', '1.9.7', '2.0.0']

    assert compact([*versions, '2.0.0-rc.1']) == '1.9:7 1.18:0-2,5 2.0:0'
    assert sorted(expand({'x': compact(versions)})['x']) == sorted(versions)


@pytest.mark.skipif(not (SHARED / 'charts').is_dir(), reason='the public indexes are not here: set SCS_CI_TESTDATA')
@pytest.mark.parametrize('repository', KNOWN)
def test_the_known_versions_are_those_of_the_real_indexes(repository: str) -> None:
    day, charts = KNOWN[repository]
    file = SHARED / 'charts/upstream-index' / f'{repository.removeprefix("https://").replace("/", "_")}.yaml'

    index = parse_index(repository, file.read_bytes(), 'a file', NOW)

    assert index is not None
    assert {name: compact(index.charts[name]) for name in charts} == dict(charts)
    assert json.dumps(day)[1:-1] in file.read_text()
