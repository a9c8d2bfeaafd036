"""Does the run fit into the cloud? Every shortfall at once, with numbers, before anything is made."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..core import shape
from ..core.clock import Clock, SystemClock
from ..core.errors import (
    CapacityProblem,
    CredentialProblem,
    ImageProblem,
    InfrastructureProblem,
    NetworkProblem,
    Problem,
    QuotaProblem,
)
from ..core.naming import names
from . import choose, holders, inventory, keys, nameservers, pulse, quota, soundness
from .connect import Cloud
from .inventory import Inventory
from .model import Flavor, Image, ImageWish, Topology
from .observe import Offer, offer
from .owned import MARKED, NAMED, owned
from .quota import NOTHING, Limit, Vector
from .rows import Row

T = TypeVar('T')
# The job's limit in zuul.d and that of its cleanup: no run lasts longer.
SECONDS = 6600.0
# Without these nothing else can be asked.
FATAL = frozenset({'service', 'name', 'version'})
ADVICE = 'free what is not needed, have the quota raised, or ask for less; nothing has been made'


@dataclass(frozen=True)
class Options:
    """public_key: a file, None for one of the run; seconds: how long the run may last, its cleanup included.

    upgraded: Kubernetes versions to which clusters are upgraded later; empty where none is.
    """

    public_key: Path | None = None
    seconds: float = SECONDS
    upgraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """The cloud as preflight sees it. have: kind to number of what the run already has; nodes: its nodes' names."""

    offer: Offer
    limits: Mapping[str, Limit | str]
    have: Mapping[str, int] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Preflight:
    """The verdict: all rows, the choices made, and the inventory taken on the way."""

    rows: tuple[Row, ...]
    chosen: dict[str, str]
    inventory: Inventory | None = None

    @property
    def shortfalls(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.ok is False)

    def data(self) -> dict[str, Any]:
        """Plain data for records and modules."""
        return {'rows': shape.dump(self.rows), 'chosen': self.chosen, 'shortfalls': len(self.shortfalls)}

    def problem(self) -> Problem | None:
        """All shortfalls as one Problem of the first one's class, or None."""
        if not self.shortfalls:
            return None
        kinds = (
            QuotaProblem, ImageProblem, NetworkProblem, CapacityProblem, CredentialProblem, InfrastructureProblem,
        )  # fmt: skip
        kind = next(
            kind for kind in kinds if kind.verdict == self.shortfalls[0].verdict or kind is InfrastructureProblem
        )
        answer = '; '.join(f'{row.subject}: {row.answer}' for row in self.shortfalls)
        return kind('cannot fit the run into', f'the cloud ({len(self.shortfalls)} shortfalls)', answer, ADVICE)


def check(
    cloud: Cloud,
    run: str,
    topology: Topology,
    kubernetes: Sequence[str],
    options: Options | None = None,
    clock: Clock | None = None,
) -> Preflight:
    """Ask the cloud and evaluate. kubernetes: versions of the clusters, e.g. 'v1.34.7'."""
    options, clock = options or Options(), clock or SystemClock()
    until = clock.now() + datetime.timedelta(seconds=options.seconds)
    heart = pulse.Pulse()
    with heart.taken(cloud, clock):
        sound = soundness.rows(cloud, until, clock)
        if any(row.ok is False and row.kind in FATAL for row in sound):
            return Preflight(tuple(sound), {})  # nothing else could be asked
        before = inventory.take(cloud, clock=clock)
        offered = offer(cloud, clock)
        external = [n.id for n in offered.networks if n.external and topology.external in (None, n.name, n.id)]
        limits = quota.observe_limits(cloud, external[0] if len(external) == 1 else '', clock)
        servers = nameservers.rows(nameservers.subnets(cloud, topology, offered.networks, clock))
    rows, chosen = evaluate(run, topology, kubernetes, _observed(run, offered, limits, before), options.upgraded)
    hosts = {urlsplit(address).netloc: name for name, address in soundness.endpoints(cloud).items()}
    everything = (*rows, *servers, *_key_row(options.public_key), *sound, *pulse.rows(heart.answers, hosts))
    return Preflight(tuple(_held(row, before) for row in everything), chosen, before)


def _observed(run: str, offered: Offer, limits: Mapping[str, Limit | str], before: Inventory) -> Observed:
    mine = [o for o in owned(run, before) if o.reason in (MARKED, NAMED)]
    have: dict[str, int] = {}
    for item in mine:
        have[item.resource.kind] = have.get(item.resource.kind, 0) + 1
    return Observed(offered, limits, have, frozenset(o.resource.name for o in mine if o.resource.kind == 'server'))


def _held(row: Row, before: Inventory) -> Row:
    """A quota that is short, with those who hold what is used of it."""
    if row.ok is not False or row.need is None:
        return row
    kind = next((kind for kind in quota.KINDS if quota.KINDS[kind][1] == row.subject), '')
    return dataclasses.replace(row, holders=holders.holders(kind, before))


def _key_row(public_key: Path | None) -> list[Row]:
    if not public_key:
        return []
    try:
        keys.given(public_key)
    except Problem as problem:
        return [Row('key', f'public key {public_key}', False, problem.reason, verdict=problem.verdict)]
    return [Row('key', f'public key {public_key}', True, 'readable')]


