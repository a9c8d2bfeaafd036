"""Volumes go from server to server with their content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scs_sandbox.agent.volumes import FACTS, Volumes
from scs_sandbox.errors import SandboxError

pytestmark = pytest.mark.unit

ONE, TWO, VOLUME = (f'00000000-0000-4000-8000-00000000000{number}' for number in (1, 2, 9))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for server in (ONE, TWO):
        (tmp_path / 'servers' / server / 'volumes').mkdir(parents=True)
    return tmp_path


def test_the_content_stays_on_the_way_to_another_server(state: Path) -> None:
    volumes = Volumes(state)
    assert volumes.attach(ONE, VOLUME, {'size_gb': 3, 'device': '/dev/vdb'})
    here, there = (state / 'servers' / server / 'volumes' / VOLUME for server in (ONE, TWO))
    assert json.loads((here / FACTS).read_text()) == {'id': VOLUME, 'size_gb': 3, 'device': '/dev/vdb'}
    (here / 'data').write_text('kept')
    link = here.parent / f'virtio-{VOLUME[:20]}'
    assert (link / 'data').read_text() == 'kept', 'as KVM names its disk'
    assert volumes.detach(VOLUME)
    assert list(here.parent.iterdir()) == []
    volumes.attach(TWO, VOLUME, {'size_gb': 4})
    assert (there / 'data').read_text() == 'kept'
    assert json.loads((there / FACTS).read_text())['size_gb'] == 4


def test_repeating_changes_nothing(state: Path) -> None:
    volumes = Volumes(state)
    assert volumes.detach(VOLUME) == []
    volumes.attach(ONE, VOLUME, {})
    link = state / 'servers' / ONE / 'volumes' / f'virtio-{VOLUME[:20]}'
    link.unlink()
    assert volumes.attach(ONE, VOLUME, {}) == []
    assert link.is_symlink(), 'it is made up for'
    volumes.detach(VOLUME)
    assert volumes.detach(VOLUME) == []
    assert volumes.delete(VOLUME) == [f'volume {VOLUME}']
    assert volumes.delete(VOLUME) == []


def test_a_volume_is_in_one_server_and_cannot_be_deleted_there(state: Path) -> None:
    volumes = Volumes(state)
    volumes.attach(ONE, VOLUME, {})
    with pytest.raises(SandboxError, match=f'attached to server {ONE}'):
        volumes.attach(TWO, VOLUME, {})
    with pytest.raises(SandboxError, match=f'cannot delete volume {VOLUME}'):
        volumes.delete(VOLUME)
    assert volumes.release(ONE) == [f'volume {VOLUME} detached from server {ONE}']
    assert (state / 'volumes' / VOLUME).is_dir()
    assert volumes.release(ONE) == []


def test_unknown_servers_and_ids_are_refused(state: Path) -> None:
    volumes = Volumes(state)
    with pytest.raises(SandboxError, match='has no disk'):
        volumes.attach(VOLUME, VOLUME, {})
    with pytest.raises(SandboxError, match='not an id'):
        volumes.delete('../servers')
