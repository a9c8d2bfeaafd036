"""Delete everything of a run and prove it. Needs a cloud and a run id, nothing else: no node, plane, run directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..core.clock import Clock, SystemClock
from ..core.errors import Problem
from ..core.records import Leftover
from . import deleting, failures, inventory, parallel, retry
from .connect import Cloud
from .deleting import FAILED, GONE, HOLDERS, ORDER, SLOW, VANISHING
from .inventory import BY_NAME, KINDS, Difference, Inventory, Kind, Resource
from .owned import OWN_REASONS, Filter, Kept, Owned, Run, filter_for, kept, owned

# A load balancer needs minutes on a busy cloud; half an hour is the post-timeout that Zuul jobs usually have.
TIMEOUT = 600.0
# Pauses between two lists of a kind: quick at first, for small runs are gone in seconds, then sparing.
PAUSES = (1.0, 2.0, 2.0, 2.0, 3.0, 5.0)
THREADS = 10  # deletions in flight per kind: what nodepool found bearable for a cloud's API
# Refused because something else still uses it, or because it is in transition: the next round tries again.
BUSY = frozenset({400, 409})
# Refused by policy: asking again until the deadline would change nothing.
FORBIDDEN = frozenset({401, 403})
# A deletion that was accepted is repeated only when it visibly failed, or after this many lists without effect.
REPEAT = 6
# What nodes are made of; their subnet goes with its network.
NODE_KINDS = tuple(
    kind
    for kind in KINDS
    if kind.name not in ('subnet', 'snapshot', 'load_balancer', 'image', 'application_credential')
)
OWN_LOGIN = 'it is the credential of this login; who made it revokes it, or it expires'

Say = Callable[[str, str], None]
Only = Callable[[Owned], bool]
Key = tuple[str, str]


@dataclass
class Result:
    """deleted: what went; kept: what stayed and why; unproven: kinds that could not be looked at in the end."""

    found: tuple[Owned, ...] = ()
    deleted: list[Resource] = field(default_factory=list)
    kept: tuple[Leftover, ...] = ()
    before: Inventory | None = None
    after: Inventory | None = None
    unproven: dict[str, Problem] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Kind to number of deleted objects."""
        numbers: dict[str, int] = {}
        for resource in self.deleted:
            numbers[resource.kind] = numbers.get(resource.kind, 0) + 1
        return numbers

    def others(self, run: Run) -> Difference | None:
        """What changed meanwhile among the objects of others; None without an inventory of everything."""
        if not self.before or not self.after:
            return None
        return inventory.difference(_without(run, self.before), _without(run, self.after))


@dataclass(frozen=True)
class Preview:
    """What a purge would do. unknown: kinds that could not be looked at, with the reason."""

    delete: tuple[Owned, ...]
    keep: tuple[Kept, ...]
    unknown: dict[str, str]


def everything(_: Owned) -> bool:
    return True


def nodes_only(item: Owned) -> bool:
    """What scs-ci itself made for the nodes of a run, without what its clusters made."""
    return item.reason in OWN_REASONS and item.resource.kind != 'application_credential'


def plan(run: Run, before: Inventory, only: Only = everything) -> tuple[Owned, ...]:
    """What a purge would delete, in the order in which it starts; pure."""
    return tuple(
        sorted(filter(only, owned(run, before)), key=lambda o: (ORDER.index(o.resource.kind), o.resource.name))
    )


def preview(run: Run, seen: Inventory, only: Only = everything) -> Preview:
    """What would go, what would stay and why; pure."""
    going = plan(run, seen, only)
    return Preview(going, kept(run, seen, going), {**seen.missing, **seen.unseen})


def _without(run: Run, seen: Inventory) -> Inventory:
    mine = {_key(o.resource) for o in owned(run, seen)}
    networks = filter_for(run, seen).parents
    # ports that Neutron and Octavia have on the run's networks go with these
    others = tuple(r for r in seen.resources if _key(r) not in mine and r.details.get('network_id') not in networks)
    return Inventory(seen.project_id, others, seen.missing, seen.unseen)


