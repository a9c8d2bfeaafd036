"""What stands in for nodepool's surroundings in the benchmark; nodepool itself runs by the command in doc/nodes.md."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import others
import pool
import pytest
from cloudsim.cloud import Cloud
from cloudsim.turns import Executor, Turns

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'path', [*sys.path])


@pytest.mark.parametrize(('version', 'words'), [('', 'has nodepool none'), ('10.0.0', 'has nodepool 10.0.0')])
def test_another_nodepool_is_refused(tmp_path: Path, version: str, words: str) -> None:
    if version:
        about = tmp_path / f'nodepool-{version}.dist-info'
        about.mkdir()
        (about / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: nodepool\nVersion: {version}\n')
    with pytest.raises(SystemExit, match=words):
        pool.nodepool(tmp_path)


def test_what_the_pool_names_is_in_the_imagined_cloud() -> None:
    cloud = Cloud()
    others.ground(cloud)
    (line,) = pool.PROVIDER['pools']
    (label,), (image,) = line['labels'], pool.PROVIDER['cloud-images']
    assert label['flavor-name'] in {item['name'] for item in cloud.store.of('flavor').values()}
    assert image['image-name'] in {item['name'] for item in cloud.store.of('image').values()}
    assert set(line['networks']) <= {item['name'] for item in cloud.store.of('network').values()}
    assert label['cloud-image'] == image['name']


def test_the_shelf_gives_ids_and_tells_when_nothing_more_will_go() -> None:
    told: list[bool] = []
    shelf = pool.Shelf(lambda: told.append(shelf.idle))
    nodes = [SimpleNamespace(id=None) for _ in range(3)]
    for node in nodes:
        shelf.storeNode(node)
        shelf.storeNode(node)
    assert [node.id for node in shelf.nodeIterator()] == ['0000000001', '0000000002', '0000000003']
    shelf.deleteNode(nodes[0])
    shelf.unlockNode(nodes[1])  # given up
    shelf.deleteNode(nodes[2])
    assert told == [False, False, True]
    assert shelf.kept == [nodes[1].id]


def test_a_scan_that_checks_no_keys_is_complete_at_once() -> None:
    seen: list[Any] = []
    scanner, request = pool.Scanner(), SimpleNamespace(setWorker=seen.append, advance=seen.append)
    scanner.addRequest(request)
    assert seen == [scanner, False]


class Manager:
    """As nodepool's provider: nodes come and go ten virtual seconds after they are asked for, `bad` ones never do."""

    def __init__(self, turns: Turns, shelf: pool.Shelf, bad: str) -> None:
        self.turns, self.shelf, self.bad, self.pool = turns, shelf, bad, Executor(turns)

    def getRequestHandler(self, worker: Any, request: Any) -> Any:
        assert worker.getZK() is self.shelf
        assert worker.getProviderManager() is self
        self.request, self.ready = request, self.turns.time + 10
        return SimpleNamespace(run=self._run, poll=self._poll)

    def _run(self) -> None:
        for _ in self.request.node_types:
            self.shelf.storeNode(SimpleNamespace(id=None, state='building'))

    def _poll(self) -> bool:
        self.request.state = 'failed' if self.bad else 'fulfilled'
        return self.turns.time >= self.ready

    def startNodeCleanup(self, node: Any) -> None:
        assert node.state == 'used'
        self.pool.submit(self._gone, node)

    def _gone(self, node: Any) -> None:
        self.turns.sleep(10)
        (self.shelf.unlockNode if node.id == self.bad else self.shelf.deleteNode)(node)


def launcher(bad: str = '') -> pool.Launcher:
    states = SimpleNamespace(FULFILLED='fulfilled', USED='used', NodeRequest=lambda name: SimpleNamespace(state=name))
    turns = Turns()
    shelf = pool.Shelf(turns.notify)
    return pool.Launcher(states, turns, shelf, None, Manager(turns, shelf, bad))


def test_a_request_lasts_until_its_last_node_and_a_deletion_too() -> None:
    work = launcher()
    work.provision(3)
    assert work.turns.time == 10
    assert len(work.shelf.nodes) == 3
    work.delete()
    assert work.turns.time == 20
    assert work.shelf.nodes == {}


def test_what_nodepool_does_not_manage_is_an_error() -> None:
    work = launcher(bad='0000000002')
    with pytest.raises(RuntimeError, match='request for 3 nodes is failed'):
        work.provision(3)
    with pytest.raises(RuntimeError, match='not deleted: 0000000002'):
        work.delete()
    assert set(work.shelf.nodes) == {'0000000002'}


def test_a_lock_has_one_owner_at_a_time_and_its_waiters_let_time_pass() -> None:
    turns = Turns()
    seen: list[float] = []

    def work() -> None:
        with lock:
            turns.sleep(5)
            seen.append(turns.time)

    lock = pool.Lock(turns)
    with Executor(turns) as workers:
        for _ in range(3):
            workers.submit(work)
    assert seen == [5, 10, 15]


def test_threads_of_nodepool_take_turns_and_are_waited_for() -> None:
    turns = Turns()
    thread = pool.Thread(turns, target=lambda: turns.sleep(7), daemon=True)
    thread.start()
    assert turns.time == 0
    thread.join()
    assert turns.time == 7
