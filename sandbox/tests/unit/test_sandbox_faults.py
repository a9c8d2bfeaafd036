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


def test_a_host_goes_down_and_up_beside_other_faults() -> None:
    down = faults.with_host(GOOD, 'compute-b', down=True)
    assert down['nova']['hosts'] == {'compute-b': {'spawn_error': '', 'down': True}}
    assert faults.problems(down) == []
    assert faults.with_host(down, 'compute-b', down=False) == GOOD
    assert faults.with_host(faults.with_host({}, 'compute-a', down=True), 'compute-a', down=False) == {}
    with pytest.raises(SandboxError, match='compute-a, compute-b, compute-c'):
        faults.with_host({}, 'compute-z', down=True)


def test_only_hosts_can_be_down() -> None:
    assert faults.problems({'nova': {'down': True}}) != []
    assert faults.problems({'nova': {'hosts': {'compute-a': {'down': 'yes'}}}}) != []


def test_the_wait_for_a_host_ends(tmp_path: Path) -> None:
    (tmp_path / 'hosts').mkdir()
    (tmp_path / 'hosts' / 'RegionOne.json').write_text('{"compute-b": []}')
    faults.await_host(tmp_path, ['RegionOne'], 'compute-b', down=True)
    with pytest.raises(SandboxError, match='host compute-b of RegionTwo'):
        faults.await_host(tmp_path, ['RegionOne', 'RegionTwo'], 'compute-b', down=True, seconds=0.0)
