"""Servers of a run: created in parallel, awaited with one shared list per poll, tried again elsewhere when no host
takes them. Each gets its floating IP as soon as its port is known."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping

from ..core.errors import BootProblem, CapacityProblem, Problem, QuotaProblem
from . import blueprint, console, failures, plan, retry, volumes
from .addresses import Addresses
from .blueprint import Attempt, Blueprint, Ground
from .model import Group, Rejected, Server
from .progress import Progress
from .site import POLL, Site

DELETE_TIMEOUT = 120.0  # s until a replaced server is gone; clouds take ten to thirty


class Booter:
    """Boots and deletes the servers of one run. nodes: what is known of each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.nodes: dict[str, Progress] = collections.defaultdict(Progress)
        self.maker = volumes.Maker(site)
        self.addresses = Addresses(site, self.nodes)
        self.blueprints: dict[str, Blueprint] = {}

    def delete(self, doomed: Iterable[plan.Step]) -> None:
        """Delete servers and wait until they are gone: their quota, names and addresses are needed again."""
        todo = {step.server: step.name for step in doomed}
        if not todo:
            return
        self.site.each(lambda server: self._delete_one(server, todo[server]), todo)
        deadline = self.site.clock.monotonic() + DELETE_TIMEOUT
        while left := [s for s in self.site.servers() if s.id in todo and s.status not in plan.GONE]:
            if self.site.clock.monotonic() > deadline:
                answer = f'{left[0].status}, task {left[0].task or "none"} after {DELETE_TIMEOUT:.0f} s'
                raise BootProblem(
                    'cannot delete', f'server {left[0].name} ({left[0].id})', answer, 'delete it as administrator'
                )
            self.site.clock.sleep(POLL)

    def create(self, names: Mapping[str, Blueprint], ground: Ground) -> None:
        """POST all servers, ten at a time, each with its first attempt."""
        self.blueprints.update(names)
        self._start(names, ground)

    def _start(self, names: Iterable[str], ground: Ground) -> None:
        """The next attempt of each node; one that is refused at once for want of a host goes on to the one after."""
        todo = list(names)
        while todo:
            attempts = {name: self._next(name) for name in todo}
            wishes = {name: volumes.wanted(name, self.blueprints[name], attempts[name]) for name in todo}
            made = self.maker.make(wishes)
            refused = self.site.each(lambda name: self._post(name, attempts[name], ground, made[name]), todo)  # noqa: B023
            todo = [name for name, problem in zip(todo, refused, strict=True) if problem]

    def _next(self, name: str) -> Attempt:
        state = self.nodes[name]
        attempt = self.blueprints[name].attempts[state.tried]
        state.tried += 1
        return attempt

    def _post(self, name: str, attempt: Attempt, ground: Ground, made: tuple[str, ...]) -> Problem | None:
        """Request one server. What keeps another attempt from being made is raised."""
        site, state = self.site, self.nodes[name]
        body = blueprint.body(name, self.blueprints[name], attempt, ground, site.mark, site.own.prefix, made)
        try:
            with failures.cloud_errors('cannot boot', f'node {name}'):
                state.server = str(
                    retry.creating(
                        lambda: site.sdk.compute.create_server(**body).id, lambda: self._lost(name), site.clock
                    )
                )
        except CapacityProblem as problem:
            if not self._passes_over(name, problem.answer):
                raise self._exhausted(name, problem.answer) from problem
            return problem
        state.reached('requested', site.elapsed)
        site.say(f'requested ({attempt}, {self.blueprints[name].image.name})', name)
        return None

    def _lost(self, name: str) -> str | None:
        """Id of a server whose creation was answered with an error although it happened."""
        found = plan.own_servers(self.site.servers(), self.site.mark.run)
        return next((server.id for server in found if server.name == name and server.status != 'ERROR'), None)

    def wait(self, wanted: Mapping[str, Group], ground: Callable[[], Ground]) -> dict[str, Server]:
        """Until every wanted node is ACTIVE and has its addresses; the nodes by name. Otherwise a Problem says why."""
        if self.blueprints:
            self.site.clock.sleep(POLL)  # nothing of a server that was just requested is there yet, not even its port
        while True:
            servers = {s.id: s for s in plan.own_servers(self.site.servers(), self.site.mark.run)}
            self._adopt(wanted, servers.values())
            self._check(wanted, servers, ground)
            self.addresses.complete(wanted, ground)
            if all(self._complete(name, group) for name, group in wanted.items()):
                return {name: servers[self.nodes[name].server] for name in wanted}
            if self.site.late:
                raise self._late(wanted)
            self.site.clock.sleep(POLL)

    def _adopt(self, wanted: Mapping[str, Group], servers: Iterable[Server]) -> None:
        for server in servers:
            if server.name in wanted and not self.nodes[server.name].server:
                self.nodes[server.name].server = server.id

    def _check(self, wanted: Iterable[str], servers: Mapping[str, Server], ground: Callable[[], Ground]) -> None:
        """See how far each node is; those that no host takes are tried elsewhere, all other failures raise."""
        failed: dict[str, Problem] = {}
        again: dict[str, str] = {}
        for name in wanted:
            server = servers.get(self.nodes[name].server)
            self._seen(name, server)
            if server is None:
                failed[name] = self._vanished(name)
            elif server.status == 'ERROR' and failures.NO_HOST_TEXT.search(server.fault):
                if self._passes_over(name, server.fault):
                    again[server.id] = name
                else:
                    failed[name] = self._exhausted(name, server.fault)
            elif server.status == 'ERROR':
                failed[name] = self._failed(server)
        if failed:
            for name, problem in failed.items():
                self.nodes[name].trouble = problem.reason
            raise failures.together(failed)
        if again:
            self.site.each(lambda server: self._delete_one(server, again[server]), again)
            for name in again.values():
                self.nodes[name].again()
            self._start(again.values(), ground())

    def _seen(self, name: str, server: Server | None) -> None:
        state = self.nodes[name]
        if server and server.status != state.status:
            self.site.say(server.status, name)
            state.status = server.status
        if server and server.status == 'ACTIVE':
            state.reached('active', self.site.elapsed)

    def _passes_over(self, name: str, fault: str) -> bool:
        """Remember a failed attempt; True when there is another one. A node that an earlier call made has none left."""
        state, print_ = self.nodes[name], self.blueprints.get(name)
        if print_ is None:
            return False
        tried = print_.attempts[state.tried - 1]
        state.failed.append(Rejected(str(tried), fault))
        left = state.tried < len(print_.attempts) and not self.site.late
        if left:
            self.site.say(f'no host for {tried}, trying {print_.attempts[state.tried]}', name)
        return left

    def _exhausted(self, name: str, fault: str) -> Problem:
        state = self.nodes[name]
        tried = '; '.join(rejected.name for rejected in state.failed) or 'what an earlier call had chosen'
        subject = f'node {name}{f" (server {state.server})" if state.server else ""}'
        advice = 'free capacity, name other zones, or allow larger flavors'
        return CapacityProblem('cannot boot', subject, f'{fault} (tried {tried})', advice)

    def _vanished(self, name: str) -> Problem:
        subject = f'node {name} (server {self.nodes[name].server})'
        return BootProblem('cannot boot', subject, 'it vanished', 'does another job purge this run?')

    def _failed(self, server: Server) -> Problem:
        answer, subject = server.fault or 'status ERROR without a message', f'node {server.name} (server {server.id})'
        if failures.QUOTA_TEXT.search(answer):
            return QuotaProblem(
                'cannot boot', subject, answer, "free or raise the quota; 'scs-ci preflight' tells more"
            )
        return BootProblem(
            'cannot boot', subject, answer, 'see the log of Nova; run again, the server will be replaced'
        )

    def _late(self, wanted: Mapping[str, Group]) -> Problem:
        late = [name for name, group in wanted.items() if not self._complete(name, group)]
        for name in late:
            self.nodes[name].trouble = f'{self.nodes[name].status or "not seen"} at the end of the time limit'
        state = self.nodes[late[0]]
        missing = state.status if state.status != 'ACTIVE' else 'ACTIVE without its addresses'
        answer = f'{missing} after {self.site.elapsed:.0f} s{self.last_words(late[0], state.server)}'
        others = f' and {len(late) - 1} others' if len(late) > 1 else ''
        subject = f'node {late[0]} (server {state.server}){others}'
        return BootProblem('cannot boot', subject, answer, 'raise the limit (--timeout) or see its console')

    def _complete(self, name: str, group: Group) -> bool:
        state = self.nodes[name]
        return bool(state.status == 'ACTIVE' and state.fixed and (state.floating or not group.floating_ip))

    def console(self, server: str) -> str:
        """The end of a server's console log; empty when the cloud does not give it."""
        try:
            output = retry.reading(lambda: self.site.sdk.compute.get_server_console_output(server), self.site.clock)
        except failures.sdk_errors():  # only a help for people: its absence is not worth an error of its own
            return ''
        return str(output.get('output') or '') if isinstance(output, dict) else str(output or '')

    def last_words(self, name: str, server: str, user: str = '') -> str:
        """For a message: what the console says about the cause, or else its last lines, or nothing."""
        text = self.console(server)
        why = console.diagnose(text, user)
        self.nodes[name].diagnosis = why
        if why:
            return f'; {why}'
        return f'; console: {console.last_lines(text, 3)}' if text.strip() else ''

    def _delete_one(self, server: str, name: str) -> None:
        with failures.cloud_errors('cannot delete', f'server {name} ({server})'):
            try:
                retry.deleting(lambda: self.site.sdk.compute.delete_server(server), self.site.clock)
            except failures.sdk_errors() as error:
                if not failures.is_missing(error):  # somebody else's deletion is as good as ours
                    raise
        self.site.say('deleted', name)
