"""From an ACTIVE server to a node that can be used: SSH answers, its keys are trusted, a login works."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core import clock as clocks
from ..core.errors import BootProblem, Problem
from . import failures, parallel, plan, ssh
from .boot import Booter
from .handover import KNOWN_HOSTS
from .keys import Key
from .model import Node, Rejected, Server
from .site import Site

LOGINS = 30  # nodes that are tried at the same time: each is a machine of its own, the cloud is asked once per node


@dataclass(frozen=True)
class Gate:
    """Lets nodes pass that are usable. directory: of the run's key, may have the known_hosts of an earlier call.

    host_keys: one of ssh.HOST_KEYS.
    """

    site: Site
    booter: Booter
    probe: ssh.Probe
    key: Key
    directory: Path
    host_keys: str = ssh.CONSOLE

    def all(self, servers: Mapping[str, Server], passed_over: Mapping[str, tuple[Rejected, ...]]) -> tuple[Node, ...]:
        """All nodes over SSH, at the same time. One Problem for all that fail."""
        remembered = remembered_keys(self.directory / KNOWN_HOSTS)
        failed: dict[str, Problem] = {}

        def one(name: str) -> Node | None:
            server = servers[name]
            node = self._node(server, passed_over.get(server.metadata.get(plan.GROUP, ''), ()))
            try:
                return self._reachable(node, remembered.get(node.address, frozenset()))
            except Problem as problem:
                failed[name] = problem
                self.booter.nodes[name].trouble = problem.reason
                return None

        nodes = tuple(node for node in parallel.each(one, servers, LOGINS, self.site.clock) if node)
        if failed:
            raise failures.together({name: failed[name] for name in servers if name in failed})
        return nodes

    def _node(self, server: Server, passed_over: tuple[Rejected, ...]) -> Node:
        state, meta = self.booter.nodes[server.name], server.metadata
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
            key_file=str(self.key.private or ''),
            passed_over=(*state.failed, *passed_over),
            simulated=tuple(part for part in meta.get(plan.SIMULATED, '').split(',') if part),
        )

    def _reachable(self, node: Node, remembered: frozenset[str]) -> Node:
        """The node with its host keys, after a proven login; the rest of the time limit is all it gets."""
        clock = self.site.clock
        ssh.wait_banner(self.probe, node.name, node.address, self._left(), clock, lambda: self._words(node))
        if remembered and self.probe.scan(node.address) == remembered:
            trusted, source = remembered, 'remembered'
        else:
            console = (lambda: self.booter.console(node.id)) if self.host_keys == ssh.CONSOLE else None
            trusted, source = ssh.trusted_keys(self.probe, node.name, node.address, console, clock)
        lines = ssh.known_hosts(node.address, trusted)
        if self.key.private:
            self._login(node, self.key.private, lines)
        seconds = {**self.booter.nodes[node.name].seconds, 'ssh': self.site.elapsed}
        self.site.say(f'usable as {node.user}@{node.address}', node.name)
        return dataclasses.replace(
            node, host_keys=tuple(sorted(trusted)), host_keys_from=source, known_hosts=lines, seconds=seconds
        )

    def _login(self, node: Node, private: Path, lines: tuple[str, ...]) -> None:
        """cloud-init writes the user's key some time after sshd starts, so refusals at first are normal."""
        answers: list[str] = []

        def works() -> bool:
            answers.append(self.probe.login(node.address, node.user, private, lines))
            return not answers[-1]

        try:
            clocks.wait(works, self._left(), f'login on {node.name}', clock=self.site.clock)
        except clocks.Expired as error:
            subject = f'node {node.name} as {node.user}@{node.address}'
            advice = 'is the user right (image property image_original_user)? did cloud-init run (see the console log)?'
            answer = answers[-1] + self._words(node, node.user)
            raise BootProblem('cannot log in to', subject, answer, advice) from error

    def _words(self, node: Node, user: str = '') -> str:
        return self.booter.last_words(node.name, node.id, user)

    def _left(self) -> float:
        """What is left of the limit, but enough for one attempt."""
        return max(self.site.clock.deadline - self.site.clock.monotonic(), ssh.ATTEMPT)


def remembered_keys(path: Path) -> dict[str, frozenset[str]]:
    """Address to host keys, from the file of an earlier call; empty without one."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else ():
        address, _, key = line.partition(' ')
        found.setdefault(address, set()).add(key)
    return {address: frozenset(lines) for address, lines in found.items()}
