"""Octavia's providers `amphora` and `ovn`: HAProxy in place of amphorae and of OVN, run by the sandbox's agent.

What is Octavia's own stays so: the amphora provider's checks of requests, its template of HAProxy's configuration, its
security group on the port of the address. Only the controller's place is taken, by the one thread of Synchronizer: it
looks for what is pending, tells the agent all load balancers of the region, and writes back what became of them.

faults.json, section octavia: {"delay": seconds} before objects settle.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from octavia.api.drivers.amphora_driver.v2 import driver as amphora
from octavia.api.drivers.driver_agent import driver_updater
from octavia.common import data_models, utils
from octavia.common import exceptions as octavia_exceptions
from octavia.common.jinja.haproxy.combined_listeners import jinja_cfg
from octavia.db import api as db_api
from octavia.db import models, repositories
from octavia.network import base as network
from octavia.statistics import stats_base
from octavia_lib.api.drivers import exceptions, provider_base
from octavia_lib.api.drivers.data_models import UnsetType
from openstack import exceptions as sdk_exceptions
from oslo_log import log

from ..agent import client
from ..balancers import proxy
from ..balancers.model import Place
from . import balancing, environment

LOG = log.getLogger(__name__)
DELAY = 0.3  # seconds; long enough that clients see PENDING_CREATE
QUICK, IDLE = 0.1, 1.0  # seconds between looks while something is asked for, and else
BUSY = 3.0  # seconds after a request for which the looks are quick; its transaction may end after the driver was called
HEALTH = 2.0  # seconds between reports; Octavia's own heartbeats come every 10 s
REFRESH = 30.0  # seconds after which the agent is told again, whatever happened
APPLY_TIMEOUT = 60.0  # seconds; the agent waits up to 15 s for a port, a proxy starts in 0.1 s
HAPROXY = ('2', '6')  # the oldest that Debian 12 and Ubuntu 24.04 have; the template asks for it
LOGGED = '127.0.0.1:514'  # where nobody listens: connections are not logged
BALANCED = ('TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2')
SOURCE_IP_PORT = 'SOURCE_IP_PORT'


def refuse(text: str) -> None:
    """Refuse a request as a provider does: 501 with this text."""
    raise exceptions.UnsupportedOptionError(user_fault_string=text, operator_fault_string=text)


def _set(value: Any) -> bool:
    """Whether a field of a request was given."""
    return bool(value) and not isinstance(value, UnsetType)


class Notifier:
    """In place of the messages to Octavia's controller: it reads what to do from the database."""

    def cast(self, *args: Any, **kwargs: Any) -> None:
        synchronizer().changed()


class SandboxAmphora(amphora.AmphoraProviderDriver):  # type: ignore[misc]
    """The amphora provider with its own checks; what the sandbox cannot balance is refused, not pretended."""

    title = 'Amphora provider of the sandbox'
    protocols: tuple[str, ...] = BALANCED

    def __init__(self) -> None:
        provider_base.ProviderDriver.__init__(self)
        self.client = Notifier()
        self.repositories = repositories.Repositories()

    def _check_protocol(self, protocol: Any) -> None:
        if _set(protocol) and protocol not in self.protocols:
            refuse(f'{self.title} does not support {protocol} protocol. Supported: {", ".join(self.protocols)}')

    def create_vip_port(
        self, loadbalancer_id: str, project_id: str, vip_dictionary: Any, additional_vip_dicts: Any
    ) -> Any:
        if additional_vip_dicts:
            refuse(f'{self.title} does not support additional VIPs.')
        return super().create_vip_port(loadbalancer_id, project_id, vip_dictionary, additional_vip_dicts)

    def listener_create(self, listener: Any) -> None:
        self._check_protocol(listener.protocol)
        super().listener_create(listener)

    def pool_create(self, pool: Any) -> None:
        self._check_protocol(pool.protocol)
        super().pool_create(pool)


