"""Names in the lab."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from scs_sandbox.network.model import FloatingIP, Gateway, Interface, Network, Port, Router, Snapshot
from scs_sandbox.resolver.serve import Directory, Resolver, nameservers
from scs_sandbox.resolver.views import views

pytestmark = pytest.mark.unit


def port(identifier: str, network: str, address: str, device: str) -> Port:
    return Port(identifier, network, 'fa:16:3e:00:00:01', (address,), device, 'compute:nova', (), True, ())


SNAPSHOT = Snapshot(
    networks=(Network('ext', True, 1500), Network('a', False, 1450), Network('b', False, 1450)),
    ports=(
        port('1', 'a', '10.0.0.5', 's1'),
        port('2', 'a', '10.0.0.6', 's2'),
        port('3', 'b', '10.0.0.5', 's3'),
        port('4', 'ext', '198.18.1.50', 's4'),
    ),
    routers=(
        Router('r1', Gateway('ext', ('198.18.1.1',), True), (Interface('x', 'a', '10.0.0.1/24'),)),
        Router('r2', Gateway('ext', ('198.18.1.2',), True), (Interface('y', 'b', '10.0.0.1/24'),)),
    ),
    floating_ips=(FloatingIP('f', '198.18.1.11', '10.0.0.5', 'r1'),),
)
HOSTS = {'s1': 'Node-1', 's2': 'node-2', 's3': 'other', 's4': 'outside'}


def ask(resolver: Resolver, client: str, name: str, kind: str = 'A') -> tuple[str, list[str]]:
    reply = resolver.resolve(DNSRecord.question(name, kind), SimpleNamespace(client_address=(client, 5000)))
    return RCODE[reply.header.rcode], [str(row.rdata) for row in reply.rr]


def resolver(**changes: Any) -> Resolver:
    return Resolver(lambda: views(SNAPSHOT, HOSTS), **{'upstream': (), **changes})


@pytest.mark.parametrize(
    ('client', 'name', 'expected'),
    [
        ('198.18.1.1', 'node-2', ['10.0.0.6']),
        ('198.18.1.1', 'NODE-1.openstacklocal.', ['10.0.0.5']),
        ('198.18.1.11', 'node-2', ['10.0.0.6']),
        ('198.18.1.2', 'host-10-0-0-5', ['10.0.0.5']),
        ('198.18.1.50', 'outside', ['198.18.1.50']),
        ('198.19.0.1', 'node-1', ['198.18.1.11']),
    ],
)
def test_a_name_is_seen_in_its_own_networks(client: str, name: str, expected: list[str]) -> None:
    assert ask(resolver(), client, name) == ('NOERROR', expected)


@pytest.mark.parametrize(('client', 'name'), [('198.18.1.2', 'node-1'), ('198.18.1.1', 'other'), ('1.2.3.4', 'node-2')])
def test_and_nowhere_else(client: str, name: str) -> None:
    assert ask(resolver(), client, name) == ('NXDOMAIN', [])


def test_addresses_have_names() -> None:
    assert ask(resolver(), '198.18.1.1', '6.0.0.10.in-addr.arpa', 'PTR') == ('NOERROR', ['node-2.openstacklocal.'])
    assert ask(resolver(), '198.18.1.1', '7.0.0.10.in-addr.arpa', 'PTR')[0] == 'NXDOMAIN'


def test_a_known_name_has_no_address_of_version_six() -> None:
    assert ask(resolver(), '198.18.1.1', 'node-1', 'AAAA') == ('NOERROR', [])


def test_other_names_are_forwarded_and_single_words_are_not() -> None:
    asked: list[str] = []

    def send(request: Any, address: str) -> Any:
        asked.append(f'{request.q.qname} {QTYPE[request.q.qtype]} {address}')
        return request.reply()

    forwarding = resolver(upstream=('9.9.9.9',), send=send)
    assert ask(forwarding, '198.18.1.1', 'example.org')[0] == 'NOERROR'
    assert ask(forwarding, '198.18.1.1', 'nobody')[0] == 'NXDOMAIN'
    assert ask(forwarding, '198.18.1.1', 'nobody.openstacklocal')[0] == 'NXDOMAIN'
    assert asked == ['example.org. A 9.9.9.9']


def test_a_silent_resolver_is_asked_once_in_half_a_minute() -> None:
    now, asked = [0.0], []

    def send(request: Any, address: str) -> Any:
        asked.append(address)
        raise TimeoutError

    silent = resolver(upstream=('9.9.9.9', '8.8.8.8'), send=send, clock=lambda: now[0])
    for _ in range(3):
        assert ask(silent, '198.18.1.1', 'example.org')[0] == 'NXDOMAIN'
    assert asked == ['9.9.9.9', '8.8.8.8']
    now[0] = 31.0
    ask(silent, '198.18.1.1', 'example.org')
    assert len(asked) == 4


def test_the_views_follow_the_desired_state(tmp_path: Path) -> None:
    servers = tmp_path / 'desired' / 'servers'
    servers.mkdir(parents=True)
    directory = Directory(tmp_path)
    assert directory.views().clients == {}
    data = {
        'networks': [{'id': 'ext', 'external': True}],
        'subnets': [],
        'ports': [{'id': 'p', 'network_id': 'ext', 'mac': 'm', 'addresses': ['198.18.1.50'], 'device_id': 's'}],
        'routers': [],
        'floating_ips': [],
        'security_groups': [],
    }
    (tmp_path / 'desired' / 'network.json').write_text(json.dumps(data))
    (servers / 's.json').write_text(json.dumps({'id': 's', 'name': 'late'}))
    os.utime(servers, (1, 1))
    assert directory.views().of('198.18.1.50').forward['late'] == ('198.18.1.50',)


def test_resolvers_of_the_host_are_read() -> None:
    assert nameservers('# x\nsearch a\nnameserver 10.0.0.2\nnameserver\n nameserver ::1\n') == ['10.0.0.2', '::1']