def evaluate(
    run: str, topology: Topology, kubernetes: Sequence[str], seen: Observed, upgraded: Sequence[str] = ()
) -> tuple[list[Row], dict[str, str]]:
    """Rows and choices; pure. No shortfall hides another: what cannot be chosen is left out of the sums."""
    checker = _Checker(seen)
    need = quota.ground(topology, seen.have) if topology.count() else NOTHING
    need += checker.groups(topology, names(run).prefix)
    need += checker.clusters(topology, kubernetes, upgraded)
    if any(group.floating_ip and group.count for group in topology.groups) or kubernetes:
        checker.choice('external network', lambda: choose.external_network(seen.offer.networks, topology.external))
    if topology.network:
        named = topology.network
        checker.choice('network', lambda: choose.own_network(seen.offer.networks, named))
    checker.zones(topology)
    return checker.rows + quota_rows(need, seen.limits), checker.chosen


def quota_rows(need: Vector, limits: Mapping[str, Limit | str]) -> list[Row]:
    """One row per kind that is needed; pure."""
    rows = []
    for kind in (*quota.KINDS, *sorted(kind for kind in need.amounts if quota.AT in kind)):
        service, word = quota.words_of(kind)
        amount, limit = need[kind], limits.get(kind, 'the cloud does not tell')
        if not amount or (quota.AT in kind and kind not in limits):  # few clouds limit types of volumes
            continue
        if isinstance(limit, str):
            # a missing service is a shortfall; a number nobody may see is not
            ok = False if limit.startswith('no ') else None
            rows.append(Row('quota', word, ok, limit, amount, verdict='infrastructure' if ok is False else ''))
            continue
        enough = limit.free is None or amount <= limit.free
        free = 'no limit' if limit.free is None else limit.free
        answer = f'need {amount}, have {free} (used {limit.used} of {limit.limit})'
        rows.append(Row(service, word, enough, answer, amount, limit.used, limit.limit, '' if enough else 'quota'))
    return rows


class _Checker:
    """Collects rows while choosing; a Problem of one choice becomes a row and does not stop the others."""

    def __init__(self, seen: Observed) -> None:
        self.seen, self.rows, self.chosen = seen, list[Row](), dict[str, str]()

    def choice(self, subject: str, decide: Callable[[], T]) -> T | None:
        try:
            found = decide()
        except Problem as problem:
            self.rows.append(Row('choice', subject, False, problem.reason, verdict=problem.verdict))
            return None
        name = str(getattr(found, 'name', ''))
        self.rows.append(Row('choice', subject, True, name))
        self.chosen[subject] = name
        return found

    def flavor(self, subject: str, decide: Callable[[], choose.Choice[Flavor]]) -> Flavor | None:
        return self.choice(f'{subject} flavor', lambda: decide().best)

    def groups(self, topology: Topology, prefix: str) -> Vector:
        need = NOTHING
        for group in topology.groups:
            subject = f'group {group.name}'
            image = self.choice(f'{subject} image', partial(_best_image, group.image, self.seen.offer.images))
            flavor = self.flavor(subject, partial(choose.flavors, group.flavor, self.seen.offer.flavors, image))
            if image:
                self.choice(f'{subject} user', partial(_user, image))
            missing = sum(f'{prefix}-{group.name}-{index}' not in self.seen.nodes for index in range(group.count))
            if flavor and image:
                need += quota.group(group, flavor, image, missing)
        return need

    def clusters(self, topology: Topology, kubernetes: Sequence[str], upgraded: Sequence[str]) -> Vector:
        wish, images = topology.clusters, list[Image]()
        for version in dict.fromkeys((*kubernetes, *upgraded)):
            name = wish.image.format(version=version)
            found = self.choice(f'cluster image {version}', partial(choose.named_image, name, self.seen.offer.images))
            images += [found] if found else []
        simulated = {part for image in images for part in choose.simulated_of(image)}
        if simulated:  # what deploy has to say about the machines of its clusters
            self.chosen['cluster simulated'] = ','.join(sorted(simulated))
        if not kubernetes:
            return NOTHING
        flavor = self.flavor('cluster', partial(choose.flavors, wish.flavor, self.seen.offer.flavors))
        if not flavor:
            return NOTHING
        sizes = [choose.root_volume(flavor, image, wish.flavor) for image in images]
        # an upgrade makes each new machine before it deletes the old one
        most = dataclasses.replace(wish, workers=wish.workers + bool(upgraded))
        return quota.clusters(most, flavor, max(sizes, default=0), len(kubernetes))

    def zones(self, topology: Topology) -> None:
        states = {zone.name: zone.available for zone in self.seen.offer.zones}
        for zone in dict.fromkeys(zone for group in topology.groups for zone in group.zones):
            ok = states.get(zone, False)
            known = ', '.join(name for name, up in states.items() if up) or 'none'
            answer = 'available' if ok else f'not available, the cloud has {known}'
            self.rows.append(Row('zone', f'zone {zone}', ok, answer, verdict='' if ok else 'capacity'))
        if not any(states.values()):
            self.rows.append(Row('zone', 'zones', False, 'the cloud has no available zone', verdict='capacity'))


@dataclass(frozen=True)
class _User:
    name: str


def _best_image(wish: ImageWish, offered: Sequence[Image]) -> Image:
    return choose.images(wish, offered).best


def _user(image: Image) -> _User:
    return _User(choose.user_of(image))
