"""Test nodes: plan, then apply, until each can be used over SSH. Run again it converges, whatever happened before."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core import files, shape
from ..core.clock import Clock, SystemClock
from ..core.errors import Problem, QuotaProblem
from ..core.naming import Names, names
from . import blueprint, choose, console, costs, failures, handover, keys, network, observe, plan, quota, retry, ssh
from .blueprint import Blueprint
from .boot import Booter
from .connect import Cloud
from .costs import Cost
from .keys import Key
from .marks import Mark
from .model import Group, Node, Rejected, Server, Topology
from .observe import Offer
from .plan import Step
from .site import Site, site
from .usable import Gate

# From the first request to a login on all nodes. Built images on busy clouds need three minutes to boot.
TIMEOUT = 600.0


def _silent(_text: str, _subject: str) -> None:
    """The default of Request.say."""


def _same(text: str) -> str:
    """The default of Request.redact."""
    return text


@dataclass(frozen=True)
class Request:
    """mark: run, owner, expiry. key_dir: for the run's key; public_key: a file given instead.

    logs: for console logs of nodes that fail. troubles: name of each such node to the reason, filled meanwhile.
    host_keys: what they are compared with, one of ssh.HOST_KEYS. known_hosts is kept in key_dir, so that a
    later call need not ask the consoles again.
    """

    mark: Mark
    topology: Topology
    key_dir: Path
    public_key: Path | None = None
    timeout: float = TIMEOUT
    host_keys: str = ssh.CONSOLE
    logs: Path | None = None
    say: Callable[[str, str], None] = _silent
    redact: Callable[[str], str] = _same  # for console logs
    clock: Clock = field(default_factory=SystemClock)
    probe: ssh.Probe = field(default_factory=ssh.NetworkProbe)
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> Names:
        return names(self.mark.run)


@dataclass(frozen=True)
class Chosen:
    """What a group is made from. attempts: in the order in which they are tried, flavor and zone; passed_over: others.

    volume: GB of the root volume of the first attempt, 0 where the flavor has a disk.
    """

    group: str
    flavor: str
    image: str
    volume: int
    attempts: tuple[str, ...]
    passed_over: tuple[Rejected, ...]


@dataclass(frozen=True)
class Result:
    """steps: what had to be done; before: server name to status; nodes: usable ones, empty in check mode.

    chosen: of the groups that had to get nodes; cost: in check mode.
    """

    steps: tuple[Step, ...]
    before: dict[str, str]
    wanted: dict[str, str]
    nodes: tuple[Node, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    cost: Cost | None = None

    @property
    def changed(self) -> bool:
        return bool(self.steps)

    def rows(self) -> list[dict[str, Any]]:
        """The plan as plain data."""
        return [dataclasses.asdict(step) for step in self.steps]

    def diff(self) -> dict[str, dict[str, str]]:
        """Before and after, as Ansible's diff mode shows it."""
        return {'before': self.before, 'after': self.wanted}

    def data(self) -> list[dict[str, Any]]:
        """The nodes as plain data."""
        return [shape.dump(node) for node in self.nodes]

    def summary(self, known_hosts: Path, cloud: str) -> dict[str, Any]:
        """Everything as plain data, for Ansible and Zuul, too. known_hosts: file with the nodes' keys."""
        costs = {'cost': shape.dump(self.cost) | {'total': self.cost.total}} if self.cost else {}
        return {
            'changed': self.changed,
            'plan': self.rows(),
            'nodes': self.data(),
            'hosts': handover.hosts(self.nodes, known_hosts),
            'zuul_nodes': handover.zuul_nodes(self.nodes, cloud),
            'chosen': shape.dump(self.chosen),
            'diff': self.diff(),
            **costs,
        }


