"""Faults are checked before any service sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scs_sandbox import faults
from scs_sandbox.errors import SandboxError
from scs_sandbox.services import environment

pytestmark = pytest.mark.unit
GOOD = {
    'nova': {'spawn_error': '^bad', 'spawn_reschedule': 1, 'hosts': {'compute-b': {'spawn_error': ''}}},
    'cinder': {'create_error': 'x', 'capacity_gb': 10},
    'octavia': {'delay': 2.5},
    'http': [
        {
            'service': 'nova',
            'method': 'POST',
            'path': '/servers$',
            'status': 503,
            'count': 2,
            'headers': {'Retry-After': '1'},
        }
    ],
}


def test_good_faults_have_no_problems() -> None:
    assert faults.problems(GOOD) == []


@pytest.mark.parametrize(
    ('document', 'word'),
    [
        ([], 'no JSON object'),
        ({'novva': {}}, 'novva'),
        ({'nova': {'spawn_errorr': 'x'}}, 'spawn_errorr'),
        ({'nova': {'spawn_error': '('}}, 'regular expression'),
        ({'nova': {'hosts': {'a': {'nothing': 1}}}}, 'nova.hosts.a.nothing'),
        ({'http': {}}, 'no list'),
        ({'http': [{'path': 'x'}]}, 'does nothing'),
        ({'http': [{'status': 999}]}, '999'),
        ({'http': [{'status': 429, 'rate': [1]}]}, 'rate'),
    ],
)
def test_wrong_faults_are_named(document: object, word: str) -> None:
    assert word in '; '.join(faults.problems(document))


def test_no_json_is_refused_with_its_source() -> None:
    with pytest.raises(SandboxError, match='my.json'):
        faults.load('{', 'my.json')


def test_written_faults_are_those_that_services_read(tmp_path: Path) -> None:
    faults.write(tmp_path, faults.load(json.dumps(GOOD), 'test'))
    assert (tmp_path / 'faults.json').stat().st_mode & 0o777 == 0o600
    assert environment.faults('nova', 'compute-a', tmp_path / 'faults.json')['spawn_error'] == '^bad'
    assert environment.faults('nova', 'compute-b', tmp_path / 'faults.json')['spawn_error'] == ''
    assert faults.clear(tmp_path)
    assert not faults.clear(tmp_path)
    assert environment.faults('nova', 'compute-a', tmp_path / 'faults.json') == {}


def test_empty_pattern_hits_nothing() -> None:
    assert environment.hits('^bad', 'bad1')
    assert not environment.hits('', 'bad1')
    assert not environment.hits(None, 'bad1')
