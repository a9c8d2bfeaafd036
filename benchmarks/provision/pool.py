"""The same work with nodepool's OpenStack driver on the imagined cloud: one node request, and all of its nodes deleted.

What runs is nodepool's own: the provider's configuration, the handler of a request (images, quotas, zones), the state
machine of each node, and the loops that advance them once a second, with the driver's ten threads and its caches.
Three things are replaced. ZooKeeper is a shelf in memory, which takes no time. Threads take turns. And nobody scans
host keys, for servers of the imagined cloud have no sockets: `host-key-checking: false`, as a pool may say. What a
launcher does beside is not run: every minute a list of the servers, and every ten minutes of the ports, to find what
was leaked.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import others
from cloudsim.cloud import Cloud
from cloudsim.turns import Executor, Turns
from meters import Cost, measure
from openstack.cloud import _network_common

VERSION = '11.0.0'
POLL = 1.0  # seconds: how often nodepool's pool worker looks whether a request is fulfilled (WATERMARK_SLEEP)
LABEL, POOL, IMAGE = 'node', 'main', 'image'
# As in nodepool.yaml. rate 0: no pause between requests, where the default is one request per second. One try, for what
# fails is to be told and not measured.
PROVIDER: dict[str, Any] = {
    'name': 'imagined',
    'cloud': 'cloudsim',
    'rate': 0,
    'launch-retries': 1,
    'cloud-images': [{'name': IMAGE, 'image-name': others.IMAGE}],
    'pools': [
        {
            'name': POOL,
            'networks': [others.NETWORK],
            'auto-floating-ip': True,
            'host-key-checking': False,
            'labels': [{'name': LABEL, 'cloud-image': IMAGE, 'flavor-name': others.FLAVOR}],
        }
    ],
}


class Nodepool(NamedTuple):
    """The modules of nodepool that are used here."""

    openstack: Any
    adapter: Any
    statemachine: Any
    zookeeper: Any


def nodepool(directory: Path) -> Nodepool:
    """From a directory into which `pip install --target` put it. SystemExit when it is not there or another version."""
    sys.path.append(str(directory))  # behind ours: the SDK is the same for everybody
    found = next((about.version for about in metadata.distributions(name='nodepool', path=[str(directory)])), 'none')
    if found != VERSION:
        raise SystemExit(f'{directory} has nodepool {found}; the comparison is with {VERSION}')
    names = ('driver.openstack', 'driver.openstack.adapter', 'driver.statemachine', 'zk.zookeeper')
    return Nodepool(*(importlib.import_module(f'nodepool.{name}') for name in names))


class Shelf:
    """What a launcher keeps in ZooKeeper, as far as it is asked for: nodes by id, locks that nobody else wants.

    changed: called when a node is gone or was given up, for whoever waits for that.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.nodes: dict[str, Any] = {}
        self.kept: list[str] = []  # nodes that nodepool gave up to delete
        self.changed, self._numbers = changed, itertools.count(1)

    @property
    def idle(self) -> bool:
        """Nothing more will be deleted."""
        return len(self.nodes) == len(self.kept)

    def storeNode(self, node: Any) -> None:
        if not node.id:
            node.id = f'{next(self._numbers):010}'
        self.nodes[node.id] = node

    def deleteNode(self, node: Any) -> None:
        del self.nodes[node.id]
        self.changed()

    def nodeIterator(self, cached_ids: bool = False) -> Iterator[Any]:
        return iter(list(self.nodes.values()))

    def lockNode(self, node: Any, blocking: bool = True) -> None:
        pass

    def unlockNode(self, node: Any) -> None:
        """The driver unlocks a node that it could not delete."""
        self.kept.append(node.id)
        self.changed()

    def getNodeRequest(self, identity: str) -> bool:
        return True

    def storeNodeRequest(self, request: Any) -> None:
        pass

    def unlockNodeRequest(self, request: Any) -> None:
        pass

    def getRegisteredPools(self) -> tuple[()]:
        return ()  # asked for when a request is declined: there is no other pool


class Scanner:
    """nodepool's NodescanWorker, for pools that do not check host keys: a request is complete at once."""

    def start(self) -> None:
        pass

    stop = join = start

    def addRequest(self, request: Any) -> None:
        request.setWorker(self)
        request.advance(False)

    def removeRequest(self, request: Any) -> None:
        pass