def preview(cloud: Cloud, request: Request) -> Result:
    """What present() would do, and what that costs; nothing is written, neither in the cloud nor here."""
    key = _key(request, write=False)
    steps, have, wanted, wishes = _plan(cloud, request, key)
    groups = {step.group for step in steps if step.action in ('create', 'replace')}
    if not groups:
        return dataclasses.replace(_result(steps, have, wanted), cost=costs.cost(steps, request.topology, {}, {}))
    offer = observe.offer(cloud, request.clock)
    # a wish that cannot be met is a finding of check mode, too
    choices = {g.name: _blueprint(g, offer, wishes[g.name]) for g in request.topology.groups if g.name in groups}
    there = network.there(cloud, request.own, request.mark, request.clock, request.topology)
    there |= {'key_pair': int(_existing_pair(cloud, request.own, request.clock) is not None)}
    prints, consoles = {name: print_ for name, (print_, _) in choices.items()}, request.host_keys == ssh.CONSOLE
    cost = costs.cost(steps, request.topology, prints, there, consoles)
    return dataclasses.replace(_result(steps, have, wanted), chosen=_chosen(choices), cost=cost)


def present(cloud: Cloud, request: Request) -> Result:
    """The wanted nodes, usable. A Problem says which nodes failed and why; their console logs are kept."""
    key = _key(request, write=True)
    place = site(cloud, request.own, request.mark, request.clock, request.say, request.timeout)
    steps, have, wanted, wishes = _plan(cloud, request, key)
    booter = Booter(place)
    try:
        servers, choices = _apply(place, request, booter, key, steps, wanted, wishes)
        gate = Gate(place, booter, request.probe, key, request.key_dir, request.host_keys)
        nodes = gate.all(servers, {name: passed for name, (_, passed) in choices.items()})
        handover.write(nodes, request.key_dir)
    except Problem as problem:
        _keep_consoles(request, booter)
        raise _with_numbers(cloud, problem, request.clock) from problem
    return dataclasses.replace(_result(steps, have, wanted), nodes=nodes, chosen=_chosen(choices))


def _with_numbers(cloud: Cloud, problem: Problem, clock: Clock) -> Problem:
    """A refusal by quota, with what is used and allowed now: the refusal itself often names no number."""
    if not isinstance(problem, QuotaProblem):
        return problem
    try:
        full = quota.exhausted(quota.observe_limits(cloud, '', clock))
    except Problem:  # the refusal is the news; that its numbers cannot be had is not
        return problem
    if not full:
        return problem
    return QuotaProblem(problem.what, problem.subject, f'{problem.answer} (exhausted now: {full})', problem.advice)


def _key(request: Request, write: bool) -> Key:
    if request.public_key:
        return keys.given(request.public_key)
    if write or (request.key_dir / 'id_ed25519.pub').is_file():
        return keys.generated(request.key_dir, request.own)
    return Key('', None)


def _plan(
    cloud: Cloud, request: Request, key: Key
) -> tuple[list[Step], list[Server], dict[str, Group], dict[str, str]]:
    wanted = plan.node_names(request.topology, request.own)
    wishes = {group.name: plan.wish_hash(group, request.topology, key.public) for group in request.topology.groups}
    have = plan.own_servers(observe.servers(cloud, f'{request.own.prefix}-', request.clock), request.mark.run)
    # clusters of the run have servers, too; only those with a node's metadata are nodes
    have = [server for server in have if plan.GROUP in server.metadata]
    return plan.steps(wanted, wishes, have), have, wanted, wishes


def _result(steps: Sequence[Step], have: Sequence[Server], wanted: Mapping[str, Group]) -> Result:
    before = {server.name: server.status for server in have}
    return Result(tuple(steps), before, dict.fromkeys(wanted, 'ACTIVE'))


Choices = dict[str, tuple[Blueprint, tuple[Rejected, ...]]]


