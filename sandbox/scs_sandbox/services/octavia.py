"""Octavia's provider: objects become ACTIVE and ONLINE after a moment, without amphorae.
Balancing itself is not done yet.

faults.json, section octavia: {"delay": seconds} before objects settle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from octavia.api.drivers.driver_agent import driver_updater
from octavia.api.drivers.noop_driver import driver as noop
from octavia.db import api as db_api
from octavia.db import models
from octavia_lib.api.drivers import exceptions
from oslo_log import log

from . import environment

LOG = log.getLogger(__name__)
DELAY = 0.3  # seconds; long enough that clients see PENDING_CREATE
KINDS = (
    ('members', models.Member),
    ('healthmonitors', models.HealthMonitor),
    ('pools', models.Pool),
    ('l7rules', models.L7Rule),
    ('l7policies', models.L7Policy),
    ('listeners', models.Listener),
    ('loadbalancers', models.LoadBalancer),
)
RESOURCES = ('loadbalancer', 'listener', 'pool', 'member', 'health_monitor', 'l7policy', 'l7rule')
_LOCK = threading.Lock()


def verdict(identifier: str, status: str, parent_gone: bool) -> dict[str, str] | None:
    """What an object in this provisioning status settles to; None when it is settled already."""
    if status == 'PENDING_DELETE' or parent_gone:
        return {'id': identifier, 'provisioning_status': 'DELETED'}
    if status in ('PENDING_CREATE', 'PENDING_UPDATE'):
        return {'id': identifier, 'provisioning_status': 'ACTIVE', 'operating_status': 'ONLINE'}
    return None


def pending(session: Any) -> dict[str, list[dict[str, str]]]:
    """Everything that waits for its provider, in the form of Octavia's status updates: children before their load
    balancer."""
    gone = {row.id for row in session.query(models.LoadBalancer).filter_by(provisioning_status='PENDING_DELETE')}
    statuses: dict[str, list[dict[str, str]]] = {}
    for name, model in KINDS:
        rows = session.query(model).filter(
            model.provisioning_status.like('PENDING_%') | (model.provisioning_status == 'ACTIVE')
        )
        settled = [verdict(o.id, o.provisioning_status, getattr(o, 'load_balancer_id', None) in gone) for o in rows]
        if found := [s for s in settled if s]:
            statuses[name] = found
    return statuses


def settle() -> None:
    """One pass after the delay. Freed with it: the VIP port and the quota, by Octavia itself."""
    time.sleep(float(environment.faults('octavia').get('delay', DELAY)))
    with _LOCK:
        session = db_api.get_session()
        with session.begin():
            statuses = pending(session)
        if not statuses:
            return
        answer = driver_updater.DriverUpdater().update_loadbalancer_status(statuses)
        if answer.get('status_code') != 200:
            LOG.error('Octavia refused the status of %s: %s', ', '.join(statuses), answer)


class SandboxProvider(noop.NoopProviderDriver):  # type: ignore[misc]
    """Accepts everything and settles it."""

    def create_vip_port(self, *args: Any, **kwargs: Any) -> None:
        """Octavia makes the port itself then."""
        raise exceptions.NotImplementedError()


def _accept(name: str) -> Callable[..., None]:
    def accept(self: SandboxProvider, *args: Any, **kwargs: Any) -> None:
        threading.Thread(target=settle, daemon=True, name=f'settle-{name}').start()

    accept.__name__ = name
    return accept


for _verb in ('create', 'delete', 'update'):
    for _resource in RESOURCES:
        setattr(SandboxProvider, f'{_resource}_{_verb}', _accept(f'{_resource}_{_verb}'))
for _name in ('member_batch_update', 'loadbalancer_failover'):
    setattr(SandboxProvider, _name, _accept(_name))
