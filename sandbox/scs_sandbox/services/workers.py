"""What some services do beside their API: settings that must come before the first import of the project, and workers
as threads.

The imports are inside of the functions because each process holds one project only.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cloud.model import COMPUTE_HOSTS, VOLUME_BACKEND
from . import loading

NEIGHBORS = 'SCS_SANDBOX_NEIGHBORS'  # host:port,host:port: what has to listen before compute services start
NEIGHBOR_WAIT = 120.0  # seconds for another service to listen; all start at once, on a loaded host in about 20 s
_RUNNING: list[Any] = []  # workers must not be collected


def nothing(etc: Path) -> None:
    """For services that need neither."""


def prepare_keystone(etc: Path) -> None:
    """Without what takes long and is never used."""
    loading.no_schemas_of_saml()


def prepare_glance(etc: Path) -> None:
    """Its types are described with WSME."""
    loading.order_attributes_as_declared()


def prepare_cinder(etc: Path) -> None:
    """Threads instead of eventlet, and the configuration file on the command line, where Cinder looks for it."""
    import oslo_service.backend

    oslo_service.backend.init_backend(oslo_service.backend.BackendType.THREADING)
    sys.argv = ['cinder-api', '--config-file', str(etc / 'cinder.conf')]


def prepare_octavia(etc: Path) -> None:
    """Octavia's default pool timeout is not valid for SQLite's pool; its configuration file goes on the command
    line."""
    sys.argv = ['octavia-api', '--config-file', str(etc / 'octavia.conf')]
    loading.order_attributes_as_declared()
    import octavia.common.config  # registers the option
    from oslo_config import cfg

    cfg.CONF.set_default('pool_timeout', None, 'database')
    from . import octavia  # noqa: F401 - takes the place of the amphora provider before the API loads it


def start_neutron(etc: Path) -> None:
    """Load the policy now: at the first request it is loaded lazily, and requests beside that one are refused (403)."""
    from neutron import policy

    from . import unused

    policy.init()
    unused.never_load_empty_tables()


def start_nova(etc: Path) -> None:
    """Conductor, three compute services and the scheduler; the hosts are mapped into the cell."""
    import os_brick
    import os_vif
    from nova import context, policy, service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler

    from . import hosts
    from . import nova as driver

    policy.init()  # as in start_neutron
    os_brick.setup(driver.CONF)
    os_vif.initialize()
    for neighbor in filter(None, os.environ.get(NEIGHBORS, '').split(',')):
        host, port = neighbor.rsplit(':', 1)
        wait_for(host, int(port))
    _start(service.Service, binary='nova-conductor', topic=conductor.RPC_TOPIC)
    hosts.silence_reports()
    hosts.own_volumes()
    topics = {'topic': compute.RPC_TOPIC, 'topic_alt': compute.RPC_TOPIC_ALT}
    computes = {name: _start(service.Service, host=name, binary='nova-compute', **topics) for name in COMPUTE_HOSTS}
    host_mapping.discover_hosts(context.get_admin_context(), None)
    _start(service.Service, binary='nova-scheduler', topic=scheduler.RPC_TOPIC)
    _RUNNING.append(hosts.Hosts(computes))


def start_octavia(etc: Path) -> None:
    """The thread in place of Octavia's controller, also for what was pending when the process ended."""
    from octavia.db import api

    from . import octavia, sqlite_writers

    sqlite_writers.install_for(api.session())
    octavia.synchronizer()


def start_cinder(etc: Path) -> None:
    """Volume service and scheduler."""
    from cinder import policy, service

    policy.init()  # as in start_neutron
    lock = threading.Lock()

    class Worker(service.Service):  # type: ignore[misc, name-defined]
        """Service.service_id is an attribute of the class: two services in one process would overwrite each other's
        heartbeat."""

        own_id: Any = None

        def report_state(self) -> None:
            with lock:
                service.Service.service_id = self.own_id
                super().report_state()

    volume = {
        'binary': 'cinder-volume',
        'host': f'{COMPUTE_HOSTS[0]}@{VOLUME_BACKEND}',
        'service_name': VOLUME_BACKEND,
        'coordination': True,
    }
    for arguments in (volume, {'binary': 'cinder-scheduler'}):
        worker = Worker.create(**arguments)
        worker.own_id = service.Service.service_id
        worker.start()
        worker.own_id = service.Service.service_id
        worker.report_state()  # the first report of its own comes after an interval only
        _RUNNING.append(worker)


def wait_for(address: str, port: int, seconds: float = NEIGHBOR_WAIT) -> None:
    """Until something listens there. Raises TimeoutError."""
    limit = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > limit:
                raise TimeoutError(f'nothing listens at {address}:{port} after {seconds:.0f} s') from error
            time.sleep(0.05)


def _start(kind: Any, **arguments: Any) -> Any:
    """Start a service of Nova and report that it is up: the service does so after 5 s only, and until then the last
    report is the one of the template or of the process before, too old for the scheduler to send a server there."""
    worker = kind.create(**arguments)
    worker.start()
    worker.service_ref.report_count += 1
    worker.service_ref.save()
    _RUNNING.append(worker)
    return worker


PREPARE: dict[str, Callable[[Path], None]] = {
    'keystone': prepare_keystone,
    'glance': prepare_glance,
    'cinder': prepare_cinder,
    'octavia': prepare_octavia,
}
START: dict[str, Callable[[Path], None]] = {
    'neutron': start_neutron,
    'nova': start_nova,
    'cinder': start_cinder,
    'octavia': start_octavia,
}
