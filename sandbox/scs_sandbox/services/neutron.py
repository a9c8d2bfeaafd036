"""Neutron: a mechanism driver that binds every port, an L3 plugin without agents, and the thread that tells the
sandbox's agent.

Whatever changes, a complete snapshot goes to the agent. Changes within a moment share one.
Callers that promise something (a bound port, a floating address) wait until a snapshot younger than their change is
in place, or fail.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy
from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants, context
from neutron_lib import exceptions as lib_exceptions
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_log import log

from ..agent import client
from . import environment, snapshot, tables

LOG = log.getLogger(__name__)
DEBOUNCE = 0.02  # seconds; requests of one client call arrive closer together than that
SETTLE_TIMEOUT = 60.0  # seconds; one pass takes 0.1 s, 50 servers at once on 2 cores some seconds
RETRY = 2.0  # seconds until a snapshot that the agent refused is sent again
WATCHED = (
    resources.NETWORK,
    resources.SUBNET,
    resources.PORT,
    resources.ROUTER,
    resources.ROUTER_INTERFACE,
    resources.ROUTER_GATEWAY,
    resources.FLOATING_IP,
    resources.SECURITY_GROUP,
    resources.SECURITY_GROUP_RULE,
)
ROUTER_PORTS = (constants.DEVICE_OWNER_ROUTER_INTF, constants.DEVICE_OWNER_ROUTER_GW)


class NetworkNotReady(lib_exceptions.ServiceUnavailable):  # type: ignore[misc]
    message = 'The network of the sandbox could not be changed: %(reason)s'


class Synchronizer:
    """Sends snapshots. changed() never blocks, settle() waits for what was changed before it."""

    def __init__(self, state: Path, region: str) -> None:
        self._state, self._region = state, region
        self._condition = threading.Condition()
        self._wanted = self._done = 0
        self._error: str | None = None
        threading.Thread(target=self._loop, daemon=True, name='synchronizer').start()

    def changed(self, *args: Any, **kwargs: Any) -> None:
        """Something changed (also a callback of Neutron's registry)."""
        with self._condition:
            self._wanted += 1
            self._condition.notify_all()

    def settle(self, seconds: float = SETTLE_TIMEOUT) -> None:
        """Until everything changed before this call is in place. Raises NetworkNotReady with the agent's words."""
        limit = time.monotonic() + seconds
        with self._condition:
            self._wanted += 1
            target, self._error = self._wanted, None
            self._condition.notify_all()
            while self._done < target:
                if self._error:
                    raise NetworkNotReady(reason=self._error)
                if not self._condition.wait(max(0.0, limit - time.monotonic())) and time.monotonic() >= limit:
                    raise NetworkNotReady(reason=f'no answer of the agent within {seconds:.0f} s')

    def _loop(self) -> None:
        while True:
            with self._condition:
                while self._wanted == self._done:
                    self._condition.wait()
            time.sleep(DEBOUNCE)
            with self._condition:
                target = self._wanted
            error = self._pass()
            with self._condition:
                self._error = error
                self._done = self._done if error else target
                self._condition.notify_all()
            if error:
                LOG.error('%s', error)
                time.sleep(RETRY)

    def _pass(self) -> str | None:
        """Collect and send once; the error as text, because whoever waits in another thread reports it."""
        began = time.monotonic()
        try:
            found = collect()
            collected = time.monotonic()
            self._send(found)
            LOG.info(
                'network sent: %.2f s to collect, %.2f s until in place',
                collected - began,
                time.monotonic() - collected,
            )
            mark_router_ports_active(found)
        except client.AgentError as error:
            return str(error)
        except Exception as error:  # outermost entry of the thread; objects may vanish
            LOG.exception('cannot send the network')
            return f'cannot read the network from the database: {type(error).__name__}: {error}'
        return None

    def _send(self, own: dict[str, Any]) -> None:
        """The agent gets one snapshot of all regions; those of the others are in files beside ours."""
        directory_ = self._state / 'snapshots'
        directory_.mkdir(mode=0o700, exist_ok=True)
        with (directory_ / 'lock').open('a') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            temporary = directory_ / f'{self._region}.new'
            temporary.write_text(json.dumps(own))
            temporary.rename(directory_ / f'{self._region}.json')
            merged = snapshot.merge(json.loads(path.read_text()) for path in sorted(directory_.glob('*.json')))
            client.call(environment.agent_socket(), 'network-apply', snapshot=merged, timeout=SETTLE_TIMEOUT)


def collect() -> dict[str, Any]:
    """All of Neutron's objects that the data plane needs, at one moment."""
    path = sqlalchemy.engine.make_url(cfg.CONF.database.connection).database
    return snapshot.build(**tables.objects(tables.read(Path(str(path)))))


def mark_router_ports_active(sent: dict[str, Any]) -> None:
    """Router ports are up once the agent has them: there is no L3 agent to say so.
    Asked only when the snapshot has new ones."""
    router_ports = {p['id'] for p in sent['ports'] if p['device_owner'] in ROUTER_PORTS}
    fresh = router_ports - _MARKED
    if not fresh:
        return
    admin, core = context.get_admin_context(), directory.get_plugin()
    for port in core.get_ports(admin, {'id': list(fresh), 'status': [constants.PORT_STATUS_DOWN]}, fields=['id']):
        core.update_port_status(admin, port['id'], constants.PORT_STATUS_ACTIVE)
    _MARKED.clear()
    _MARKED.update(router_ports)


_MARKED: set[str] = set()  # used by the synchronizer's thread only
_SYNCHRONIZERS: list[Synchronizer] = []
_LOCK = threading.Lock()


def synchronizer() -> Synchronizer:
    """The one of this process, made at first use."""
    with _LOCK:
        if not _SYNCHRONIZERS:
            _SYNCHRONIZERS.append(Synchronizer(environment.state(), os.environ[environment.REGION]))
    return _SYNCHRONIZERS[0]


class SandboxMechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds every port and waits until the network of a server's port is there."""

    def initialize(self) -> None:
        sync = synchronizer()
        for resource in WATCHED:
            for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
                registry.subscribe(sync.changed, resource, event)
        registry.subscribe(sync.changed, resources.PROCESS, events.AFTER_INIT)

    def bind_port(self, context: Any) -> None:
        segment = next(iter(context.segments_to_bind))
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS,
            {portbindings.CAP_PORT_FILTER: True},
            status=constants.PORT_STATUS_ACTIVE,
        )

    def update_port_postcommit(self, context: Any) -> None:
        """Nova binds the port right before it starts the server: by then the network has to know it."""
        bound_now = context.host and (
            context.original_host != context.host or context.original_vif_type != context.vif_type
        )
        if bound_now and context.current['device_owner'].startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX):
            synchronizer().settle()


