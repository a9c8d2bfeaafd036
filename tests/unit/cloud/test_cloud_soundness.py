"""Preflight beside quotas: credential, clocks, versions, names, health, and who holds what."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
from fake_cloud import FakeCloud, error

from scs_ci.cloud import holders, nameservers, preflight, pulse, soundness
from scs_ci.cloud.inventory import Inventory, Resource
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import Topology
from scs_ci.cloud.pulse import Answer
from scs_ci.cloud.rows import table
from scs_ci.core.errors import CredentialProblem, InfrastructureProblem, NetworkProblem, QuotaProblem

pytestmark = pytest.mark.unit

NOW = datetime.datetime(2026, 11, 27, 12, 0, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
MARK = Mark(RUN, 'ci', '2026-11-25T12:00:00Z')


@pytest.mark.parametrize(
    ('kind', 'token', 'end', 'ok'),
    [
        ('password', NOW + HOUR / 2, None, True),
        ('token', NOW + HOUR / 2, None, False),
        ('token', NOW + 2 * HOUR, None, True),
        ('v3applicationcredential', NOW + HOUR / 2, NOW + HOUR / 2, False),
        ('v3applicationcredential', NOW + HOUR / 2, NOW + HOUR, True),
        ('v3applicationcredential', NOW + HOUR / 2, None, True),
    ],
)
def test_the_login_must_last_until_the_end_of_the_run(
    kind: str, token: datetime.datetime, end: datetime.datetime | None, ok: bool
) -> None:
    row = soundness.credential_row(kind, token, end, NOW + HOUR)
    assert row.ok is ok
    assert row.verdict == ('' if ok else 'credential')


def answered(date: str, seconds: float = 0.2) -> Answer:
    elapsed = datetime.timedelta(seconds=seconds)
    request = SimpleNamespace(url='https://api.scs2:8774/v2.1/servers')
    return pulse.measured(SimpleNamespace(elapsed=elapsed, request=request, headers={'Date': date}), NOW)


@pytest.mark.parametrize(
    ('date', 'ok', 'word'),
    [
        ('Fri, 27 Nov 2026 12:00:00 GMT', True, 'within'),
        ('Fri, 27 Nov 2026 11:59:05 GMT', True, 'within'),
        ('Fri, 27 Nov 2026 12:05:00 GMT', False, '300 s behind service compute'),
        ('Fri, 27 Nov 2026 11:00:00 GMT', False, '3599 s ahead of service compute'),
    ],
)
def test_clocks(date: str, ok: bool, word: str) -> None:
    rows = pulse.rows([answered(date)], {'api.scs2:8774': 'compute'})
    clock = next(row for row in rows if row.kind == 'clock')
    assert clock.ok is ok
    assert word in clock.answer


@pytest.mark.parametrize('date', ['', 'yesterday', 'Fri, 27 Nov 2026 12:00:00'])
def test_without_a_usable_date_nothing_is_said_about_clocks(date: str) -> None:
    assert [row.kind for row in pulse.rows([answered(date)], {})] == ['health']


def test_health_per_service() -> None:
    answers = [Answer('a', 0.1), Answer('a', 0.3), Answer('a', 12.0), Answer('b', 0.5)]
    rows = {row.subject: row.answer for row in pulse.rows(answers, {'a': 'compute', 'b': 'network'})}
    assert rows['service compute'] == '3 answers, in the middle after 0.30 s, the slowest after 12.00 s, slow'
    assert rows['service network'] == '1 answers, in the middle after 0.50 s, the slowest after 0.50 s'


def test_versions_below_the_floor() -> None:
    rows = {
        row.subject: row.ok
        for row in soundness.version_rows({'compute': (2, 60), 'network': (2, 0), 'image': None, 'identity': (3, 14)})
    }
    assert rows == {'API compute': False, 'API network': True, 'API image': None, 'API identity': True}


@pytest.mark.parametrize('problem', [TypeError('string indices'), KeyError('versions'), error(404, 'no versions here')])
def test_a_service_that_tells_no_version_is_unknown_and_no_crash(problem: Exception) -> None:
    def ask() -> None:
        raise problem

    cloud = FakeCloud().cloud
    cloud.sdk.load_balancer.get_endpoint_data = ask
    assert soundness.versions(cloud, ('load-balancer', 'compute')) == {'load-balancer': None, 'compute': (3, 99)}


def test_a_major_version_alone_says_nothing_about_microversions() -> None:
    """keystoneauth knows it from the address of a Nova that does not answer: that is no Nova that is too old."""
    cloud = FakeCloud().cloud
    silent = SimpleNamespace(max_microversion=None, api_version=(2, 1))
    cloud.sdk.compute.get_endpoint_data = cloud.sdk.network.get_endpoint_data = lambda: silent
    assert soundness.versions(cloud, ('compute', 'network')) == {'compute': None, 'network': (2, 1)}


def test_names_of_the_catalog_are_looked_up_and_addresses_are_not() -> None:
    def lookup(host: str) -> list[str]:
        if host == 'gone.scs2':
            raise OSError('Name or service not known')
        return ['192.0.2.7']

    addresses = {
        'identity': 'https://api.scs2:5000/v3',
        'compute': 'https://gone.scs2:8774',
        'image': 'https://gone.scs2:9292',
        'network': 'http://192.0.2.1:9',
        'block-storage': 'http://[2001:db8::1]:9/x',
    }
    rows = {row.subject: row for row in soundness.name_rows(addresses, lookup)}
    assert {name: (row.ok, row.verdict) for name, row in rows.items()} == {
        'name api.scs2': (True, ''),
        'name gone.scs2': (False, 'network'),
    }
    assert 'not known (address of compute, image in the catalog)' in rows['name gone.scs2'].answer


def test_a_name_that_leads_nowhere_is_a_shortfall_and_nobody_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str) -> list[str]:
        raise OSError('Name or service not known')

    fake = FakeCloud()
    cloud = fake.cloud
    monkeypatch.setattr(soundness, 'resolve', lookup)
    cloud.sdk.endpoint_for = lambda service: f'https://{service}.scs2' if service != 'network' else 'http://192.0.2.1'
    found = preflight.check(cloud, RUN, Topology(), ())
    assert [row.subject for row in found.shortfalls] == [
        f'name {service}.scs2' for service in soundness.SERVICES if service != 'network'
    ]
    assert type(found.problem()) is NetworkProblem
    assert not fake.calls


@pytest.mark.parametrize(('bypass', 'looked_up'), [('', []), ('.scs2', ['api.scs2'])])
def test_behind_a_proxy_names_need_not_be_known_here(
    monkeypatch: pytest.MonkeyPatch, bypass: str, looked_up: list[str]
) -> None:
    seen: list[str] = []

    def lookup(host: str) -> list[str]:
        seen.append(host)
        return ['192.0.2.7']

    cloud = FakeCloud().cloud
    cloud.sdk.endpoint_for = lambda service: 'https://api.scs2'
    monkeypatch.setattr(soundness, 'resolve', lookup)
    monkeypatch.setenv('https_proxy', 'http://192.0.2.9:3128')
    monkeypatch.setenv('no_proxy', bypass)
    soundness.rows(cloud, NOW)
    assert seen == looked_up


@pytest.mark.parametrize(
    ('server', 'family', 'why'),
    [
        ('9.9.9.9', 4, ''),
        ('2620:fe::9', 6, ''),
        ('10.254.0.2', 4, ''),
        ('dns.example', 4, 'is no IP address'),
        ('9.9.9.9/32', 4, 'is no IP address'),
        ('', 4, 'is no IP address'),
        ('2620:fe::9', 4, 'is of IPv6, the subnet of IPv4'),
        ('9.9.9.9', 6, 'is of IPv4, the subnet of IPv6'),
        ('0.0.0.0', 4, 'is no address of a host'),
        ('127.0.0.53', 4, 'is no address of a host'),
        ('224.0.0.1', 4, 'is no address of a host'),
    ],
)
def test_name_servers_are_addresses_of_the_family_of_their_subnet(server: str, family: int, why: str) -> None:
    found = nameservers.misfit(server, family)
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_name_servers_of_the_topology_are_shortfalls_all_at_once() -> None:
    found = preflight.check(FakeCloud().cloud, RUN, Topology(dns=('9.9.9.9', 'dns.example', '2620:fe::9')), ())
    rows = {row.subject: (row.ok, row.answer) for row in found.rows if row.subject.startswith('name server')}
    assert rows['name server 9.9.9.9'][0] is True
    assert rows['name server dns.example'] == (False, "is no IP address (the run's own subnet)")
    assert rows['name server 2620:fe::9'] == (False, "is of IPv6, the subnet of IPv4 (the run's own subnet)")
    assert type(found.problem()) is NetworkProblem


def test_name_servers_of_an_existing_network_are_looked_at_in_the_cloud() -> None:
    fake = FakeCloud()
    network = fake.add('network', 'shared')
    four = {'ip_version': 4, 'dns_nameservers': ['9.9.9.9', '0.0.0.0']}
    fake.add('subnet', 'four', network_id=network.id, **four)
    fake.add('subnet', 'six', network_id=network.id, ip_version=6, dns_nameservers=[])
    fake.add('subnet', 'elsewhere', network_id='another', ip_version=4, dns_nameservers=['x'])
    found = preflight.check(fake.cloud, RUN, Topology(network='shared', dns=('ignored there',)), ())
    rows = {row.subject: row.ok for row in found.rows if row.subject.startswith('name server')}
    assert rows == {'name server 9.9.9.9': True, 'name server 0.0.0.0': False}
    assert [row.answer for row in found.shortfalls] == ['is no address of a host that nodes could ask (subnet four)']


def resource(kind: str, name: str = '', description: str = '', marked: bool = False, **details: str) -> Resource:
    return Resource(kind, name, name, '', description, MARK.metadata() if marked else {}, details)


def test_who_holds_what() -> None:
    before = Inventory('p', (
        resource('server', 'a', marked=True), resource('server', 'b', marked=True),
        resource('server', 'scs-ci-7f3a1b2c5d6e-c0-control-plane-x'), resource('server', 'web'),
        resource('floating_ip', '198.18.1.1'), resource('floating_ip', '198.18.1.2', port_id='p'),
        resource('port', 'x', device_owner='compute:nova'),
    ))  # fmt: skip
    assert holders.holders('cores', before) == (
        f'run {RUN} of ci until 2026-11-25T12:00:00Z: 2 servers',
        'run 7f3a1b2c5d6e, its cluster c0: 1 server',
        'somebody without a mark: 1 server',
    )
    assert holders.holders('floating_ips', before) == (
        'somebody without a mark, idle: 1 floating ip',
        'somebody without a mark: 1 floating ip',
    )
    assert holders.holders('ports', before) == ('somebody without a mark (compute:nova): 1 port',)
    assert holders.holders('addresses', before) == ()
    many = Inventory('p', tuple(resource('server', f'scs-ci-{n:012x}-c0') for n in range(9)))
    assert holders.holders('ram', many)[-1] == '3 others'


def test_ports_and_addresses_without_a_mark_belong_to_whom_their_device_does() -> None:
    cluster, run = 'scs-ci-7f3a1b2c5d6e-c0', f'run {RUN} of ci until {MARK.expires}'
    before = Inventory('p', (
        resource('server', 's1', marked=True), resource('server', 'web'), resource('router', 'edge'),
        resource('load_balancer', f'kube_service_{cluster}_default_web'),
        resource('load_balancer', 'theirs', vip_port_id='vip'),
        resource('network', 'n1', marked=True), resource('network', 'n2'),
        resource('port', 'p1', device_id='s1', device_owner='compute:az1', network_id='n2'),
        resource('port', 'p2', device_id='web', device_owner='compute:az1', network_id='n2'),
        resource('port', 'p3', device_id='edge', device_owner='network:router_interface', network_id='n2'),
        resource('port', 'p4', device_id=f'lb-kube_service_{cluster}_default_web', device_owner='Octavia'),
        resource('port', 'vip', device_id='unknown', device_owner='Octavia', network_id='n2'),
        resource('port', 'p5', device_id='dhcp5', device_owner='network:dhcp', network_id='n1'),
        resource('port', 'p6', device_id='dhcp6', device_owner='network:dhcp', network_id='n2'),
        resource('floating_ip', 'f1', port_id='p1'), resource('floating_ip', 'f2', port_id='p2'),
        resource('floating_ip', 'f3', port_id='vip'), resource('floating_ip', 'f4', port_id='not seen'),
        resource('floating_ip', 'f5'),
    ))  # fmt: skip
    assert set(holders.holders('ports', before)) == {
        f'{run}: 2 ports',
        'somebody without a mark (server web): 1 port',
        'somebody without a mark (router edge): 1 port',
        'run 7f3a1b2c5d6e, its cluster c0: 1 port',
        'somebody without a mark (load balancer theirs): 1 port',
        'somebody without a mark (network:dhcp): 1 port',
    }
    assert set(holders.holders('floating_ips', before)) == {
        f'{run}: 1 floating ip',
        'somebody without a mark (server web): 1 floating ip',
        'somebody without a mark (load balancer theirs): 1 floating ip',
        'somebody without a mark: 1 floating ip',
        'somebody without a mark, idle: 1 floating ip',
    }


def test_a_short_quota_names_its_holders() -> None:
    fake = FakeCloud(limit=1)
    fake.add('server', 'web', task_state=None)
    found = preflight.check(fake.cloud, RUN, Topology(), ())
    row = next(row for row in found.rows if row.subject == 'servers')
    assert row.holders == ('somebody without a mark: 1 server',)
    assert 'held by somebody without a mark: 1 server' in table(found.rows)
    assert type(found.problem()) is QuotaProblem


def test_too_old_a_cloud_is_told_before_it_is_asked() -> None:
    fake = FakeCloud()
    fake.versions = {'_Compute': (2, 60)}
    found = preflight.check(fake.cloud, RUN, Topology(), ())
    assert [row.answer for row in found.shortfalls] == ['2.60, needs 2.79']
    assert type(found.problem()) is InfrastructureProblem
    assert not fake.calls


def test_a_cloud_without_networks_is_told() -> None:
    fake = FakeCloud()
    fake.services.discard('network')
    assert [row.subject for row in preflight.check(fake.cloud, RUN, Topology(), ()).shortfalls] == ['service network']


def test_a_credential_that_ends_too_early_is_a_shortfall_of_its_class() -> None:
    fake = FakeCloud()
    cloud = fake.cloud
    cloud.sdk.config.config['auth_type'] = 'token'  # and its token has ended already
    problem = preflight.check(cloud, RUN, Topology(), ()).problem()
    assert type(problem) is CredentialProblem
    assert 'would lose the cloud' in str(problem)
