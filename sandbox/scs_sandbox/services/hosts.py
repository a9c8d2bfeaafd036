"""Compute hosts that are down on request: {"nova": {"hosts": {"compute-b": {"down": true}}}} in faults.json.

All servers of the host lose power at once, and its service stops to report, as if its last report were too old already.
Nova itself notices nothing else: its servers stay ACTIVE, whatever is asked of the host waits. Back again, the host
starts the servers that Nova still knows as running, and removes those that Nova deleted meanwhile.

And own_volumes(), because the services of all hosts are in one process here.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nova import context, exception, objects
from nova.compute import vm_states
from nova.db.main import api as database
from nova.servicegroup.drivers import db as servicegroup
from nova.virt import block_device
from oslo_log import log
from oslo_utils import timeutils

from ..agent import client
from . import environment

LOG = log.getLogger(__name__)
PAUSE = 0.5  # seconds between looks at the faults
AGENT_TIMEOUT = 60.0  # seconds; to lose power takes a tenth of a second per server
SILENT = timedelta(hours=1)  # age of the last report of a host that is down; longer than any service_down_time


def is_down(host: str) -> bool:
    """Whether a compute host shall be down."""
    return bool(environment.faults('nova', host).get('down'))


def silence_reports() -> None:
    """Let the services of hosts that are down report nothing. Before the services start."""
    original = servicegroup.DbDriver._report_state

    def report(self: Any, service: Any) -> None:
        if not is_down(service.host):
            original(self, service)

    servicegroup.DbDriver._report_state = report


def own_volumes() -> None:
    """Let each compute service detach the volumes of its own servers. Before the services start.

    Nova compares the server's host with CONF.host, which is one value in a process; of a server on another host it
    believes that somebody else detaches, and the volume would be available in Cinder and still in the server.
    """
    kind = block_device.DriverVolumeBlockDevice
    original, own = kind._do_detach, _OwnConfiguration(block_device.CONF)

    def detach(
        self: Any, context: Any, instance: Any, volume_api: Any, virt_driver: Any, *rest: Any, **more: Any
    ) -> None:
        own.names.host = virt_driver._host
        original(self, context, instance, volume_api, virt_driver, *rest, **more)

    block_device.CONF, kind._do_detach = own, detach


class _OwnConfiguration:
    """Nova's configuration, with the host that the thread works for."""

    def __init__(self, configuration: Any) -> None:
        self._configuration, self.names = configuration, threading.local()

    @property
    def host(self) -> str:
        return str(getattr(self.names, 'host', self._configuration.host))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configuration, name)


class Hosts:
    """Takes compute hosts down and up again as the faults say. services: host to its compute service."""

    def __init__(self, services: Mapping[str, Any]) -> None:
        self._services = services
        self._path = environment.hosts_record()
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._down: dict[str, list[str]] = json.loads(self._path.read_text()) if self._path.exists() else {}
        for host in self._down:  # this process was restarted meanwhile and has reported once
            self._age(host)
        threading.Thread(target=self._loop, daemon=True, name='hosts').start()

    def _loop(self) -> None:
        while True:
            for host in self._services:
                try:
                    self._look(host)
                except Exception:  # outermost entry of the thread; the next look tries again
                    LOG.exception('cannot change the power of host %s', host)
            time.sleep(PAUSE)

    def _look(self, host: str) -> None:
        wanted = is_down(host)
        if wanted and host not in self._down:
            self._age(host)
            servers = [server.uuid for server in objects.InstanceList.get_by_host(context.get_admin_context(), host)]
            for server in servers:
                _ask('server-power', id=server, on=False)
            self._record({**self._down, host: servers})
            LOG.warning('host %s is down, %d servers lost power', host, len(servers))
        elif not wanted and host in self._down:
            for server in self._down[host]:
                self._restore(host, server)
            self._report(host)
            self._record({name: servers for name, servers in self._down.items() if name != host})
            LOG.warning('host %s is up again', host)

    def _restore(self, host: str, server: str) -> None:
        try:
            instance = objects.Instance.get_by_uuid(context.get_admin_context(), server)
        except exception.InstanceNotFound:
            _ask('server-delete', id=server)
            return
        if instance.host == host and instance.vm_state == vm_states.ACTIVE:
            _ask('server-power', id=server, on=True)

    def _age(self, host: str) -> None:
        database.service_update(
            context.get_admin_context(),
            self._services[host].service_ref.id,
            {'last_seen_up': timeutils.utcnow() - SILENT},
        )

    def _report(self, host: str) -> None:
        reference = self._services[host].service_ref
        reference.report_count += 1
        reference.save()

    def _record(self, down: dict[str, list[str]]) -> None:
        fresh = self._path.with_name(f'{self._path.name}.{os.getpid()}.new')
        fresh.write_text(json.dumps(down))
        fresh.rename(self._path)
        self._down = down


def _ask(op: str, **arguments: Any) -> None:
    """A server that the agent does not know, because it never started, has no power to lose."""
    try:
        client.call(environment.agent_socket(), op, timeout=AGENT_TIMEOUT, **arguments)
    except client.AgentError as error:
        if 'nobody has asked for it' not in str(error):
            raise
