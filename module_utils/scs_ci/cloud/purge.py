"""Delete everything of a run and prove it. Needs a cloud and a run id, nothing else: no node, plane, run directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..core.clock import Clock, SystemClock
from ..core.errors import Problem
from ..core.records import Leftover
from . import failures, inventory, parallel, retry
from .connect import Cloud
from .inventory import BY_NAME, Inventory, Kind, Resource
from .owned import OWN_REASONS, Filter, Owned, owned

# Start order: what holds others first. All kinds work at the same time; the order only saves refused requests.
ORDER = (
    'load_balancer',
    'server',
    'floating_ip',
    'port',
    'router',
    'subnet',
    'network',
    'security_group',
    'snapshot',
    'volume',
    'server_group',
    'key_pair',
    'image',
    'application_credential',
)
# A load balancer needs minutes on a busy cloud; half an hour is the post-timeout that Zuul jobs usually have.
TIMEOUT = 600.0
# Pauses between two lists of a kind: quick at first, for small runs are gone in seconds, then sparing.
PAUSES = (1.0, 2.0, 2.0, 3.0, 5.0)
THREADS = 10  # deletions in flight per kind: what nodepool found bearable for a cloud's API
# Refused because something else still uses it, or because it is in transition: the next round tries again.
BUSY = frozenset({400, 409})
GONE = frozenset({'deleted', 'soft_deleted'})
# Kinds whose deletion goes on after the answer. The others are gone with the answer; the last inventory proves it.
SLOW = frozenset({'server', 'volume', 'snapshot', 'load_balancer'})
# A deletion that was accepted is repeated only when it visibly failed, or after this many lists without effect.
FAILED = frozenset({'error', 'error_deleting'})
REPEAT = 6

Say = Callable[[str, str], None]
Only = Callable[[Owned], bool]


@dataclass
class Result:
    """deleted: what went; kept: what stayed and why, also when nobody could look (checked False)."""

    found: tuple[Owned, ...] = ()
    deleted: list[Resource] = field(default_factory=list)
    kept: tuple[Leftover, ...] = ()
    after: Inventory | None = None

    def counts(self) -> dict[str, int]:
        """Kind to number of deleted objects."""
        numbers: dict[str, int] = {}
        for resource in self.deleted:
            numbers[resource.kind] = numbers.get(resource.kind, 0) + 1
        return numbers


def everything(_: Owned) -> bool:
    return True


def nodes_only(item: Owned) -> bool:
    """What scs-ci itself made for the nodes of a run, without what its clusters made."""
    return item.reason in OWN_REASONS


def plan(run: str, before: Inventory, only: Only = everything) -> tuple[Owned, ...]:
    """What a purge would delete, in the order in which it starts; pure."""
    return tuple(
        sorted(filter(only, owned(run, before)), key=lambda o: (ORDER.index(o.resource.kind), o.resource.name))
    )


class Purge:
    """One purge of one run. It converges whatever the order in which the cloud lets objects go."""

    def __init__(
        self,
        cloud: Cloud,
        run: str,
        *,
        say: Say,
        timeout: float = TIMEOUT,
        clock: Clock | None = None,
        only: Only = everything,
    ) -> None:
        self.cloud, self.run, self.say, self.only = cloud, run, say, only
        self.clock = parallel.StoppableClock(clock or SystemClock())
        self.deadline = self.clock.monotonic() + timeout
        self.result = Result()
        self.refused: dict[tuple[str, str], str] = {}
        self.accepted: dict[tuple[str, str], int] = {}  # lists seen since the deletion was accepted
        self.alive: frozenset[str] = frozenset()  # ids of the run's servers that still exist
        self.lock = threading.Lock()

    def execute(self) -> Result:
        """Delete, look again, repeat until nothing is found or time is up."""
        before = inventory.take(self.cloud)
        found = self.result.found = plan(self.run, before, self.only)
        while found:
            self._sweep(found)
            # Neutron answers 404 for a network whose subnet went at the same moment: then a second sweep finds it again
            self.result.after = inventory.take(self.cloud)
            found = plan(self.run, self.result.after, self.only)
            if not found or self.clock.monotonic() >= self.deadline:
                break
            self.clock.sleep(PAUSES[0])
        self.result.after = self.result.after or before
        self.result.kept = tuple(self._leftover(o.resource) for o in found)
        return self.result

    def _sweep(self, found: Iterable[Owned]) -> None:
        by_kind: dict[str, list[Resource]] = {}
        for item in found:
            by_kind.setdefault(item.resource.kind, []).append(item.resource)
        self.alive = frozenset(server.id for server in by_kind.get('server', ()))
        check = Filter(self.run, [network.id for network in by_kind.get('network', ())])
        kinds = [kind for kind in ORDER if kind in by_kind]
        parallel.each(lambda kind: self._worker(BY_NAME[kind], by_kind[kind], check), kinds, len(kinds), self.clock)

    def _worker(self, kind: Kind, first: list[Resource], check: Filter) -> None:
        """Delete what is there, list again, until the list is empty or time is up."""
        mine, rounds = first, 0
        while mine:
            parallel.each(self._delete, mine, THREADS, self.clock)
            if kind.name not in SLOW and all((r.kind, r.id) in self.accepted for r in mine):
                return
            left = self.deadline - self.clock.monotonic()
            if left <= 0:
                return
            self.clock.sleep(min(PAUSES[min(rounds, len(PAUSES) - 1)], left))
            rounds += 1
            mine = self._listed(kind, check)
            if kind.name == 'server':
                self.alive = frozenset(server.id for server in mine)

    def _listed(self, kind: Kind, check: Filter) -> list[Resource]:
        try:
            found = ((r, check.reason(r)) for r in inventory.listed(self.cloud, kind) if r.status.lower() not in GONE)
            return [resource for resource, reason in found if reason and self.only(Owned(resource, reason))]
        except Problem as problem:  # an unreachable service must not stop the other workers; the final proof asks again
            self.say(problem.reason, kind.name)
            return []

    def _delete(self, resource: Resource) -> None:
        key = (resource.kind, resource.id)
        if self._waits(resource) or self._under_way(key, resource.status.lower()):
            return
        try:
            retry.deleting(lambda: delete(self.cloud, resource), self.clock)
        except failures.sdk_errors() as error:
            if not failures.is_missing(error):
                with self.lock:
                    self.refused[key] = failures.text_of(error)
                if failures.status_of(error) not in BUSY:
                    self.say(f'cannot delete {resource.name or resource.id}: {failures.text_of(error)}', resource.kind)
                return
        with self.lock:
            self.refused.pop(key, None)
            first = key not in self.accepted
            self.accepted[key] = 0
            if first:
                self.result.deleted.append(resource)
        if first:
            self.say(f'deleted {resource.name or resource.id}', resource.kind)

    def _under_way(self, key: tuple[str, str], status: str) -> bool:
        with self.lock:
            if key not in self.accepted or key[0] not in SLOW or status in FAILED:
                return False
            self.accepted[key] += 1
            return self.accepted[key] % REPEAT != 0

    def _waits(self, resource: Resource) -> bool:
        """Ports of servers go with their server; deleting them first would make Nova's own cleanup stumble."""
        return resource.kind == 'port' and resource.details.get('device_id') in self.alive

    def _leftover(self, resource: Resource) -> Leftover:
        reason = (
            self.refused.get((resource.kind, resource.id)) or f'status {resource.status or "unknown"} at the deadline'
        )
        return Leftover(resource.kind, resource.id, resource.name, reason)


