"""Volumes of Cinder in servers. About 20 s on 2 cores."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cloud_world import CloudWorld

pytestmark = pytest.mark.integration
TARGET = '/var/lib/scs-sandbox/volumes'
GONE_SECONDS = 30.0  # for Nova's answer to reach Cinder and the agent, in either order


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


def test_a_volume_keeps_its_content_from_server_to_server(cloud: CloudWorld, network: str) -> None:
    volume = cloud.ask(lambda c: c.block_storage.create_volume(name='data', size=2))
    try:
        cloud.ask(lambda c: c.block_storage.wait_for_status(volume, 'available', wait=60, interval=1))
        first, second = (cloud.boot(network, name) for name in ('first', 'second'))
        for server in (first, second):
            assert cloud.wait_server(server, 'ACTIVE', 'ERROR').status == 'ACTIVE'
        cloud.ask(lambda c: c.compute.create_volume_attachment(first, volume_id=volume.id))
        cloud.ask(lambda c: c.block_storage.wait_for_status(volume, 'in-use', wait=60, interval=0.5))
        script = f'grep -o "size_gb.: 2" {TARGET}/{volume.id}/volume.json; echo kept > {TARGET}/{volume.id}/file'
        assert inside(cloud, first, script) == 'size_gb": 2'
        cloud.ask(lambda c: c.compute.delete_volume_attachment(first, volume.id))
        cloud.ask(lambda c: c.block_storage.wait_for_status(volume, 'available', wait=60, interval=0.5))
        # Once, on a machine with a load of 15, Cinder said so before the server had lost the directory.
        limit = time.monotonic() + GONE_SECONDS
        while seen := inside(cloud, first, f'ls {TARGET}'):
            assert time.monotonic() < limit, seen
            time.sleep(0.5)
        cloud.ask(lambda c: c.compute.create_volume_attachment(second, volume_id=volume.id))
        cloud.ask(lambda c: c.block_storage.wait_for_status(volume, 'in-use', wait=60, interval=0.5))
        assert inside(cloud, second, f'cat {TARGET}/{volume.id}/file') == 'kept'
        cloud.delete_servers()
        cloud.ask(lambda c: c.block_storage.wait_for_status(volume, 'available', wait=60, interval=0.5))
        assert (cloud.state / 'volumes' / volume.id / 'file').read_text() == 'kept\n'
    finally:
        cloud.delete_servers()
        cloud.ask(lambda c: c.block_storage.delete_volume(volume))
        cloud.ask(lambda c: c.block_storage.wait_for_delete(volume, wait=60, interval=0.5))
    assert not (cloud.state / 'volumes' / volume.id).exists()