class SandboxL3Plugin(l3_router_plugin.L3RouterPlugin):  # type: ignore[misc]
    """L3 without agents: a call returns when the agent has carried it out."""

    def create_floatingip(
        self, context: Any, floatingip: Any, initial_status: str = constants.FLOATINGIP_STATUS_ACTIVE
    ) -> Any:
        made = super().create_floatingip(context, floatingip)
        if made.get('port_id'):
            try:
                synchronizer().settle()
            except NetworkNotReady:
                super().delete_floatingip(context, made['id'])
                raise
        return self._with_status(context, made)

    def update_floatingip(self, context: Any, id: str, floatingip: Any) -> Any:
        changed = super().update_floatingip(context, id, floatingip)
        synchronizer().settle()  # also without a port: the address has to be free again
        return self._with_status(context, changed)

    def delete_floatingip(self, context: Any, id: str) -> None:
        super().delete_floatingip(context, id)
        synchronizer().changed()

    def disassociate_floatingips(self, context: Any, port_id: str) -> Any:
        result = super().disassociate_floatingips(context, port_id)
        synchronizer().changed()
        return result

    def _with_status(self, context: Any, address: Any) -> Any:
        status = constants.FLOATINGIP_STATUS_ACTIVE if address.get('port_id') else constants.FLOATINGIP_STATUS_DOWN
        if address['status'] != status:
            self.update_floatingip_status(context.elevated(), address['id'], status)
            address['status'] = status
        return address
