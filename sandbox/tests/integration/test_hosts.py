"""Compute hosts that fail, and what Cluster API sets on servers. About half a minute on 2 cores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud_world import CloudWorld

pytestmark = pytest.mark.integration
ADMIN = 'sandbox-admin'


@pytest.fixture(scope='module')
def network(cloud: CloudWorld) -> Iterator[str]:
    def make(c: Any) -> Any:
        net = c.network.create_network(name='hosts')
        c.network.create_subnet(network_id=net.id, ip_version=4, cidr='10.6.0.0/24')
        return net

    net = cloud.ask(make)
    yield str(net.id)
    cloud.delete_servers()
    cloud.ask(lambda c: c.network.delete_network(net))


def services(cloud: CloudWorld) -> dict[str, str]:
    return cloud.ask(lambda c: {s.host: s.state for s in c.compute.services(binary='nova-compute')}, ADMIN)


def power(cloud: CloudWorld) -> dict[str, str]:
    return {row['id']: row['state'] for row in cloud.status()['servers']}


def test_a_host_that_fails_takes_its_servers_with_it(cloud: CloudWorld, network: str) -> None:
    group = cloud.ask(lambda c: c.compute.create_server_group(name='apart', policy='anti-affinity'))
    try:
        servers = [cloud.boot(network, f'h{number}', scheduler_hints={'group': group.id}) for number in range(3)]
        for server in servers:
            assert cloud.wait_server(server, 'ACTIVE', 'ERROR').status == 'ACTIVE'
        hosts = cloud.ask(lambda c: {c.compute.get_server(s).hypervisor_hostname: s for s in servers}, ADMIN)
        assert len(hosts) == 3, 'anti-affinity is not kept'
        lost, kept = hosts.pop('compute-b'), list(hosts.values())
        cloud.demand('faults', 'host-down', 'compute-b')
        assert services(cloud) == {'compute-a': 'up', 'compute-b': 'down', 'compute-c': 'up'}
        states = power(cloud)
        assert (states[lost], {states[server] for server in kept}) == ('stopped', {'running'})
        assert cloud.ask(lambda c: c.compute.get_server(lost).status) == 'ACTIVE', 'nobody can have told Nova'
        fourth = cloud.boot(network, 'h4', scheduler_hints={'group': group.id})
        assert cloud.wait_server(fourth, 'ACTIVE', 'ERROR').status == 'ERROR', 'a server went to a host that is down'
        cloud.demand('faults', 'host-up', 'compute-b')
        assert services(cloud)['compute-b'] == 'up'
        assert power(cloud)[lost] == 'running'
        cloud.demand('faults', 'host-down', 'compute-b')
        cloud.ask(lambda c: c.compute.delete_server(lost))
        cloud.demand('faults', 'host-up', 'compute-b')
        assert lost not in power(cloud), 'what was deleted while its host was down came back'
    finally:
        cloud.run('faults', 'clear')
        cloud.delete_servers()
        cloud.ask(lambda c: c.compute.delete_server_group(group))


def test_a_host_that_is_none_is_refused(cloud: CloudWorld) -> None:
    done = cloud.run('faults', 'host-down', 'compute-z')
    assert done.returncode == 3
    assert 'compute-a, compute-b, compute-c' in done.stderr
    assert cloud.run('faults', 'host-down').returncode == 2


def test_metadata_tags_and_zone_are_kept_and_reach_the_server(cloud: CloudWorld, network: str) -> None:
    """As CAPO sets them: metadata, tags (after the server is there), availability zone, config drive."""
    zones = cloud.ask(lambda c: [zone.name for zone in c.compute.availability_zones()])
    server = cloud.boot(
        network, 'tagged', metadata={'cluster': 'x'}, availability_zone=zones[0], config_drive=True, tags=['capi']
    )
    assert cloud.wait_server(server, 'ACTIVE', 'ERROR').status == 'ACTIVE'
    found = cloud.ask(lambda c: next(iter(c.compute.servers(details=True, tags='capi'))))
    assert (found.id, found.metadata, found.availability_zone) == (server, {'cluster': 'x'}, zones[0])
    drive = 'upper/var/lib/cloud/seed/config_drive/openstack/latest/meta_data.json'
    text = (cloud.state / 'servers' / server / drive).read_text()
    assert '"cluster": "x"' in text
    assert f'"availability_zone": "{zones[0]}"' in text
