"""Test nodes: plan, then apply, until each can be used over SSH. Run again it converges, whatever happened before."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core import clock as clocks
from ..core import files, shape
from ..core.clock import Clock, SystemClock
from ..core.errors import BootProblem, Problem
from ..core.naming import Names, names
from . import choose, failures, keys, network, observe, parallel, plan, retry, ssh
from .boot import THREADS, Blueprint, Booter
from .connect import Cloud
from .keys import Key
from .marks import Mark
from .model import Group, Node, Rejected, Server, Topology
from .observe import Offer
from .plan import Step

# From the first request to a login on all nodes. Built images on busy clouds need three minutes to boot.
TIMEOUT = 600.0
KNOWN_HOSTS = 'known_hosts'


def _silent(_text: str, _subject: str) -> None:
    """The default of Request.say."""


def _same(text: str) -> str:
    """The default of Request.redact."""
    return text


@dataclass(frozen=True)
class Request:
    """mark: run, owner, expiry. key_dir: for the run's key; public_key: a file given instead.

    logs: for console logs of nodes that fail. known_hosts is kept in key_dir, so that a later call need not ask the
    consoles again.
    """

    mark: Mark
    topology: Topology
    key_dir: Path
    public_key: Path | None = None
    timeout: float = TIMEOUT
    logs: Path | None = None
    say: Callable[[str, str], None] = _silent
    redact: Callable[[str], str] = _same  # for console logs
    clock: Clock = field(default_factory=SystemClock)
    probe: ssh.Probe = field(default_factory=ssh.NetworkProbe)

    @property
    def own(self) -> Names:
        return names(self.mark.run)


@dataclass(frozen=True)
class Result:
    """steps: what had to be done; before: server name to status; nodes: usable ones, empty in check mode."""

    steps: tuple[Step, ...]
    before: dict[str, str]
    wanted: dict[str, str]
    nodes: tuple[Node, ...] = ()

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


def preview(cloud: Cloud, request: Request) -> Result:
    """What present() would do; nothing is written, neither in the cloud nor here."""
    steps, have, wanted, _ = _plan(cloud, request, _key(request, write=False))
    groups = {step.group for step in steps if step.action in ('create', 'replace')}
    offer = observe.offer(cloud) if groups else None
    for group in request.topology.groups:
        if offer and group.name in groups:  # a wish that cannot be met is a finding of check mode, too
            _blueprint(group, offer, '')
    return _result(steps, have, wanted)


def present(cloud: Cloud, request: Request) -> Result:
    """The wanted nodes, usable. A Problem says which node failed and why; console logs of failed nodes are kept."""
    key = _key(request, write=True)
    steps, have, wanted, wishes = _plan(cloud, request, key)
    booter = Booter(cloud, request.own, request.mark, request.clock, request.say, request.timeout)
    try:
        servers, passed_over = _apply(cloud, request, booter, key, steps, wanted, wishes)
        nodes = _usable(request, booter, key, servers, passed_over)
    except Problem:
        _keep_consoles(request, booter)
        raise
    return dataclasses.replace(_result(steps, have, wanted), nodes=nodes)


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
    have = plan.own_servers(observe.servers(cloud, f'{request.own.prefix}-'), request.mark.run)
    # clusters of the run have servers, too; only those with a node's metadata are nodes
    have = [server for server in have if plan.GROUP in server.metadata]
    return plan.steps(wanted, wishes, have), have, wanted, wishes


def _result(steps: Sequence[Step], have: Sequence[Server], wanted: Mapping[str, Group]) -> Result:
    before = {server.name: server.status for server in have}
    return Result(tuple(steps), before, dict.fromkeys(wanted, 'ACTIVE'))


def _apply(
    cloud: Cloud,
    request: Request,
    booter: Booter,
    key: Key,
    steps: Sequence[Step],
    wanted: Mapping[str, Group],
    wishes: Mapping[str, str],
) -> tuple[dict[str, Server], dict[str, tuple[Rejected, ...]]]:
    """Carry the steps out; returns the servers by name and, per group, the candidates passed over."""
    booter.delete([step for step in steps if step.server])
    offer = functools.cache(lambda: observe.offer(cloud))
    builder = network.Builder(cloud, request.own, request.mark, request.clock, lambda text: request.say(text, ''))
    ground = functools.cache(lambda: builder.ground(request.topology, offer().networks))
    missing = {step.name: wanted[step.name] for step in steps if step.action in ('create', 'replace')}
    passed_over: dict[str, tuple[Rejected, ...]] = {}
    if missing:
        blueprints = {}
        for group in {group.name: group for group in missing.values()}.values():
            blueprints[group.name], passed_over[group.name] = _blueprint(group, offer(), wishes[group.name])
        ground()
        _key_pair(cloud, request.own, key, request.clock)
        booter.create({name: blueprints[group.name] for name, group in missing.items()}, ground())
    return booter.wait(wanted, ground), passed_over


def _blueprint(group: Group, offer: Offer, wish: str) -> tuple[Blueprint, tuple[Rejected, ...]]:
    flavors, images = choose.flavors(group.flavor, offer.flavors), choose.images(group.image, offer.images)
    fallbacks = tuple(Rejected(f.name, 'fits, but is larger') for f in flavors.fitting[1:])
    others = tuple(Rejected(i.name, 'fits, but another comes first') for i in images.fitting[1:])
    volume = choose.root_volume(flavors.best, images.best, group.flavor)
    blueprint = Blueprint(group, flavors.best, images.best, volume, wish)
    choose.user_of(images.best)  # an image without a known user is of no use: say so before anything is made
    return blueprint, fallbacks + flavors.passed_over + others + images.passed_over


def _key_pair(cloud: Cloud, own: Names, key: Key, clock: Clock) -> None:
    """The run's key pair in Nova, replaced when it holds another key: nobody else uses that name."""
    compute = cloud.sdk.compute

    def find() -> Any | None:
        try:
            return compute.get_keypair(own.prefix)
        except failures.sdk_errors() as error:
            if failures.is_missing(error):
                return None
            raise

    with failures.cloud_errors('cannot create', f'key pair {own.prefix}'):
        pair = retry.reading(find, clock)
        if pair and pair.public_key.split()[:2] == key.public.split()[:2]:
            return
        if pair:
            retry.deleting(lambda: compute.delete_keypair(own.prefix), clock)
        retry.creating(lambda: compute.create_keypair(name=own.prefix, public_key=key.public), find, clock)