def delete(cloud: Cloud, resource: Resource) -> None:
    """One deletion request; errors of the SDK pass through, a missing object is success."""
    sdk, identity = cloud.sdk, resource.id
    calls: dict[str, Callable[[], Any]] = {
        # cascade: listeners, pools and members go along, otherwise each is a refused request
        'load_balancer': lambda: sdk.load_balancer.delete_load_balancer(identity, cascade=True),
        'server': lambda: sdk.compute.delete_server(identity),
        'floating_ip': lambda: sdk.network.delete_ip(identity),
        'port': lambda: _delete_port(sdk, resource),
        'router': lambda: sdk.network.delete_router(identity),
        'subnet': lambda: sdk.network.delete_subnet(identity),
        'network': lambda: sdk.network.delete_network(identity),
        'security_group': lambda: sdk.network.delete_security_group(identity),
        'snapshot': lambda: sdk.block_storage.delete_snapshot(identity),
        'volume': lambda: sdk.block_storage.delete_volume(identity),
        'server_group': lambda: sdk.compute.delete_server_group(identity),
        'key_pair': lambda: sdk.compute.delete_keypair(identity),
        'image': lambda: sdk.image.delete_image(identity),
        'application_credential': lambda: sdk.identity.delete_application_credential(cloud.user_id, identity),
    }
    calls[resource.kind]()


def _delete_port(sdk: Any, resource: Resource) -> None:
    # Neutron refuses to delete a router's port; it goes when the interface is removed from the router
    if resource.details.get('device_owner', '').startswith('network:router_interface'):
        sdk.network.remove_interface_from_router(resource.details['device_id'], port_id=resource.id)
    else:
        sdk.network.delete_port(resource.id)
