"""Emptying a cluster before its deletion: what the cloud holds for it goes first, and a dead API stops nobody."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.core.clock import SystemClock
from scs_ci.core.errors import ToolProblem
from scs_ci.deploy.emptying import empty

pytestmark = pytest.mark.unit


def item(name: str, **spec: Any) -> dict[str, Any]:
    return {'metadata': {'name': name, 'namespace': 'n'}, 'spec': spec}


class Inside:
    """A cluster whose objects go when deleted, a volume with its claim, save those that stick."""

    def __init__(self, sticky: str = '', dead: bool = False) -> None:
        self.sticky, self.dead = sticky, dead
        self.deleted: list[str] = []
        self.objects = {
            'Service': [item('web', type='LoadBalancer'), item('inner', type='ClusterIP')],
            'PersistentVolumeClaim': [item('data')],
            'PersistentVolume': [item('pv', persistentVolumeReclaimPolicy='Delete'), item('kept')],
        }

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        if self.dead:
            raise ToolProblem('cannot list', kind, 'connection refused')
        return [{'kind': kind, **obj} for obj in self.objects[kind]]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> None:
        self.deleted.append(f'{kind} {namespace}/{name}')
        if name != self.sticky:
            self.objects[kind] = [o for o in self.objects[kind] if o['metadata']['name'] != name]
        if kind == 'PersistentVolumeClaim':
            self.objects['PersistentVolume'] = [item('kept')]


def test_load_balancers_and_claims_go_and_nothing_else() -> None:
    inside, said = Inside(), []
    assert empty(inside, 'c', said.append, SystemClock())
    assert inside.deleted == ['Service n/web', 'PersistentVolumeClaim n/data']
    assert said[0] == 'Cluster c: Service n/web deleting'


def test_what_stays_is_named() -> None:
    said: list[str] = []
    assert not empty(Inside(sticky='web'), 'c', said.append, SystemClock(), seconds=0.1)
    assert 'still has Service web; deleting the cluster all the same' in said[-1]


def test_a_dead_api_server_stops_nobody() -> None:
    said: list[str] = []
    assert not empty(Inside(dead=True), 'c', said.append, SystemClock())
    assert 'connection refused' in said[-1]