def _usable(
    request: Request,
    booter: Booter,
    key: Key,
    servers: Mapping[str, Server],
    passed_over: Mapping[str, tuple[Rejected, ...]],
) -> tuple[Node, ...]:
    """All nodes over SSH, at the same time; their keys are remembered."""
    remembered = _remembered(request.key_dir / KNOWN_HOSTS)

    def one(server: Server) -> Node:
        node = _node(booter, key, server, passed_over.get(server.metadata.get(plan.GROUP, ''), ()))
        return _reachable(request, booter, key, node, remembered.get(node.address, frozenset()))

    nodes = tuple(parallel.each(one, servers.values(), THREADS, booter.clock))
    lines = sorted(line for node in nodes for line in node.known_hosts)
    files.write_atomic(request.key_dir / KNOWN_HOSTS, '\n'.join(lines) + '\n')
    return nodes


def _node(booter: Booter, key: Key, server: Server, passed_over: tuple[Rejected, ...]) -> Node:
    state, meta = booter.nodes[server.name], server.metadata
    return Node(
        name=server.name,
        id=server.id,
        group=meta.get(plan.GROUP, ''),
        address=state.floating or state.fixed,
        fixed_address=state.fixed,
        user=meta.get(plan.USER, ''),
        flavor=meta.get(plan.FLAVOR, ''),
        image=meta.get(plan.IMAGE, ''),
        zone=server.zone,
        key_file=str(key.private or ''),
        passed_over=passed_over,
        simulated=tuple(part for part in meta.get(plan.SIMULATED, '').split(',') if part),
    )


def _reachable(request: Request, booter: Booter, key: Key, node: Node, remembered: frozenset[str]) -> Node:
    """The node with its host keys, after a proven login; the rest of the time limit is all it gets."""
    clock, left = booter.clock, max(booter.deadline - booter.clock.monotonic(), ssh.ATTEMPT)
    ssh.wait_banner(request.probe, node.name, node.address, left, clock)
    if remembered and request.probe.scan(node.address) == remembered:
        trusted, source = remembered, 'remembered'
    else:
        trusted, source = ssh.trusted_keys(
            request.probe, node.name, node.address, lambda: booter.console(node.id), clock
        )
    lines = ssh.known_hosts(node.address, trusted)
    if key.private:
        _login(request, booter, node, key.private, lines)
    seconds = {**booter.nodes[node.name].seconds, 'ssh': round(clock.monotonic() - booter.start, 2)}
    request.say(f'usable as {node.user}@{node.address}', node.name)
    return dataclasses.replace(
        node, host_keys=tuple(sorted(trusted)), host_keys_from=source, known_hosts=lines, seconds=seconds
    )


def _login(request: Request, booter: Booter, node: Node, private: Path, lines: tuple[str, ...]) -> None:
    """cloud-init writes the user's key some time after sshd starts, so refusals at first are normal."""
    answers: list[str] = []

    def works() -> bool:
        answers.append(request.probe.login(node.address, node.user, private, lines))
        return not answers[-1]

    left = max(booter.deadline - booter.clock.monotonic(), ssh.ATTEMPT)
    try:
        clocks.wait(works, left, f'login on {node.name}', clock=booter.clock)
    except clocks.Expired as error:
        subject = f'node {node.name} as {node.user}@{node.address}'
        advice = 'is the user right (image property image_original_user)? did cloud-init run (see the console log)?'
        raise BootProblem('cannot log in to', subject, answers[-1] + booter.last_words(node.id), advice) from error


def _remembered(path: Path) -> dict[str, frozenset[str]]:
    """Address to host keys, from the file of an earlier call; empty without one."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else ():
        address, _, key = line.partition(' ')
        found.setdefault(address, set()).add(key)
    return {address: frozenset(lines) for address, lines in found.items()}


def _keep_consoles(request: Request, booter: Booter) -> None:
    """Console logs of nodes that did not become usable."""
    if not request.logs:
        return
    for name, state in booter.nodes.items():
        if state.server and (text := booter.console(state.server)):
            request.logs.mkdir(parents=True, exist_ok=True)
            files.write_atomic(request.logs / f'{name}.console.log', request.redact(text))
            request.say(f'console log kept in {request.logs / f"{name}.console.log"}', name)


def listed(cloud: Cloud, run: str) -> list[dict[str, str]]:
    """The run's nodes as the cloud sees them: name, id, status, flavor, image, zone."""
    own = plan.own_servers(observe.servers(cloud, f'{names(run).prefix}-'), run)
    return [
        {
            'name': server.name,
            'id': server.id,
            'status': server.status,
            'flavor': server.metadata.get(plan.FLAVOR, ''),
            'image': server.metadata.get(plan.IMAGE, ''),
            'zone': server.zone,
        }
        for server in own
        if plan.GROUP in server.metadata
    ]
