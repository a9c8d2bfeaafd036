"""What the agent does: one writer per object, desired state first on disk, then in the world."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from ..machines import cgroups, disk, hypervisor, kernel
from ..machines.model import IDENTIFIER, Server, parse_port, parse_server
from ..network import apply
from ..network.model import Snapshot, parse_snapshot
from ..network.plan import Plan, plan
from .balancers import Balancers
from .store import Config, Store
from .volumes import Volumes

NETWORK_WAIT = 15.0  # seconds that a new server waits for the snapshot with its ports; the driver sends it within 1 s
NETWORK_PAUSE = 0.05

log = logging.getLogger('scs_sandbox.agent')


class Worker:
    """Operations of one sandbox; every method may be called by several threads at once."""

    def __init__(self, state: Path, config: Config, layout: cgroups.Layout) -> None:
        self._store = Store(state)
        shared = (*config.shared, *kernel.binds())
        self._host = hypervisor.Host(config.name, state / 'servers', config.images, shared, layout)
        self._host.servers.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._guard = threading.Lock()
        self._sandbox = config.name
        self.volumes = Volumes(state)
        self._balancers = Balancers(state, config.name, self._store)
        self._plan: Plan | None = None
        self._planned_ports: frozenset[str] = frozenset()
        self._errors: dict[str, str] = {}
        self._seen: set[str] = set()

    # -- servers
    # ---------------------------------------------------------------------------------------------------------------

    def server_apply(self, data: Mapping[str, Any]) -> str:
        """Make a server what data says. Returns its state. Raises SandboxError."""
        server = parse_server(data)
        self._store.put_server(data)
        if server.running:
            self._await_network(server)
        return self._converge_server(server.id, asked=True)

    def server_delete(self, server_id: str) -> list[str]:
        """Remove a server. Returns what was removed."""
        _check_id(server_id)
        with self._lock(server_id):
            known = self._desired(server_id)
            self._store.drop_server(server_id)
            self._seen.discard(server_id)
            self._errors.pop(server_id, None)
            released = self.volumes.release(server_id)
            removed = released + hypervisor.delete(self._host, server_id, known.ports if known else ())
        self._tell_peers()
        log.info('server %s deleted: %d things', server_id, len(removed))
        return removed

    def server_reboot(self, server_id: str, *, hard: bool) -> str:
        """Stop and start a server. Returns its state. Raises SandboxError for an unknown one."""
        with self._lock(server_id):
            server = self._known(server_id)
            self._store.put_server({**(self._store.server(server_id) or {}), 'state': 'running'})
            hypervisor.stop(self._host, server_id, hard=hard)
            log.info('server %s rebooted, hard %s', server_id, hard)
            return self._start(server)

    def server_power(self, server_id: str, *, on: bool) -> str:
        """Take a server's power away at once, or give it back. Returns its state. Raises SandboxError for an unknown
        one.
        """
        with self._lock(server_id):
            server = self._known(server_id)
            state = 'running' if on else 'stopped'
            self._store.put_server({**(self._store.server(server_id) or {}), 'state': state})
            log.info('server %s: power %s', server_id, 'on' if on else 'off')
            if on:
                return self._start(server)
            self._seen.discard(server_id)
            hypervisor.stop(self._host, server_id, hard=True)
            return hypervisor.state(self._host, server_id)

    def server_ports(self, server_id: str, ports: Iterable[Mapping[str, Any]]) -> str:
        """Give a server exactly these ports. Returns its state. Raises SandboxError."""
        wanted = list(ports)
        parsed = tuple(map(parse_port, wanted))
        with self._lock(server_id):
            server = self._known(server_id)
            self._store.put_server({**(self._store.server(server_id) or {}), 'ports': wanted})
            changed = replace(server, ports=parsed)
            self._await_network(changed)
            hypervisor.apply_ports(self._host, changed, server.ports)
            return hypervisor.state(self._host, server_id)

    def server_status(self, server_id: str) -> str:
        """State of a server now."""
        _check_id(server_id)
        found = hypervisor.state(self._host, server_id)
        if found != 'running' and server_id in self._seen:
            with self._lock(server_id):
                self._look(server_id)
                found = hypervisor.state(self._host, server_id)
        return found

    # -- network
    # ---------------------------------------------------------------------------------------------------------------

    def network_apply(self, snapshot: Mapping[str, Any]) -> list[str]:
        """Make the network what the newest snapshot says. Returns the changes. Raises SandboxError."""
        parse_snapshot(snapshot)
        with self._guard:
            self._store.put_network(snapshot)
        return self._converge_network()

    # -- load balancers
    # --------------------------------------------------------------------------------------------------------

    def balancers_apply(self, region: str, data: list[Mapping[str, Any]]) -> dict[str, str]:
        """Make the load balancers of a region what data says. Returns errors by id. Raises SandboxError."""
        wanted = self._balancers.put(region, data)
        self._balancers.prune()
        self._wait_for(port for balancer in wanted for port in balancer.ports)
        self._converge_network()
        return self._balancers.converge(self._unplugged())

    def _unplugged(self) -> dict[str, str]:
        return {
            balancer.id: f'cannot plug in load balancer {balancer.id}: ports {", ".join(missing)} are in no network '
            'snapshot\n  next: look whether they exist and whether the network driver sends network-apply'
            for balancer in self._balancers.desired()
            if (missing := self._absent(balancer.ports))
        }

    # -- everything
    # ------------------------------------------------------------------------------------------------------------

    def converge(self, *, whole: bool = True) -> list[str]:
        """One pass over everything. whole: look at the whole network again instead of trusting the last pass.

        Returns errors.
        """
        errors = []
        try:
            self._converge_network(whole=whole)
            self._errors.pop('network', None)
        except SandboxError as error:
            self._errors['network'] = str(error)
            errors.append(str(error))
        errors += self._balancers.converge(self._unplugged()).values()
        for server_id in {*self._store.server_ids(), *self._on_disk()}:
            try:
                self._converge_server(server_id)
            except SandboxError as error:
                self._errors[server_id] = str(error)
                errors.append(str(error))
                log.error('%s', error)
        return errors

    def watch(self) -> None:
        """Look whether a server ended by itself; a reboot from inside is answered with a start. Called every second."""
        for server_id in list(self._seen):
            if hypervisor.init_of(self._host, server_id) is None:
                with self._lock(server_id):
                    self._look(server_id)
        self._balancers.watch()

    def status(self) -> dict[str, Any]:
        """Everything known, for people."""
        servers = []
        for server_id in sorted({*self._store.server_ids(), *self._on_disk()}):
            data = self._store.server(server_id) or {}
            init = hypervisor.init_of(self._host, server_id)
            servers.append(
                {
                    'id': server_id,
                    'name': data.get('name'),
                    'state': hypervisor.state(self._host, server_id),
                    'desired': data.get('state', 'absent') if data else 'absent',
                    'pid': init.pid if init else None,
                    'error': self._errors.get(server_id),
                }
            )
        spaces = self._plan.spaces if self._plan else ()
        return {
            'servers': servers,
            'network': {'namespaces': [space.name for space in spaces]},
            'balancers': self._balancers.status(),
            'error': self._errors.get('network'),
        }

    # -- inside
    # ----------------------------------------------------------------------------------------------------------------

    def _lock(self, key: str) -> threading.RLock:
        with self._guard:
            return self._locks[key]

    def _desired(self, server_id: str) -> Server | None:
        data = self._store.server(server_id)
        return parse_server(data) if data else None

    def _known(self, server_id: str) -> Server:
        _check_id(server_id)
        server = self._desired(server_id)
        if server is None:
            raise SandboxError(
                'cannot find', f'server {server_id}', 'nobody has asked for it', 'send server-apply first'
            )
        return server

    def _on_disk(self) -> list[str]:
        return [path.name for path in self._host.servers.iterdir() if IDENTIFIER.fullmatch(path.name)]

    def _converge_server(self, server_id: str, *, asked: bool = False) -> str:
        """asked: by the cloud. A pass of our own starts no crashed server: the cloud shall see that it crashed."""
        with self._lock(server_id):
            server = self._desired(server_id)
            if server is None:
                self.volumes.release(server_id)
                hypervisor.delete(self._host, server_id, ())
                return 'absent'
            if server.running and server_id in self._seen:
                self._look(server_id)
                server = self._known(server_id)
            if not asked and hypervisor.state(self._host, server_id) == 'crashed':
                return 'crashed'
            if not server.running:
                self._seen.discard(server_id)
                if hypervisor.stop(self._host, server_id):
                    log.info('server %s stopped', server_id)
            else:
                return self._start(server)
            return hypervisor.state(self._host, server_id)

    def _start(self, server: Server) -> str:
        begun = time.monotonic()
        if hypervisor.start(self._host, server):
            log.info('server %s (%s) started in %.2f s', server.id, server.name, time.monotonic() - begun)
        self._seen.add(server.id)
        self._errors.pop(server.id, None)
        self._tell_peers()
        return hypervisor.state(self._host, server.id)

    def _tell_peers(self) -> None:
        """Tell machines with a provided pod network about each other."""
        with self._lock('peers'):
            known = [server for server_id in self._store.server_ids() if (server := self._desired(server_id))]
            for server in known:
                place = self._host.place(server.id)
                if 'cni' in server.features and place.peers.parent.is_dir():
                    fresh = place.peers.with_suffix('.new')
                    fresh.write_text(disk.peers(server, known))
                    fresh.replace(place.peers)

    def _look(self, server_id: str) -> None:
        """Under the server's lock: how did it end?"""
        how = hypervisor.collect(self._host, server_id)
        if how is None:
            return
        self._seen.discard(server_id)
        log.info('server %s ended by itself: %s', server_id, how)
        server = self._desired(server_id)
        if server is None:
            return
        if how == 'reboot':
            self._start(server)
        if how == 'halt':
            self._store.put_server({**(self._store.server(server_id) or {}), 'state': 'stopped'})

    def _await_network(self, server: Server) -> None:
        if missing := self._wait_for(port.id for port in server.ports):
            raise SandboxError(
                'cannot start',
                f'server {server.id}',
                f'ports {", ".join(missing)} were in no network snapshot for {NETWORK_WAIT:.0f} s',
                'look whether the network driver sends network-apply',
            )

    def _wait_for(self, ports: Iterable[str]) -> list[str]:
        """Wait until a snapshot has these ports. Returns those that none had in time."""
        wanted = list(ports)
        limit = time.monotonic() + NETWORK_WAIT
        while (missing := self._absent(wanted)) and time.monotonic() < limit:
            time.sleep(NETWORK_PAUSE)
        return missing

    def _absent(self, ports: Iterable[str]) -> list[str]:
        return [port for port in ports if port not in self._planned_ports]

    def _converge_network(self, *, whole: bool = False) -> list[str]:
        with self._lock('network'):
            with self._guard:
                data = self._store.network()
            snapshot = parse_snapshot(data) if data else Snapshot()
            self._balancers.prune()
            wanted = plan(self._sandbox, snapshot, self._balancers.desired())
            former, self._plan = (None if whole else self._plan), None
            changes = apply.converge(self._sandbox, wanted, former)
            self._plan = wanted
            self._planned_ports = frozenset(port.id for port in snapshot.ports)
        if changes:
            log.info('network: %s', '; '.join(changes))
        return changes


def _check_id(server_id: str) -> None:
    if not IDENTIFIER.fullmatch(server_id):
        raise SandboxError('cannot find', f'server {server_id!r}', 'this is not an id', 'send the id of the server')
