"""Where compiled modules are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scs_ci.core import bytecode

pytestmark = pytest.mark.unit


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.setattr(sys, 'pycache_prefix', None)


@pytest.mark.usefixtures('forbidden')
def test_it_goes_into_the_cache_where_none_may_lie_beside_sources(tmp_path: Path) -> None:
    bytecode.keep({'XDG_CACHE_HOME': str(tmp_path)})

    assert sys.pycache_prefix == str(tmp_path / 'scs-ci/bytecode')
    assert not sys.dont_write_bytecode
    assert (tmp_path / 'scs-ci/bytecode').stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures('forbidden')
def test_a_directory_where_others_write_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / 'scs-ci/bytecode'
    place.mkdir(parents=True)
    place.chmod(0o770)

    bytecode.keep({'XDG_CACHE_HOME': str(tmp_path)})

    assert sys.pycache_prefix is None
    assert sys.dont_write_bytecode


@pytest.mark.usefixtures('forbidden')
def test_a_cache_that_cannot_be_made_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')

    bytecode.keep({'XDG_CACHE_HOME': str(tmp_path / 'file')})

    assert sys.pycache_prefix is None


@pytest.mark.parametrize('forbids', [True, False])
def test_who_decided_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbids: bool) -> None:
    monkeypatch.setattr(sys, 'dont_write_bytecode', forbids)
    monkeypatch.setattr(sys, 'pycache_prefix', '/elsewhere' if forbids else None)

    bytecode.keep({'XDG_CACHE_HOME': str(tmp_path)})

    assert sys.pycache_prefix == ('/elsewhere' if forbids else None)
    assert not (tmp_path / 'scs-ci').exists()