class SandboxOvn(SandboxAmphora):
    """The limits of ovn-octavia-provider: layer 4 only, one algorithm, no lists of clients."""

    title = 'OVN provider'
    protocols = ('TCP',)
    monitors = ('TCP',)

    def create_vip_port(
        self, loadbalancer_id: str, project_id: str, vip_dictionary: Any, additional_vip_dicts: Any
    ) -> Any:
        if additional_vip_dicts:
            refuse(f'{self.title} of the sandbox does not support additional VIPs.')
        raise exceptions.NotImplementedError()  # Octavia makes the port itself then

    def _validate_pool_algorithm(self, pool: Any) -> None:
        if _set(pool.lb_algorithm) and pool.lb_algorithm != SOURCE_IP_PORT:
            refuse(f'{self.title} does not support {pool.lb_algorithm} algorithm.')

    def _check_clients(self, listener: Any) -> None:
        if _set(listener.allowed_cidrs):
            refuse(f'{self.title} does not support allowed_cidrs option')

    def listener_create(self, listener: Any) -> None:
        self._check_clients(listener)
        super().listener_create(listener)

    def listener_update(self, old_listener: Any, new_listener: Any) -> None:
        self._check_clients(new_listener)
        super().listener_update(old_listener, new_listener)

    def health_monitor_create(self, healthmonitor: Any) -> None:
        if healthmonitor.type not in self.monitors:
            refuse(
                f'{self.title} does not support {healthmonitor.type} health monitor type. '
                f'Supported types: {", ".join(self.monitors)}'
            )
        super().health_monitor_create(healthmonitor)

    def l7policy_create(self, l7policy: Any) -> None:
        refuse(f'{self.title} does not support L7 policies.')

    def l7rule_create(self, l7rule: Any) -> None:
        refuse(f'{self.title} does not support L7 rules.')


# Octavia's own entry point `amphora` leads here: two of one name are refused.
amphora.AmphoraProviderDriver = SandboxAmphora


