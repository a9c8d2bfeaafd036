"""The unmodified product on the imagined cloud: provision, delete, and what belongs to others there."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scenario
from cloudsim.cloud import Cloud
from cloudsim.probe import Probe
from cloudsim.store import Settings
from cloudsim.wire import Body
from meters import Cost, measure

from scs_ci.cloud import connect, nodes, preflight, purge, retry
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import Group, Topology
from scs_ci.core.naming import Names, names

RUN, OTHER = '7f3a1b2c-5d6e-4000-8000-000000000001', '7f3a1b2c-5d6f-4000-8000-000000000002'


@dataclass(frozen=True)
class World:
    """A cloud, a directory for keys, and whose objects were there before."""

    cloud: Cloud
    place: Path
    others: frozenset[tuple[str, str]]

    def provision(self, count: int = 2, run: str = RUN, topology: Topology | None = None, **more: Any) -> nodes.Result:
        """As one call of a command: with a login of its own."""
        wish = scenario.request(self.place / run, run, self.cloud.turns, Probe(self.cloud), count)
        wish = dataclasses.replace(wish, topology=topology or wish.topology, **{'timeout': 120.0, **more})
        return nodes.present(connect.connect('cloudsim'), wish)

    def purge(self, run: str = RUN, only: purge.Only = purge.everything, timeout: float = 600.0) -> purge.Result:
        connected = connect.connect('cloudsim')
        worker = purge.Purge(connected, run, say=lambda *_: None, timeout=timeout, clock=self.cloud.turns, only=only)
        return worker.execute()

    def preflight(
        self, topology: Topology | None = None, kubernetes: tuple[str, ...] = (), run: str = RUN
    ) -> preflight.Preflight:
        wanted = topology or Topology((Group(count=2),))
        return preflight.check(connect.connect('cloudsim'), run, wanted, kubernetes, clock=self.cloud.turns)

    def costs(self, count: int) -> tuple[nodes.Result, Cost]:
        return measure(self.cloud, lambda: self.provision(count))

    def own(self, kind: str, run: str = RUN) -> list[Body]:
        """The run's objects by its mark."""
        found = self.cloud.store.of(kind).values()
        return [item for item in found if run in str(item.get('metadata', '')) + str(item.get('description', ''))]

    def left(self) -> set[tuple[str, str]]:
        """What is there that was not there before; empty after a purge that left nothing."""
        return self.cloud.store.everything() - self.others

    def missing(self) -> frozenset[tuple[str, str]]:
        """What of others is gone: must be empty always."""
        return self.others - self.cloud.store.everything()


@contextlib.contextmanager
def world(place: Path, settings: Settings | None = None, **changes: Any) -> Iterator[World]:
    """A world in which the project has things of others; fast servers, unless told otherwise."""
    retry.CHANCE.seed(1)  # the same pauses at every run
    cloud = Cloud(settings or Settings(**{'boot': 3.0, 'delete': 1.0, **changes}))
    _foreign(cloud, names(RUN))
    before = frozenset(cloud.store.everything())
    with cloud.open(place):
        yield World(cloud, place, before)


def _foreign(cloud: Cloud, own: Names) -> None:
    """Of another run, of nobody's mark, idle, and with the names that this run would give."""
    store, mark = cloud.store, Mark(OTHER, 'ci', '2199-01-01T00:00:00Z')
    for name, metadata in (('somebody', {}), (own.node(0), {}), (names(OTHER).node(0), mark.metadata())):
        body = {'name': name, 'flavorRef': next(iter(store.of('flavor'))), 'imageRef': next(iter(store.of('image'))),
                'metadata': metadata, 'networks': [{'uuid': cloud.network.external['id']}]}  # fmt: skip
        cloud.compute.boot(body)
    for description in ('', mark.description(), f'quotes {mark.description()}'):
        network = cloud.network.make('network', {'name': f'{own.prefix}-network', 'description': description})
        subnet = {'name': f'{own.prefix}-subnet', 'network_id': network['id'], 'cidr': '10.0.0.0/24', 'ip_version': 4}
        cloud.network.make('subnet', subnet)
        cloud.network.make('port', {'name': '', 'network_id': network['id'], 'description': description})
        cloud.network.make('router', {'name': f'{own.prefix}-router', 'description': description})
        cloud.network.make('security_group', {'name': f'{own.prefix}-security-group', 'description': description})
        wish = {'floating_network_id': cloud.network.external['id'], 'description': description}
        cloud.network.make('floatingip', wish)
    cloud.balancers.add(f'kube_service_{names(OTHER).cluster(0)}_default_web')
    cloud.turns.time += 2 * store.settings.boot
    store.advance()
