"""The cloud of a sandbox, asked as any client would."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from cloud_world import WAIT_SECONDS, CloudWorld

from scs_sandbox.cloud.content import FLAVOR_NAMES
from scs_sandbox.services import snapshot, tables

pytestmark = pytest.mark.integration
SERVICES = {'keystone', 'placement', 'glance', 'nova', 'neutron', 'cinder', 'octavia'}


@pytest.fixture(scope='module')
def network(cloud: CloudWorld) -> Iterator[str]:
    """A network of demo1 behind a router, gone afterwards."""

    def make(c: Any) -> tuple[str, str, str]:
        net = c.network.create_network(name='t')
        subnet = c.network.create_subnet(network_id=net.id, ip_version=4, cidr='10.8.0.0/24')
        public = c.network.find_network('public')
        router = c.network.create_router(name='t', external_gateway_info={'network_id': public.id})
        c.network.add_interface_to_router(router, subnet=subnet.id)
        return net.id, subnet.id, router.id

    def remove(c: Any) -> None:
        c.network.remove_interface_from_router(router, subnet=subnet)
        c.network.delete_router(router)
        c.network.delete_network(net)

    net, subnet, router = cloud.ask(make)
    yield net
    cloud.delete_servers()
    cloud.ask(remove)


@pytest.fixture(autouse=True)
def no_servers(cloud: CloudWorld) -> Iterator[None]:
    yield
    cloud.delete_servers()


def test_everything_runs_and_is_shown(cloud: CloudWorld) -> None:
    found = cloud.status()
    assert found['up']
    assert {p['name'].rpartition('/')[2] for p in found['processes']} == SERVICES | {'agent', 'charts'}
    assert found['pss_mib'] > 0


def test_the_tree_of_plain_servers_is_built_and_listed(cloud: CloudWorld) -> None:
    """That of the running sandbox: nothing is built again."""
    (built,) = json.loads(cloud.demand('image', 'build', '--json'))
    tree = Path(built['tree'])
    assert cloud.demand('image', 'build').strip() == str(tree.parent)
    assert tree.parent.name in cloud.demand('image', 'list').split()
    assert (tree / 'etc' / 'os-release').exists()


def test_second_up_changes_nothing(cloud: CloudWorld) -> None:
    before = cloud.status()['processes']
    assert 'up already' in cloud.demand('up')
    assert [p['pid'] for p in cloud.status()['processes']] == [p['pid'] for p in before]


def test_nothing_listens_on_the_host(cloud: CloudWorld) -> None:
    listening = subprocess.run(['ss', '-Hltn'], capture_output=True, text=True, check=True).stdout
    assert '198.19.0.1' not in listening
    assert ':20003 ' not in listening


def test_flavors_and_images_are_those_of_an_scs_cloud(cloud: CloudWorld) -> None:
    flavors = cloud.ask(lambda c: {f.name: f.extra_specs for f in c.compute.flavors(get_extra_specs=True)})
    assert set(flavors) == set(FLAVOR_NAMES)
    assert flavors['SCS-2V-4-20s']['scs:disk0-type'] == 'ssd'
    images = cloud.ask(lambda c: {i.name: i.status for i in c.image.images()})
    assert images['ubuntu-capi-image-v1.34.7'] == 'active'


def test_application_credential_sees_its_project_only(cloud: CloudWorld) -> None:
    projects = [cloud.ask(lambda c: c.current_project_id, name) for name in ('sandbox', 'sandbox-appcred', 'sandbox2')]
    assert projects[0] == projects[1] != projects[2]


def test_member_is_no_administrator(cloud: CloudWorld) -> None:
    with pytest.raises(openstack.exceptions.ForbiddenException):
        cloud.ask(lambda c: list(c.compute.servers(all_projects=True)))


def test_network_told_to_the_agent_is_that_of_the_api(cloud: CloudWorld, network: str) -> None:
    rows = tables.objects(tables.read(cloud.state / 'cloud/RegionOne/data/neutron.db'))
    told = snapshot.build(**rows)

    def listed(c: Any) -> dict[str, set[str]]:
        return {
            'networks': {n.id for n in c.network.networks()},
            'subnets': {s.id for s in c.network.subnets()},
            'ports': {p.id for p in c.network.ports()},
            'routers': {r.id for r in c.network.routers()},
            'security_groups': {g.id for g in c.network.security_groups()},
        }

    assert {k: {o['id'] for o in v} for k, v in told.items() if k != 'floating_ips'} == cloud.ask(
        listed, 'sandbox-admin'
    )
    ports = cloud.ask(lambda c: {p.id: sorted(ip['ip_address'] for ip in p.fixed_ips) for p in c.network.ports()})
    assert {p['id']: sorted(p['addresses']) for p in told['ports'] if p['id'] in ports} == ports


def test_router_ports_become_active(cloud: CloudWorld, network: str) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        states = cloud.ask(lambda c: {p.status for p in c.network.ports(network_id=network)})
        if states == {'ACTIVE'}:
            break
        assert time.monotonic() < limit, states
        time.sleep(0.2)


def test_server_is_reached_through_its_floating_address(cloud: CloudWorld, network: str, tmp_path: Path) -> None:
    key = tmp_path / 'key'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
    public = key.with_suffix('.pub').read_text()

    def prepare(c: Any) -> None:
        c.compute.create_keypair(name='t', public_key=public)
        group = c.network.create_security_group(name='t')
        c.network.create_security_group_rule(
            security_group_id=group.id, direction='ingress', protocol='tcp', port_range_min=22, port_range_max=22
        )

    def address(c: Any) -> tuple[str, str]:
        port = next(c.network.ports(device_id=server))
        made = c.network.create_ip(floating_network_id=c.network.find_network('public').id, port_id=port.id)
        return made.id, made.floating_ip_address

    def clean(c: Any) -> None:
        c.compute.delete_keypair('t')
        c.network.delete_ip(floating)
        c.network.delete_security_group(c.network.find_security_group('t'))

    cloud.ask(prepare)
    server = cloud.boot(network, 'reached', key_name='t', security_groups=[{'name': 't'}])
    cloud.wait_server(server, 'ACTIVE')
    floating, ip = cloud.ask(address)
    assert _login(cloud, key, ip, 'hostname') == 'reached'
    # cloud-init prints them at the end of the first boot only, after the first login
    _wait_console(cloud, server, '-----BEGIN SSH HOST KEY KEYS-----')
    cloud.ask(lambda c: c.compute.stop_server(server))
    cloud.wait_server(server, 'SHUTOFF')
    cloud.ask(lambda c: c.compute.start_server(server))
    cloud.wait_server(server, 'ACTIVE')
    assert _login(cloud, key, ip, 'hostname') == 'reached'
    cloud.delete_servers()
    assert server not in [s['id'] for s in cloud.status()['servers']]
    assert not cloud.ask(lambda c: list(c.network.ports(device_id=server)))
    cloud.ask(clean)


def _login(cloud: CloudWorld, key: Path, ip: str, command: str) -> str:
    options = [f'-oUserKnownHostsFile={key.parent}/hosts', '-oStrictHostKeyChecking=accept-new', '-oConnectTimeout=3']
    words = ['ssh', '-i', str(key), *options, '-oBatchMode=yes', f'debian@{ip}', command]
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        done = cloud.run('exec', '--', *words)
        if done.returncode == 0:
            return done.stdout.strip()
        assert time.monotonic() < limit, done.stderr
        time.sleep(0.5)


def _wait_console(cloud: CloudWorld, server: str, text: str) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while text not in cloud.ask(lambda c: c.compute.get_server_console_output(server)['output']):
        assert time.monotonic() < limit, f'no {text} on the console'
        time.sleep(0.5)


def test_server_boots_from_a_volume(cloud: CloudWorld, network: str) -> None:
    def post(c: Any) -> str:
        image = next(i for i in c.image.images() if i.properties.get('os_purpose') == 'generic')
        disk = {
            'boot_index': 0,
            'uuid': image.id,
            'source_type': 'image',
            'destination_type': 'volume',
            'volume_size': 10,
            'delete_on_termination': True,
        }
        flavor = c.compute.find_flavor('SCS-2V-4').id
        body = {'name': 'volume', 'flavor_id': flavor, 'networks': [{'uuid': network}]}
        return str(c.compute.create_server(**body, block_device_mapping=[disk]).id)

    assert cloud.wait_server(cloud.ask(post), 'ACTIVE', 'ERROR').status == 'ACTIVE'


def test_diskless_flavor_without_volume_is_refused(cloud: CloudWorld, network: str) -> None:
    with pytest.raises(openstack.exceptions.ForbiddenException, match='zero disk'):
        cloud.boot(network, flavor='SCS-2V-4')


def test_quota_is_enforced(cloud: CloudWorld, network: str) -> None:
    def limit(c: Any, instances: int) -> None:
        c.set_compute_quotas('demo1', instances=instances)

    cloud.ask(lambda c: limit(c, 0), 'sandbox-admin')
    try:
        with pytest.raises(openstack.exceptions.ForbiddenException, match='Quota exceeded'):
            cloud.boot(network)
    finally:
        cloud.ask(lambda c: limit(c, 60), 'sandbox-admin')


def test_refused_calls_succeed_later(cloud: CloudWorld, network: str) -> None:
    rule = {'service': 'neutron', 'method': 'POST', 'path': '/security-groups$', 'status': 503, 'count': 1}
    with cloud.faults({'http': [rule]}):
        with pytest.raises(openstack.exceptions.HttpException, match='503'):
            cloud.ask(lambda c: c.network.create_security_group(name='refused', retriable_status_codes=[]))
        made = cloud.ask(lambda c: c.network.create_security_group(name='accepted'))
    cloud.ask(lambda c: c.network.delete_security_group(made))


def test_lost_answer_leaves_the_server(cloud: CloudWorld, network: str) -> None:
    rule = {'service': 'nova', 'method': 'POST', 'path': '/servers$', 'status': 504, 'after': True, 'count': 1}
    with cloud.faults({'http': [rule]}), pytest.raises(openstack.exceptions.HttpException, match='504'):
        cloud.boot(network, 'lost')
    assert [s.name for s in cloud.ask(lambda c: list(c.compute.servers()))] == ['lost']


def test_failing_build_is_an_error_with_a_reason(cloud: CloudWorld, network: str) -> None:
    with cloud.faults({'nova': {'spawn_error': '^bad'}}):
        server = cloud.wait_server(cloud.boot(network, 'bad'), 'ERROR', 'ACTIVE')
    assert server.status == 'ERROR'
    assert 'injected' in server.fault['message']


def test_image_that_is_no_tree_is_refused_with_a_reason(cloud: CloudWorld, network: str) -> None:
    def post(c: Any) -> tuple[str, str]:
        image = c.image.create_image(name='foreign', disk_format='raw', container_format='bare', data=b'x' * 512)
        flavor = c.compute.find_flavor('SCS-2V-4-20s').id
        made = c.compute.create_server(
            name='foreign', image_id=image.id, flavor_id=flavor, networks=[{'uuid': network}]
        )
        return made.id, image.id

    server, image = cloud.ask(post)
    found = cloud.wait_server(server, 'ERROR', 'ACTIVE')
    assert found.status == 'ERROR'
    assert 'scs_sandbox_tree' in found.fault['message']
    cloud.delete_servers()
    cloud.ask(lambda c: c.image.delete_image(image))


def test_wrong_faults_are_refused(cloud: CloudWorld) -> None:
    done = cloud.run('faults', 'set', '-', stdin=json.dumps({'novva': {}}))
    assert done.returncode == 3
    assert 'novva' in done.stderr
    assert not (cloud.state / 'faults.json').exists()


def test_load_balancer_settles_and_goes(cloud: CloudWorld, network: str) -> None:
    def subnet(c: Any) -> str:
        return str(next(c.network.subnets(network_id=network)).id)

    balancer = cloud.ask(lambda c: c.load_balancer.create_load_balancer(name='t', vip_subnet_id=subnet(c)).id)
    _wait(cloud, lambda c: c.load_balancer.get_load_balancer(balancer).provisioning_status == 'ACTIVE')
    cloud.ask(lambda c: c.load_balancer.delete_load_balancer(balancer, cascade=True))
    _wait(cloud, lambda c: not list(c.load_balancer.load_balancers()))


def _wait(cloud: CloudWorld, condition: Any) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while not cloud.ask(condition):
        assert time.monotonic() < limit
        time.sleep(0.2)


def test_secrets_are_not_readable_for_others_and_not_in_logs(cloud: CloudWorld) -> None:
    assert cloud.state.stat().st_mode & 0o077 == 0
    assert (cloud.state / 'clouds.yaml').stat().st_mode & 0o777 == 0o600
    secrets = json.loads((cloud.state / 'credentials.json').read_text())
    words = [*secrets['passwords'].values(), secrets['application_credential_secret']]
    logs = [*cloud.state.rglob('*.log'), *cloud.state.rglob('*.out')]
    assert len(logs) > len(SERVICES)
    assert not [(p, w) for p in logs for w in words if w in p.read_text(errors='replace')]
