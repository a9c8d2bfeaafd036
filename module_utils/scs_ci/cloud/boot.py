"""Servers of a run: created in parallel, awaited with one shared list per poll.

Each gets its floating IP as soon as its port is known.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.clock import Clock
from ..core.errors import BootProblem, CapacityProblem, Problem, QuotaProblem
from ..core.naming import Names
from . import choose, failures, marks, observe, parallel, plan, retry
from .connect import Cloud
from .marks import Mark
from .model import Flavor, Group, Image, Server
from .network import Ground

THREADS = 10  # requests in flight: what nodepool found bearable for a cloud's API
POLL = 2.0  # s between two lists; shorter ones slow Nova down more than they gain
DELETE_TIMEOUT = 120.0  # s until a replaced server is gone; clouds take ten to thirty
CONSOLE_LINES = 60  # of a console log in an error or a file: the end of the boot


@dataclass(frozen=True)
class Blueprint:
    """Everything a server POST needs that is equal for a group. volume: GB of the root volume, 0 for none."""

    group: Group
    flavor: Flavor
    image: Image
    volume: int
    wish: str

    def metadata(self) -> dict[str, str]:
        simulated = ','.join(choose.simulated_of(self.image))
        return {
            plan.GROUP: self.group.name,
            plan.WISH: self.wish,
            plan.USER: choose.user_of(self.image),
            plan.FLAVOR: self.flavor.name,
            plan.IMAGE: f'{self.image.name} ({self.image.id})',
            **({plan.SIMULATED: simulated} if simulated else {}),
        }


@dataclass
class Progress:
    """What is known of one node while it boots; seconds since the start of the call."""

    server: str = ''
    status: str = ''
    port: str = ''
    fixed: str = ''
    floating: str = ''
    seconds: dict[str, float] = field(default_factory=dict)


class Booter:
    """Boots and deletes the servers of one run."""

    def __init__(
        self, cloud: Cloud, own: Names, mark: Mark, clock: Clock, say: Callable[[str, str], None], seconds: float
    ) -> None:
        self.cloud, self.own, self.mark, self.say = cloud, own, mark, say
        self.clock = parallel.StoppableClock(clock)
        self.start = clock.monotonic()
        self.deadline = self.start + seconds
        self.nodes: dict[str, Progress] = {}

    def delete(self, doomed: Iterable[plan.Step]) -> None:
        """Delete servers and wait until they are gone: their quota, names and addresses are needed again."""
        todo = {step.server: step.name for step in doomed}
        if not todo:
            return
        self._parallel(lambda server: self._delete_one(server, todo[server]), todo)
        deadline = self.clock.monotonic() + DELETE_TIMEOUT
        while left := [s for s in self._servers() if s.id in todo and s.status not in plan.GONE]:
            if self.clock.monotonic() > deadline:
                answer = f'{left[0].status}, task {left[0].task or "none"} after {DELETE_TIMEOUT:.0f} s'
                raise BootProblem(
                    'cannot delete', f'server {left[0].name} ({left[0].id})', answer, 'delete it as administrator'
                )
            self.clock.sleep(POLL)

    def create(self, names: Mapping[str, Blueprint], ground: Ground) -> None:
        """POST all servers, ten at a time."""
        volumes = self._volumes({name: print_ for name, print_ in names.items() if print_.volume})
        self._parallel(lambda name: self._post(name, names[name], ground, volumes.get(name)), names)

    def _post(self, name: str, blueprint: Blueprint, ground: Ground, volume: str | None) -> None:
        body = self._body(name, blueprint, ground, volume)
        with failures.cloud_errors('cannot boot', f'node {name}'):
            made = retry.creating(
                lambda: self.cloud.sdk.compute.create_server(**body).id, lambda: self._lost(name), self.clock
            )
        state = self._state(name)
        state.server = str(made)
        self._reached(name, 'requested')
        self.say(f'requested ({blueprint.flavor.name}, {blueprint.image.name})', name)

    def _body(self, name: str, blueprint: Blueprint, ground: Ground, volume: str | None) -> dict[str, Any]:
        group = blueprint.group
        body: dict[str, Any] = {
            'name': name,
            'flavor_id': blueprint.flavor.id,
            'networks': [{'uuid': ground.network}],
            'key_name': self.own.prefix,
            'security_groups': [{'name': ground.security_group}],
            'metadata': {**self.mark.metadata(), **blueprint.metadata()},
            # a config drive needs no metadata service, which is the part of clouds that answers late most often
            'config_drive': True,
        }
        if group.zones:
            body['availability_zone'] = group.zones[0]
        if group.user_data:
            body['user_data'] = base64.b64encode(group.user_data.encode()).decode()
        if volume:
            root = {
                'boot_index': 0,
                'source_type': 'volume',
                'destination_type': 'volume',
                'delete_on_termination': True,
            }
            return body | {'block_device_mapping': [{'uuid': volume, **root}], 'image_id': ''}
        return body | {'image_id': blueprint.image.id}

    def _lost(self, name: str) -> str | None:
        """Id of a server whose creation was answered with an error although it happened."""
        found = plan.own_servers(self._servers(), self.mark.run)
        return next((server.id for server in found if server.name == name and server.status != 'ERROR'), None)

    def _volumes(self, names: Mapping[str, Blueprint]) -> dict[str, str]:
        """Root volumes, made here and not by Nova, because Nova could not mark them in the creating request."""
        if not names:
            return {}
        made = dict(zip(names, self._parallel(lambda name: self._post_volume(name, names[name]), names), strict=True))
        while True:
            with failures.cloud_errors('cannot list', f'volumes {self.own.prefix}-*'):
                found = retry.reading(
                    lambda: {v.id: v.status for v in self.cloud.sdk.block_storage.volumes()}, self.clock
                )
            states = {name: found.get(identity, 'missing') for name, identity in made.items()}
            if all(state == 'available' for state in states.values()):
                return made
            bad = {name: state for name, state in states.items() if state.startswith('error') or state == 'missing'}
            if bad or self.clock.monotonic() > self.deadline:
                name, state = next(iter((bad or states).items()))
                raise BootProblem(
                    'cannot boot', f'node {name}', f'its root volume {made[name]} is {state}', 'see the log of Cinder'
                )
            self.clock.sleep(POLL)

    def _post_volume(self, name: str, blueprint: Blueprint) -> str:
        sdk = self.cloud.sdk.block_storage
        body = {
            'name': name,
            'size': blueprint.volume,
            'image_id': blueprint.image.id,
            'metadata': self.mark.metadata(),
        }

        def lost() -> str | None:
            found = (v for v in sdk.volumes() if v.name == name and marks.from_metadata(v.metadata or {}) == self.mark)
            return next((v.id for v in found if v.status in ('creating', 'downloading', 'available')), None)

        with failures.cloud_errors('cannot create', f'root volume of node {name}'):
            return str(retry.creating(lambda: sdk.create_volume(**body).id, lost, self.clock))

    def wait(self, wanted: Mapping[str, Group], ground: Callable[[], Ground]) -> dict[str, Server]:
        """Until every wanted node is ACTIVE and has its addresses; the nodes by name. Otherwise a Problem says why.

        ground is asked only when a floating IP has to be made: a converged call spares those lists.
        """
        while True:
            servers = {s.id: s for s in plan.own_servers(self._servers(), self.mark.run)}
            self._adopt(wanted, servers.values())
            for name in wanted:
                self._check(name, servers.get(self._state(name).server))
            self._addresses(wanted, ground)
            if all(self._complete(name, group) for name, group in wanted.items()):
                return {name: servers[self._state(name).server] for name in wanted}
            if self.clock.monotonic() > self.deadline:
                raise self._late(wanted)
            self.clock.sleep(POLL)

    def _adopt(self, wanted: Mapping[str, Group], servers: Iterable[Server]) -> None:
        for server in servers:
            if server.name in wanted and not self._state(server.name).server:
                self._state(server.name).server = server.id

    def _check(self, name: str, server: Server | None) -> None:
        state = self._state(name)
        if server is None:
            raise BootProblem(
                'cannot boot', f'node {name} (server {state.server})', 'it vanished', 'does another job purge this run?'
            )
        if server.status != state.status:
            self.say(server.status, name)
            state.status = server.status
        if server.status == 'ERROR':
            raise self._failed(server)
        if server.status == 'ACTIVE':
            self._reached(name, 'active')

    def _failed(self, server: Server) -> Problem:
        answer, subject = server.fault or 'status ERROR without a message', f'node {server.name} (server {server.id})'
        if failures.NO_HOST_TEXT.search(answer):
            tried = f'{server.metadata.get(plan.FLAVOR, "?")} in zone {server.zone or "any"}'
            return CapacityProblem(
                'cannot boot', subject, f'{answer} (tried {tried})', 'free capacity, or name another flavor or zone'
            )
        if failures.QUOTA_TEXT.search(answer):
            return QuotaProblem(
                'cannot boot', subject, answer, "free or raise the quota; 'scs-ci preflight' shows the numbers"
            )
        return BootProblem(
            'cannot boot', subject, answer, 'see the log of Nova; run again, the server will be replaced'
        )

    def _late(self, wanted: Mapping[str, Group]) -> Problem:
        name = next(name for name, group in wanted.items() if not self._complete(name, group))
        state = self._state(name)
        missing = state.status if state.status != 'ACTIVE' else 'ACTIVE without its addresses'
        answer = f'{missing} after {self.clock.monotonic() - self.start:.0f} s{self.last_words(state.server)}'
        return BootProblem(
            'cannot boot',
            f'node {name} (server {state.server})',
            answer,
            'raise the limit (--timeout) or see its console',
        )

    def _complete(self, name: str, group: Group) -> bool:
        state = self._state(name)
        return bool(state.status == 'ACTIVE' and state.fixed and (state.floating or not group.floating_ip))

    def _addresses(self, wanted: Mapping[str, Group], ground: Callable[[], Ground]) -> None:
        """Two lists for all nodes; none when every node has its addresses."""
        open_ = [
            n
            for n, group in wanted.items()
            if not self._state(n).fixed or (group.floating_ip and not self._state(n).floating)
        ]
        if not open_:
            return
        self._ports(open_)
        waiting = [n for n in open_ if wanted[n].floating_ip and self._state(n).port and not self._state(n).floating]
        if waiting:
            known = self._floating()
            spare = [address for address in known if not address.port_id]
            self._parallel(lambda name: self._float(name, known, spare, ground), waiting)

    def _ports(self, names: Iterable[str]) -> None:
        sdk = self.cloud.sdk.network
        with failures.cloud_errors('cannot list', f'ports of project {self.cloud.project_id}'):
            found = retry.reading(lambda: list(sdk.ports(project_id=self.cloud.project_id)), self.clock)
        by_server = {port.device_id: port for port in found if port.fixed_ips}
        for name in names:
            state = self._state(name)
            if port := by_server.get(state.server):
                state.port, state.fixed = port.id, port.fixed_ips[0]['ip_address']

    def _floating(self) -> list[Any]:
        """The run's floating IPs, by mark; other people's idle ones are not ours to take."""
        with failures.cloud_errors('cannot list', f'floating IPs of project {self.cloud.project_id}'):
            found = retry.reading(
                lambda: list(self.cloud.sdk.network.ips(project_id=self.cloud.project_id)), self.clock
            )
        return [
            ip for ip in found if (mark := marks.from_description(ip.description or '')) and mark.run == self.mark.run
        ]

    def _float(self, name: str, known: list[Any], spare: list[Any], ground: Callable[[], Ground]) -> None:
        state = self._state(name)
        address = next((ip for ip in known if ip.port_id == state.port), None)
        address = address or self._new_address(name, state.port, spare, ground)
        if not address:
            return
        state.floating = address.floating_ip_address
        self._reached(name, 'address')
        self.say(f'address {state.floating}', name)

    def _new_address(self, name: str, port: str, spare: list[Any], ground: Callable[[], Ground]) -> Any | None:
        """A floating IP on the port: a spare one of the run, or a new one; None when the port is gone meanwhile."""
        sdk = self.cloud.sdk.network
        with failures.cloud_errors('cannot give a floating IP to', f'node {name} (port {port})'):
            try:
                if spare:
                    idle = spare.pop().id  # atomic: two threads never take the same one
                    return retry.reading(lambda: sdk.update_ip(idle, port_id=port), self.clock)
                body = {
                    'floating_network_id': ground().external,
                    'port_id': port,
                    'description': self.mark.description(),
                }
                return retry.creating(
                    lambda: sdk.create_ip(**body), lambda: next(iter(sdk.ips(port_id=port)), None), self.clock
                )
            except failures.sdk_errors() as error:
                if not failures.is_missing(error):
                    raise
        # Nova takes the port of a failing server away; the next list shows its fault, which is the better message
        self._state(name).port = ''
        return None

    def console(self, server: str) -> str:
        """The end of a server's console log; empty when the cloud does not give it."""
        try:
            output = retry.reading(lambda: self.cloud.sdk.compute.get_server_console_output(server), self.clock)
        except failures.sdk_errors():  # only a help for people: its absence is not worth an error of its own
            return ''
        return str(output.get('output') or '') if isinstance(output, dict) else str(output or '')

    def last_words(self, server: str) -> str:
        """The console's last lines for a message, or nothing."""
        lines = [line for line in self.console(server).splitlines() if line.strip()][-3:]
        return f'; console: {" | ".join(lines)}' if lines else ''

    def _delete_one(self, server: str, name: str) -> None:
        with failures.cloud_errors('cannot delete', f'server {name} ({server})'):
            retry.deleting(lambda: self.cloud.sdk.compute.delete_server(server), self.clock)
        self.say('deleted', name)

    def _servers(self) -> list[Server]:
        return observe.servers(self.cloud, f'{self.own.prefix}-')

    def _state(self, name: str) -> Progress:
        return self.nodes.setdefault(name, Progress())

    def _reached(self, name: str, what: str) -> None:
        self._state(name).seconds.setdefault(what, round(self.clock.monotonic() - self.start, 2))

    def _parallel(self, work: Callable[[str], Any], items: Iterable[str]) -> list[Any]:
        """All of them, also when one fails: what was asked for must be known before the first problem is reported."""
        return parallel.each(work, items, THREADS, self.clock)