class Purge:
    """One purge of one run: a worker per kind. It converges whatever the order in which the cloud lets objects go."""

    def __init__(
        self,
        cloud: Cloud,
        run: Run,
        *,
        say: Say,
        timeout: float = TIMEOUT,
        clock: Clock | None = None,
        only: Only = everything,
    ) -> None:
        self.cloud, self.run, self.say, self.only = cloud, run, say, only
        self.kinds = NODE_KINDS if only is nodes_only else KINDS
        self.clock = parallel.StoppableClock(clock or SystemClock())
        self.deadline = self.clock.monotonic() + timeout
        self.result = Result()
        self.refused: dict[Key, str] = {}
        self.forbidden: set[Key] = set()
        self.accepted: dict[Key, int] = {}  # lists seen since the deletion was accepted
        self.doubt = False  # whether an answer left open what became of an object
        self.alive: frozenset[str] = frozenset()  # ids of the run's servers that still exist
        self.lock = threading.Lock()

    def execute(self, before: Inventory | None = None) -> Result:
        """Delete, look again, repeat until nothing is found or time is up. before: an inventory that is there already.

        A kind that cannot be listed keeps nobody from deleting the others; it is unproven in the end.
        """
        seen = self.result.before = before or self._look()
        found = self.result.found = plan(self.run, seen, self.only)
        while found:
            self._sweep(found, seen)
            if self.kinds is not KINDS and not self.doubt:
                return self.result  # the answers say that everything is gone; the proof is for whole runs
            self.doubt = False
            # Neutron answers 404 for a network whose subnet went at the same moment: then a second sweep finds it again
            seen = self.result.after = self._look()
            found = plan(self.run, seen, self.only)
            if self._is_over(found):
                break
            self.clock.sleep(PAUSES[0])
        self.result.after = self.result.after or seen
        self.result.kept = tuple(self._leftover(o.resource) for o in found)
        return self.result

    def _is_over(self, found: tuple[Owned, ...]) -> bool:
        return self.clock.monotonic() >= self.deadline or all(_key(o.resource) in self.forbidden for o in found)

    def _look(self) -> Inventory:
        seen, problems = inventory.look(self.cloud, self.kinds, self.clock)
        for kind, problem in problems.items():
            self.say(problem.reason, kind)
        self.result.unproven = problems
        return seen

    def _sweep(self, found: Iterable[Owned], seen: Inventory) -> None:
        by_kind: dict[str, list[Resource]] = {}
        for item in found:
            by_kind.setdefault(item.resource.kind, []).append(item.resource)
        self.alive = frozenset(server.id for server in by_kind.get('server', ()))
        going = frozenset(network.id for network in by_kind.get('network', ()))
        # subnets go with their network: deleting them as well is a request each, and a race
        by_kind['subnet'] = [s for s in by_kind.get('subnet', ()) if s.details.get('network_id') not in going]
        check = filter_for(self.run, seen)
        kinds = [kind for kind in ORDER if by_kind.get(kind)]

        def work(kind: str, waited: bool) -> None:
            self._worker(BY_NAME[kind], by_kind[kind], check, waited)

        parallel.after_others(work, kinds, HOLDERS, self.clock)
        self._count_subnets(o.resource for o in found if o.resource.details.get('network_id') in going)

    def _count_subnets(self, resources: Iterable[Resource]) -> None:
        accepted = {identity for kind, identity in self.accepted if kind == 'network'}
        gone = [r for r in resources if r.kind == 'subnet' and r.details['network_id'] in accepted]
        self.result.deleted += [r for r in gone if r not in self.result.deleted]

    def _worker(self, kind: Kind, first: list[Resource], check: Filter, waited: bool) -> None:
        """Delete what is there, list again, until the list is empty or time is up. waited: its holders went before."""
        mine, rounds = first, 0
        if waited and kind.name in VANISHING:
            mine = self._listed(kind, check)
        while mine:
            parallel.each(self._delete, mine, THREADS, self.clock)
            if self._is_done(kind.name, mine):
                return
            left = self.deadline - self.clock.monotonic()
            if left <= 0:
                self.doubt = True
                return
            self.clock.sleep(min(PAUSES[min(rounds, len(PAUSES) - 1)], left))
            rounds += 1
            mine = self._listed(kind, check)
            if kind.name == 'server':
                self.alive = frozenset(server.id for server in mine)

    def _is_done(self, kind: str, mine: Iterable[Resource]) -> bool:
        keys = {_key(resource) for resource in mine} - self.forbidden
        return all(key in self.accepted for key in keys) if kind not in SLOW else not keys

    def _listed(self, kind: Kind, check: Filter) -> list[Resource]:
        try:
            listed = inventory.listed(self.cloud, kind, self.clock)
        except Problem as problem:  # an unreachable service must not stop the other workers; the final proof asks again
            self.doubt = True
            self.say(problem.reason, kind.name)
            return []
        found = ((r, check.reason(r)) for r in listed if r.status.lower() not in GONE)
        return [resource for resource, reason in found if reason and self.only(Owned(resource, reason))]

    def _delete(self, resource: Resource) -> None:
        key = _key(resource)
        if key in self.forbidden or self._waits(resource) or self._under_way(key, resource.status.lower()):
            return
        if resource.kind == 'application_credential' and resource.id == self.cloud.credential_id:
            self._refuse(resource, OWN_LOGIN, final=True)
            return
        try:
            retry.deleting(lambda: deleting.delete(self.cloud, resource), self.clock)
        except failures.sdk_errors() as error:
            if not failures.is_missing(error):
                self._refuse(resource, failures.text_of(error), final=failures.status_of(error) in FORBIDDEN,
                             quiet=failures.status_of(error) in BUSY)  # fmt: skip
                return
            self.doubt = True
        self._accept(resource)

    def _refuse(self, resource: Resource, text: str, *, final: bool = False, quiet: bool = False) -> None:
        with self.lock:
            self.doubt = True
            self.refused[_key(resource)] = text
            if final:
                self.forbidden.add(_key(resource))
        if not quiet:
            self.say(f'cannot delete {resource.name or resource.id}: {text}', resource.kind)

    def _accept(self, resource: Resource) -> None:
        key = _key(resource)
        with self.lock:
            self.refused.pop(key, None)
            first = key not in self.accepted
            self.accepted[key] = 0
            if first:
                self.result.deleted.append(resource)
        if first:
            self.say(f'deleted {resource.name or resource.id}', resource.kind)

    def _under_way(self, key: Key, status: str) -> bool:
        with self.lock:
            if key not in self.accepted or key[0] not in SLOW or status in FAILED:
                return False
            self.accepted[key] += 1
            return self.accepted[key] % REPEAT != 0

    def _waits(self, resource: Resource) -> bool:
        """Ports of servers go with their server; deleting them first would make Nova's own cleanup stumble."""
        return resource.kind == 'port' and resource.details.get('device_id') in self.alive

    def _leftover(self, resource: Resource) -> Leftover:
        reason = self.refused.get(_key(resource), '')
        if not reason and resource.kind == 'subnet':
            reason = 'goes with its network, which is still there'
        reason = reason or f'status {resource.status or "unknown"} at the deadline'
        return Leftover(resource.kind, resource.id, resource.name, reason)


def _key(resource: Resource) -> Key:
    return resource.kind, resource.id
