"""Emptying a cluster before its deletion: what the cloud holds for it goes first, and a dead API stops nobody."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from scs_ci.core.clock import SystemClock
from scs_ci.core.errors import Problem, ToolProblem
from scs_ci.deploy import delete
from scs_ci.deploy.emptying import empty
from scs_ci.deploy.waiting import LIMITS

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


class Stuck:
    """A management cluster whose one Cluster never goes."""

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return [{'metadata': {'name': 'c'}}] if kind == 'Cluster' else []

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        if kind == 'Secret':
            return {'data': {'value': base64.b64encode(b'kubeconfig').decode()}}
        return {'status': {'conditions': [{'type': 'ControlPlaneInitialized', 'status': 'True'}]}}

    def delete(self, *_: Any) -> bool:
        return True

    def events(self, *_: Any) -> list[dict[str, Any]]:
        return []


class Hurried:
    """A clock whose seconds pass at once."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.mark.parametrize(('dead', 'limit'), [(True, delete.UNEMPTIED_SECONDS), (False, LIMITS['deletion'].seconds)])
def test_what_could_not_be_emptied_is_not_waited_for_so_long(dead: bool, limit: float) -> None:
    inside = Inside(dead=dead)

    @contextlib.contextmanager
    def connect(_: str) -> Iterator[Inside]:
        yield inside

    clock = Hurried()
    with pytest.raises(Problem, match=f'after {limit:.0f} s') as told:
        delete.delete_clusters(Stuck(), 'n', lambda _: None, clock, connect=connect)
    assert ('could not be emptied' in told.value.reason) == dead
    assert limit <= clock.seconds <= limit + 2


class Deleting:
    """A management cluster that deletes three machines; of the first one the server is gone."""

    def __init__(self) -> None:
        self.annotated: list[tuple[str, dict[str, str]]] = []

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        going = {'deletionTimestamp': '2026-11-28T00:00:00Z'}
        machines = [{'name': 'done', **going}, {'name': 'busy', **going}, {'name': 'stays'}]
        names = {'OpenStackMachine': machines, 'OpenStackServer': [{'name': 'busy', **going}, {'name': 'stays'}]}
        return [{'metadata': meta} for meta in names[kind]]

    def annotate(self, api_version: str, kind: str, name: str, namespace: str, annotations: dict[str, str]) -> bool:
        self.annotated.append((f'{kind} {namespace}/{name}', annotations))
        return True


def test_a_machine_is_pointed_out_once_its_server_is_gone() -> None:
    api = Deleting()
    assert delete.nudge(api, 'n', Hurried()) == ['done']
    assert api.annotated == [('OpenStackMachine n/done', {delete.NUDGED: '0.000'})]