class Thread:
    """threading.Thread that takes turns, as far as nodepool uses it."""

    def __init__(self, turns: Turns, target: Callable[[], None], daemon: bool) -> None:
        self.begin = partial(Executor(turns, 1, 'nodepool').submit, target)

    def start(self) -> None:
        self.work = self.begin()

    def join(self) -> None:
        self.work.result()


class Lock:
    """threading.Lock whose waiters give their turn away: openstacksdk holds one while it asks for all networks."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.taken = turns, False

    def acquire(self) -> bool:
        while self.taken:  # another waiter may be faster
            self.turns.until(lambda: not self.taken)
        self.taken = True
        return True

    def release(self) -> None:
        self.taken = False
        self.turns.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextlib.contextmanager
def virtual(turns: Turns, code: Nodepool) -> Iterator[None]:
    """Inside, nodepool's clocks, pauses and threads are those of the imagined cloud."""
    pool = partial(Executor, turns)
    replaced: tuple[tuple[Any, str, Any], ...] = (
        (time, 'sleep', turns.sleep),
        (time, 'monotonic', turns.monotonic),
        (time, 'time', lambda: turns.now().timestamp()),
        (code.adapter, 'ThreadPoolExecutor', pool),
        (code.statemachine, 'ThreadPoolExecutor', pool),
        (_network_common, 'threading', SimpleNamespace(Lock=partial(Lock, turns))),
        (code.statemachine, 'threading', SimpleNamespace(Thread=partial(Thread, turns))),
        (code.statemachine, 'NodescanWorker', Scanner),
    )
    with contextlib.ExitStack() as stack:
        for target, name, value in replaced:
            stack.enter_context(mock.patch.object(target, name, value))
        yield


@dataclass(frozen=True)
class Launcher:
    """nodepool's launcher with one provider, without its daemon. states: the module that names the states of nodes."""

    states: Any
    turns: Turns
    shelf: Shelf
    config: Any
    manager: Any

    def provision(self, count: int) -> None:
        """One request for all nodes, until it is fulfilled. RuntimeError when nodepool declines it."""
        request = self.states.NodeRequest('request')
        request.node_types, request.reuse = [LABEL] * count, False
        handler = self.manager.getRequestHandler(self._worker(), request)
        handler.run()
        while not handler.poll():
            self.turns.sleep(POLL)
        if request.state != self.states.FULFILLED:
            raise RuntimeError(f'nodepool: the request for {count} nodes is {request.state}')

    def delete(self) -> None:
        """All nodes, from when nodepool finds them used. RuntimeError when it gives one up."""
        for node in self.shelf.nodeIterator():
            node.state = self.states.USED
            self.manager.startNodeCleanup(node)
        self.turns.until(lambda: self.shelf.idle)
        if self.shelf.kept:
            raise RuntimeError(f'nodepool: not deleted: {", ".join(self.shelf.kept)}')

    def stop(self) -> None:
        self.manager.stop()
        self.manager.join()

    def _worker(self) -> SimpleNamespace:
        """What a handler asks its pool worker for."""
        return SimpleNamespace(
            launcher_id='benchmark',
            nodepool=SimpleNamespace(statsd=None),
            getProviderConfig=lambda: self.config,
            getPoolConfig=lambda: self.config.pools[POOL],
            getZK=lambda: self.shelf,
            getProviderManager=lambda: self.manager,
        )


def launcher(code: Nodepool, turns: Turns) -> Launcher:
    """Started, as by nodepool-launcher. The login comes with the first request."""
    driver, shelf = code.openstack.OpenStackDriver(), Shelf(turns.notify)
    config = driver.getProviderConfig(PROVIDER)
    config.getSchema()(PROVIDER)
    config.load(SimpleNamespace(labels={LABEL: SimpleNamespace(pools=[])}, diskimages={}))
    manager = driver.getProvider(config)
    manager.start(shelf)
    return Launcher(code.zookeeper, turns, shelf, config, manager)


def costs(cloud: Cloud, place: Path, code: Nodepool, count: int) -> dict[str, Cost]:
    """By work: provision, with login and what is asked once, and delete."""
    others.ground(cloud)
    with cloud.open(place), virtual(cloud.turns, code):
        worker = launcher(code, cloud.turns)
        made = measure(cloud, lambda: worker.provision(count))[1]
        gone = measure(cloud, worker.delete)[1]
        worker.stop()
    return {'provision': made, 'delete': gone}