class Synchronizer:
    """Carries out what is pending. Its pass is the only writer of statuses, so nothing is overtaken."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._place = Place(environment.state(), '')
        self._wake = threading.Event()
        self._busy_until = self._looked = self._told = 0.0
        self._first_seen: dict[str, float] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        self._counters: dict[str, dict[str, Any]] = {}
        self._network: Any = None
        threading.Thread(target=self._loop, daemon=True, name='synchronizer').start()

    def changed(self) -> None:
        """Something was asked for; never blocks."""
        self._busy_until = time.monotonic() + BUSY
        self._wake.set()

    def _loop(self) -> None:
        while True:
            busy = self._first_seen or time.monotonic() < self._busy_until
            self._wake.wait(QUICK if busy else IDLE)
            self._wake.clear()
            try:
                self._pass()
            except Exception:  # outermost entry of the thread; objects may vanish, the next pass sees the rest
                LOG.exception('cannot look after the load balancers')
                time.sleep(IDLE)

    def _pass(self) -> None:
        statuses = provisioning_statuses()
        now = time.monotonic()
        due = self._due(statuses, now)
        if not due and (now - self._looked < HEALTH or not (statuses or self._documents)):
            return
        self._looked = now
        balancers = [found for identifier in statuses if (found := load(identifier))]
        failed = self._carry_out(balancers, due) if due or now - self._told > REFRESH else {}
        parts = [balancing.settled(b, failed=b.id in failed) for b in balancers if b.id in due]
        parts += [self._health(b) for b in balancers if b.id not in self._first_seen]
        self._update(balancing.merged(parts))
        for identifier in due:
            self._first_seen.pop(identifier, None)
            self._looked = 0.0  # operating statuses next, from objects as they are now

    def _due(self, statuses: dict[str, str], now: float) -> set[str]:
        """Load balancers that have been pending for long enough. Octavia marks one with each of its parts."""
        pending = {identifier for identifier, status in statuses.items() if status.startswith('PENDING_')}
        self._first_seen = {identifier: self._first_seen.get(identifier, now) for identifier in pending}
        delay = float(environment.faults('octavia').get('delay', DELAY)) if pending else 0.0
        return {identifier for identifier, seen in self._first_seen.items() if now - seen >= delay}

    def _carry_out(self, balancers: list[Any], due: set[str]) -> dict[str, str]:
        """Tell the agent all load balancers; those that are pending and not due as they were before.

        Returns errors by id.
        """
        failed: dict[str, str] = {}
        documents: dict[str, dict[str, Any]] = {}
        for balancer in balancers:
            if balancer.id in self._first_seen and balancer.id not in due:
                documents |= {balancer.id: self._documents[balancer.id]} if balancer.id in self._documents else {}
            elif balancer.provisioning_status != balancing.PENDING_DELETE:
                documents[balancer.id] = self._document(balancer)
        failed |= self._tell(documents)
        for balancer in balancers:
            if balancer.id in due and (error := self._protect(balancer)):
                failed[balancer.id] = error
        for identifier, error in failed.items():
            LOG.error('load balancer %s: %s', identifier, error)
        return failed

    def _tell(self, documents: dict[str, dict[str, Any]]) -> dict[str, str]:
        try:
            answer = client.call(
                environment.agent_socket(),
                'balancers-apply',
                region=self._region,
                balancers=list(documents.values()),
                timeout=APPLY_TIMEOUT,
            )
        except client.AgentError as error:
            return dict.fromkeys(documents, str(error))
        self._documents, self._told = documents, time.monotonic()
        return dict(answer['errors'])

    def _document(self, balancer: Any) -> dict[str, Any]:
        return {
            'id': balancer.id,
            'ports': [balancer.vip.port_id],
            'filtered': balancer.provider != balancing.OVN,
            'config': self._config(balancer),
        }

    def _config(self, balancer: Any) -> str | None:
        """HAProxy's configuration by Octavia's own template, None without anything to listen for."""
        listeners = [
            item for item in balancer.listeners if item.enabled and item.provisioning_status != balancing.PENDING_DELETE
        ]
        if not balancer.enabled or not listeners:
            return None
        template = jinja_cfg.JinjaTemplater(
            base_amp_path=str(self._place.parent), log_http=LOGGED, log_server=LOGGED, connection_logging=False
        )
        socket = str(Place(self._place.state, balancer.id).socket)
        host = data_models.Amphora(id=balancer.id)
        return str(template.build_config(host, listeners, None, HAPROXY, {}, socket_path=socket))

    def _protect(self, balancer: Any) -> str | None:
        """The security group `lb-<id>` on the port of an amphora's address. Returns the error."""
        if balancer.provider == balancing.OVN:
            return None
        try:
            self._network = self._network or utils.get_network_driver()
            if balancer.provisioning_status != balancing.PENDING_DELETE:
                self._network.update_vip_sg(balancer, balancer.vip)
            elif not balancer.vip.octavia_owned:  # else done with the port, when Octavia deletes it
                balancer.vip.load_balancer = balancer
                self._network.deallocate_vip(balancer.vip)
        except (network.NetworkException, octavia_exceptions.OctaviaException, sdk_exceptions.SDKException) as error:
            return f'cannot set the security group of its port: {error}'
        return None

    def _health(self, balancer: Any) -> balancing.Statuses:
        """What the proxy says. One that does not answer says nothing, as an amphora that is down."""
        place = Place(self._place.state, balancer.id)
        seen: dict[str, Any] = {'listeners': {}, 'pools': {}}
        if place.record.exists():
            try:
                seen = balancing.report(proxy.ask(place.socket, 'show stat'))
            except OSError as error:
                LOG.warning('load balancer %s: its proxy does not answer: %s', balancer.id, error)
                return {}
            self._count(seen['counters'])
        return balancing.health(balancer, seen)

    def _count(self, counters: list[dict[str, Any]]) -> None:
        fresh = [row for row in counters if row != self._counters.get(row['id'])]
        rows = [balancing.since(row, self._counters.get(row['id'])) for row in fresh]
        self._counters |= {row['id']: row for row in fresh}
        if rows:
            now = time.time()
            made = [
                data_models.ListenerStatistics(
                    listener_id=row['id'], received_time=now, **{name: row[name] for name in row if name != 'id'}
                )
                for row in rows
            ]
            stats_base.update_stats_via_driver(made, deltas=True)

    @staticmethod
    def _update(statuses: balancing.Statuses) -> None:
        """Freed with a deletion: the port of the address and the quota, by Octavia itself."""
        if statuses:
            kinds = ', '.join(statuses)
            answer = driver_updater.DriverUpdater().update_loadbalancer_status(statuses)
            if answer.get('status_code') != 200:
                LOG.error('Octavia refused the status of %s: %s', kinds, answer)


def provisioning_statuses() -> dict[str, str]:
    """Provisioning status of every load balancer that is not deleted, by id."""
    session = db_api.get_session()
    with session.begin():
        rows = session.query(models.LoadBalancer.id, models.LoadBalancer.provisioning_status)
        return {row[0]: row[1] for row in rows if row[1] != 'DELETED'}


def load(identifier: str) -> Any:
    """A load balancer with everything below it, None when it vanished."""
    session = db_api.get_session()
    with session.begin():
        return repositories.LoadBalancerRepository().get(session, id=identifier)


_SYNCHRONIZERS: list[Synchronizer] = []
_LOCK = threading.Lock()


def synchronizer() -> Synchronizer:
    """The one of this process, made at first use."""
    with _LOCK:
        if not _SYNCHRONIZERS:
            _SYNCHRONIZERS.append(Synchronizer(os.environ[environment.REGION]))
    return _SYNCHRONIZERS[0]
