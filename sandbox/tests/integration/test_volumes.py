"""Volumes of Cinder in servers. About 20 s on 2 cores."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cloud_world import CloudWorld

pytestmark = pytest.mark.integration
TARGET = '/var/lib/scs-sandbox/volumes'


@pytest.fixture(scope='module')
def network(cloud: CloudWorld) -> Iterator[str]:
    def make(c: Any) -> Any:
        net = c.network.create_network(name='volumes')
        c.network.create_subnet(network_id=net.id, ip_version=4, cidr='10.5.0.0/24')
        return net

    net = cloud.ask(make)
    yield str(net.id)
    cloud.delete_servers()
    cloud.ask(lambda c: c.network.delete_network(net))


def inside(cloud: CloudWorld, server: str, script: str) -> str:
    """Run a script with the eyes of a server."""
    pid = next(row['pid'] for row in cloud.status()['servers'] if row['id'] == server)
    command = ['nsenter', '-t', str(pid), '-m', '--root', '--wd', 'sh', '-ec', script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def move(cloud: CloudWorld, volume: str, server: str) -> None:
    cloud.ask(lambda c: c.compute.create_volume_attachment(server, volume_id=volume))
    await_volume(cloud, volume, 'in-use')


def await_volume(cloud: CloudWorld, volume: str, status: str) -> None:
    cloud.ask(
        lambda c: c.block_storage.wait_for_status(c.block_storage.get_volume(volume), status, wait=60, interval=0.5)
    )


def test_a_volume_keeps_its_content_from_server_to_server(cloud: CloudWorld, network: str) -> None:
    """On three hosts, for Nova compares names of hosts before it detaches."""
    volume = cloud.ask(lambda c: c.block_storage.create_volume(name='data', size=2)).id
    group = cloud.ask(lambda c: c.compute.create_server_group(name='apart', policy='anti-affinity')).id
    try:
        await_volume(cloud, volume, 'available')
        servers = [cloud.boot(network, f'v{number}', scheduler_hints={'group': group}) for number in range(3)]
        for number, server in enumerate(servers):
            assert cloud.wait_server(server, 'ACTIVE', 'ERROR').status == 'ACTIVE'
            move(cloud, volume, server)
            assert inside(cloud, server, f'grep -o "size_gb.: 2" {TARGET}/{volume}/volume.json') == 'size_gb": 2'
            file = f'{TARGET}/{volume}/file'
            assert (
                inside(cloud, server, f'echo {number} >> {file}; cat {file}').split() == ['0', '1', '2'][: number + 1]
            )
            cloud.ask(lambda c, server=server: c.compute.delete_volume_attachment(server, volume))
            await_volume(cloud, volume, 'available')
            assert inside(cloud, server, f'ls {TARGET}') == ''
        move(cloud, volume, servers[0])
        cloud.delete_servers()
        await_volume(cloud, volume, 'available')
        assert (cloud.state / 'volumes' / volume / 'file').read_text().split() == ['0', '1', '2']
    finally:
        cloud.delete_servers()
        cloud.ask(lambda c: c.compute.delete_server_group(group))
        found = cloud.ask(lambda c: c.block_storage.get_volume(volume))
        cloud.ask(lambda c: c.block_storage.delete_volume(found))
        cloud.ask(lambda c: c.block_storage.wait_for_delete(found, wait=60, interval=0.5))
    assert not (cloud.state / 'volumes' / volume).exists()