def _apply(
    place: Site,
    request: Request,
    booter: Booter,
    key: Key,
    steps: Sequence[Step],
    wanted: Mapping[str, Group],
    wishes: Mapping[str, str],
) -> tuple[dict[str, Server], Choices]:
    """Carry the steps out; returns the servers by name and, per group that got nodes, what was chosen."""
    offer = functools.cache(lambda: observe.offer(place.cloud, place.clock))
    builder = network.Builder(place.cloud, place.own, place.mark, place.clock, lambda text: place.say(text, ''))
    ground = functools.cache(lambda: builder.ground(request.topology, offer().networks))
    missing = {step.name: wanted[step.name] for step in steps if step.action in ('create', 'replace')}
    # chosen before anything is deleted: an impossible wish costs nobody a node
    groups = {group.name: group for group in missing.values()}
    choices = {name: _blueprint(group, offer(), wishes[name]) for name, group in groups.items()}
    booter.delete([step for step in steps if step.server])
    if missing:
        ground()
        _key_pair(place, key)
        booter.create({name: choices[group.name][0] for name, group in missing.items()}, ground())
    return booter.wait(wanted, ground), choices


def _blueprint(group: Group, offer: Offer, wish: str) -> tuple[Blueprint, tuple[Rejected, ...]]:
    images = choose.images(group.image, offer.images)
    flavors = choose.flavors(group.flavor, offer.flavors, images.best)
    zones = choose.zones(group.zones, offer.zones) if group.zones else None
    attempts = blueprint.attempts(group, flavors.fitting, [z.name for z in zones.fitting] if zones else (), images.best)
    choose.user_of(images.best)  # an image without a known user is of no use: say so before anything is made
    fallbacks = tuple(Rejected(f.name, 'fits, but another comes first') for f in flavors.fitting[1:])
    others = tuple(Rejected(i.name, 'fits, but another comes first') for i in images.fitting[1:])
    passed_over = fallbacks + flavors.passed_over + others + images.passed_over + (zones.passed_over if zones else ())
    return Blueprint(group, images.best, attempts, wish), passed_over


def _chosen(choices: Choices) -> tuple[Chosen, ...]:
    return tuple(
        Chosen(
            name,
            print_.best.flavor.name,
            f'{print_.image.name} ({print_.image.id})',
            print_.best.volume,
            tuple(map(str, print_.attempts)),
            passed_over,
        )
        for name, (print_, passed_over) in choices.items()
    )


def _existing_pair(cloud: Cloud, own: Names, clock: Clock) -> Any | None:
    """The run's key pair, None without one."""

    def find() -> Any | None:
        try:
            return cloud.sdk.compute.get_keypair(own.prefix)
        except failures.sdk_errors() as error:
            if failures.is_missing(error):
                return None
            raise

    with failures.cloud_errors('cannot look at', f'key pair {own.prefix}'):
        return retry.reading(find, clock)


def _key_pair(place: Site, key: Key) -> None:
    """The run's key pair in Nova, replaced when it holds another key: nobody else uses that name."""
    compute, name, clock = place.sdk.compute, place.own.prefix, place.clock
    pair = _existing_pair(place.cloud, place.own, clock)
    if pair and pair.public_key.split()[:2] == key.public.split()[:2]:
        return
    with failures.cloud_errors('cannot create', f'key pair {name}'):
        if pair:
            retry.deleting(lambda: compute.delete_keypair(name), clock)
        retry.creating(
            lambda: compute.create_keypair(name=name, public_key=key.public),
            lambda: _existing_pair(place.cloud, place.own, clock),
            clock,
        )


def _keep_consoles(request: Request, booter: Booter) -> None:
    """Console logs of nodes that did not become usable, and the reason of each in one line."""
    for name, state in booter.nodes.items():
        if not state.trouble:
            continue
        text = booter.console(state.server) if state.server else ''
        told = state.diagnosis or (console.diagnose(text) if text.strip() else '')
        why = request.redact(state.trouble if told in state.trouble else f'{state.trouble}; {told}')
        request.troubles[name] = why
        request.say(why, name)
        if request.logs and text:
            path = request.logs / f'{name}.console.log'
            request.logs.mkdir(parents=True, exist_ok=True)
            files.write_atomic(path, request.redact(text))
            request.say(f'console log kept in {path}', name)
