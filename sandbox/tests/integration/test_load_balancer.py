"""Load balancers that balance: two web servers behind one, asked as any client would. About a minute on 2 cores."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
from cloud_world import WAIT_SECONDS, CloudWorld

from scs_sandbox import names
from scs_sandbox.agent import client

pytestmark = pytest.mark.integration

WEB = """#!/bin/sh
mkdir -p /srv/web
hostname > /srv/web/index.html
cat > /etc/systemd/system/web.service <<END
[Service]
ExecStart=/usr/bin/python3 -m http.server 8080 --directory /srv/web
[Install]
WantedBy=multi-user.target
END
systemctl enable --now web
"""
NAMES = ('web-a', 'web-b')


@dataclass(frozen=True)
class Site:
    """A network with two web servers. servers: name to id. addresses: name to address."""

    network: str
    subnet: str
    servers: dict[str, str]
    addresses: dict[str, str]


@pytest.fixture(scope='module')
def site(cloud: CloudWorld) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield _build(cloud, stack)


def _build(cloud: CloudWorld, stack: contextlib.ExitStack) -> Site:
    def later(function: Callable[[Any], Any]) -> None:
        stack.callback(cloud.ask, function)

    net = cloud.ask(lambda c: c.network.create_network(name='lb'))
    later(lambda c: c.network.delete_network(net))
    subnet = cloud.ask(lambda c: c.network.create_subnet(network_id=net.id, ip_version=4, cidr='10.7.0.0/24'))
    public = cloud.ask(lambda c: c.network.find_network('public').id)
    router = cloud.ask(lambda c: c.network.create_router(name='lb', external_gateway_info={'network_id': public}))
    later(lambda c: c.network.delete_router(router))
    cloud.ask(lambda c: c.network.add_interface_to_router(router, subnet=subnet.id))
    later(lambda c: c.network.remove_interface_from_router(router, subnet=subnet.id))
    group = cloud.ask(lambda c: c.network.create_security_group(name='web'))
    later(lambda c: c.network.delete_security_group(group))
    # Only from the subnet, which is where the load balancer asks from.
    rule = {'direction': 'ingress', 'protocol': 'tcp', 'port_range_min': 8080, 'port_range_max': 8080}
    cloud.ask(
        lambda c: c.network.create_security_group_rule(
            security_group_id=group.id, remote_ip_prefix='10.7.0.0/24', **rule
        )
    )
    stack.callback(cloud.delete_servers)
    data = base64.b64encode(WEB.encode()).decode()
    more = {'user_data': data, 'security_groups': [{'name': 'web'}]}
    servers = {name: cloud.boot(net.id, name, **more) for name in NAMES}
    for server in servers.values():
        assert cloud.wait_server(server, 'ACTIVE', 'ERROR').status == 'ACTIVE'
    ports = {
        name: cloud.ask(lambda c, s=server: next(c.network.ports(device_id=s))) for name, server in servers.items()
    }
    return Site(net.id, subnet.id, servers, {name: port.fixed_ips[0]['ip_address'] for name, port in ports.items()})


@dataclass(frozen=True)
class Balancer:
    """A load balancer with everything below it."""

    id: str
    listener: str
    pool: str
    port: str
    address: str


@contextlib.contextmanager
def balancer(cloud: CloudWorld, site: Site, name: str, provider: str, algorithm: str) -> Iterator[Balancer]:
    """As CAPO makes one, with a floating address; deleted with everything below it."""
    made = cloud.ask(
        lambda c: c.load_balancer.create_load_balancer(name=name, vip_subnet_id=site.subnet, provider=provider)
    )
    floating = None
    try:
        active(cloud, made.id)
        listener = cloud.ask(
            lambda c: (
                c.load_balancer.create_listener(
                    name=name, load_balancer_id=made.id, protocol='TCP', protocol_port=80
                ).id
            )
        )
        active(cloud, made.id)
        pool = cloud.ask(
            lambda c: (
                c.load_balancer.create_pool(name=name, listener_id=listener, protocol='TCP', lb_algorithm=algorithm).id
            )
        )
        active(cloud, made.id)
        watch = {'type': 'TCP', 'delay': 1, 'timeout': 1, 'max_retries': 2, 'max_retries_down': 2}
        cloud.ask(lambda c: c.load_balancer.create_health_monitor(pool_id=pool, **watch))
        active(cloud, made.id)
        for address in site.addresses.values():
            cloud.ask(
                lambda c, a=address: c.load_balancer.create_member(
                    pool, address=a, protocol_port=8080, subnet_id=site.subnet
                )
            )
            active(cloud, made.id)
        floating = cloud.ask(
            lambda c: c.network.create_ip(
                floating_network_id=c.network.find_network('public').id, port_id=made.vip_port_id
            )
        )
        yield Balancer(made.id, listener, pool, made.vip_port_id, floating.floating_ip_address)
    finally:
        if floating:
            cloud.ask(lambda c: c.network.delete_ip(floating))
        cloud.ask(lambda c: c.load_balancer.delete_load_balancer(made.id, cascade=True))
        wait(lambda: not cloud.ask(lambda c: list(c.load_balancer.load_balancers(name=name))), 'it is not deleted')


def wait(condition: Callable[[], object], problem: str, seconds: float = WAIT_SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, problem
        time.sleep(0.2)


def active(cloud: CloudWorld, identifier: str) -> None:
    wait(
        lambda: cloud.ask(lambda c: c.load_balancer.get_load_balancer(identifier).provisioning_status) == 'ACTIVE',
        'the load balancer does not become active',
    )


def fetch(cloud: CloudWorld, address: str, seconds: float = 2.0) -> str:
    """What a web server behind an address says, '' when nobody answers."""

    def ask() -> str:
        try:
            with urllib.request.urlopen(f'http://{address}/', timeout=seconds) as answer:
                return str(answer.read().decode().strip())
        except (urllib.error.URLError, OSError):
            return ''

    return cloud.inside(ask)


def statuses(cloud: CloudWorld, made: Balancer, site: Site) -> dict[str, str]:
    """Operating status of the load balancer, its pool and its members by name of the server."""
    by_address = {address: name for name, address in site.addresses.items()}

    def collect(c: Any) -> dict[str, str]:
        members = {by_address[m.address]: m.operating_status for m in c.load_balancer.members(made.pool)}
        pool = c.load_balancer.get_pool(made.pool).operating_status
        return {'lb': c.load_balancer.get_load_balancer(made.id).operating_status, 'pool': pool, **members}

    return cloud.ask(collect)


def agent_row(cloud: CloudWorld, identifier: str) -> dict[str, Any] | None:
    rows = client.call(str(cloud.state / 'agent.sock'), 'status')['balancers']
    return next((row for row in rows if row['id'] == identifier), None)


def test_it_balances_watches_restarts_filters_and_leaves_nothing(cloud: CloudWorld, site: Site) -> None:
    with balancer(cloud, site, 'web', 'amphora', 'ROUND_ROBIN') as made:
        wait(lambda: set(NAMES) <= {fetch(cloud, made.address) for _ in range(4)}, 'not both servers answer')
        answers = [fetch(cloud, made.address) for _ in range(6)]
        assert sorted(answers) == ['web-a'] * 3 + ['web-b'] * 3
        online = dict.fromkeys(('lb', 'pool', *NAMES), 'ONLINE')
        wait(lambda: statuses(cloud, made, site) == online, f'{statuses(cloud, made, site)}')
        _member_goes_and_comes_back(cloud, site, made, online)
        _killed_proxy_is_restarted(cloud, made)
        _clients_are_filtered(cloud, made)
        wait(
            lambda: cloud.ask(lambda c: c.load_balancer.get_load_balancer_statistics(made.id)).total_connections > 12,
            'connections are not counted over reloads',
        )
    _nothing_is_left(cloud, made)


def _member_goes_and_comes_back(cloud: CloudWorld, site: Site, made: Balancer, online: dict[str, str]) -> None:
    cloud.ask(lambda c: c.compute.stop_server(site.servers['web-b']))
    expected = {'lb': 'DEGRADED', 'pool': 'DEGRADED', 'web-a': 'ONLINE', 'web-b': 'ERROR'}
    wait(lambda: statuses(cloud, made, site) == expected, 'the health monitor does not take the member out')
    assert [fetch(cloud, made.address) for _ in range(4)] == ['web-a'] * 4
    cloud.wait_server(site.servers['web-b'], 'SHUTOFF')
    cloud.ask(lambda c: c.compute.start_server(site.servers['web-b']))
    wait(lambda: statuses(cloud, made, site) == online, 'the member does not come back')
    assert {fetch(cloud, made.address) for _ in range(4)} == set(NAMES)


def _killed_proxy_is_restarted(cloud: CloudWorld, made: Balancer) -> None:
    before = agent_row(cloud, made.id)
    assert before
    assert before['error'] is None
    os.kill(before['pid'], signal.SIGKILL)
    wait(lambda: (agent_row(cloud, made.id) or {}).get('pid') not in (None, before['pid']), 'not started again')
    wait(lambda: fetch(cloud, made.address) in NAMES, 'it does not answer after its proxy was killed')


def _clients_are_filtered(cloud: CloudWorld, made: Balancer) -> None:
    def allow(*cidrs: str) -> None:
        cloud.ask(lambda c: c.load_balancer.update_listener(made.listener, allowed_cidrs=list(cidrs)))
        active(cloud, made.id)

    allow('10.7.0.0/24')
    wait(lambda: fetch(cloud, made.address, 1.0) == '', 'a client that is not allowed gets an answer')
    allow('198.18.0.0/16', '10.7.0.0/24')
    wait(lambda: fetch(cloud, made.address) in NAMES, 'a client that is allowed gets no answer')


def _nothing_is_left(cloud: CloudWorld, made: Balancer) -> None:
    assert agent_row(cloud, made.id) is None
    space = names.balancer_namespace(cloud.name, made.id)
    wait(lambda: not names.namespace_path(space).exists(), f'{space} stays')
    assert not list((cloud.state / 'balancers').glob(f'{made.id}*'))
    assert made.id not in subprocess.run(['ps', 'axww'], capture_output=True, text=True, check=True).stdout
    assert not cloud.ask(lambda c: list(c.network.ports(id=made.port)), 'sandbox-admin')
    groups = cloud.ask(lambda c: [g.name for g in c.network.security_groups()], 'sandbox-admin')
    assert f'lb-{made.id}' not in groups


def test_ovn_balances_with_its_own_limits(cloud: CloudWorld, site: Site) -> None:
    with balancer(cloud, site, 'ovn', 'ovn', 'SOURCE_IP_PORT') as made:
        wait(lambda: fetch(cloud, made.address) in NAMES, 'nobody answers')

        def pool(c: Any) -> Any:
            return c.load_balancer.create_pool(
                loadbalancer_id=made.id, protocol='TCP', lb_algorithm='ROUND_ROBIN', name='refused'
            )

        with pytest.raises(openstack.exceptions.HttpException, match='does not support ROUND_ROBIN algorithm'):
            cloud.ask(pool)
        assert cloud.ask(lambda c: c.load_balancer.get_load_balancer(made.id).provisioning_status) == 'ACTIVE'
        assert not cloud.ask(lambda c: list(c.load_balancer.pools(name='refused')))


@pytest.mark.parametrize('protocol', ['UDP', 'SCTP'])
def test_what_cannot_be_balanced_is_refused(cloud: CloudWorld, site: Site, protocol: str) -> None:
    made = cloud.ask(lambda c: c.load_balancer.create_load_balancer(name='refusing', vip_subnet_id=site.subnet))
    try:
        active(cloud, made.id)
        assert made.provider == 'amphora'
        with pytest.raises(openstack.exceptions.HttpException, match=f'does not support {protocol} protocol'):
            cloud.ask(
                lambda c: c.load_balancer.create_listener(load_balancer_id=made.id, protocol=protocol, protocol_port=53)
            )
    finally:
        cloud.ask(lambda c: c.load_balancer.delete_load_balancer(made.id, cascade=True))
        wait(lambda: not cloud.ask(lambda c: list(c.load_balancer.load_balancers(name='refusing'))), 'it stays')


def test_the_state_of_the_sandbox_is_the_truth(cloud: CloudWorld, site: Site) -> None:
    """A load balancer without listener is there, answers nothing and is online."""
    made = cloud.ask(lambda c: c.load_balancer.create_load_balancer(name='idle', vip_subnet_id=site.subnet))
    try:
        active(cloud, made.id)
        wait(
            lambda: cloud.ask(lambda c: c.load_balancer.get_load_balancer(made.id).operating_status) == 'ONLINE',
            'not online',
        )
        row = agent_row(cloud, made.id)
        assert row == {'id': made.id, 'pid': None, 'error': None}
        assert names.namespace_path(names.balancer_namespace(cloud.name, made.id)).exists()
        assert not Path(cloud.state / 'balancers' / made.id / 'process.json').exists()
    finally:
        cloud.ask(lambda c: c.load_balancer.delete_load_balancer(made.id, cascade=True))
        wait(lambda: not cloud.ask(lambda c: list(c.load_balancer.load_balancers(name='idle'))), 'it stays')
