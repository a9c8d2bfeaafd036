"""Lists as plain entries say what openstacksdk's objects would say."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cloud import FakeCloud
from openstack.compute.v2.server import Server
from openstack.network.v2.floating_ip import FloatingIP
from openstack.network.v2.port import Port

from scs_ci.cloud import lists

pytestmark = pytest.mark.unit

SERVER = {
    'id': '1', 'name': 'node-0', 'status': 'ACTIVE', 'OS-EXT-STS:task_state': None, 'metadata': {'a': 'b'},
    'OS-EXT-AZ:availability_zone': 'az1', 'key_name': 'key', 'created': '2026-11-25T12:00:00Z',
    'addresses': {'net': [{'addr': '10.0.0.5'}]}, 'fault': {'message': 'No valid host was found.'},
}  # fmt: skip
PORT = {
    'id': '2', 'name': '', 'status': 'ACTIVE', 'device_id': '1', 'device_owner': 'compute:az1', 'network_id': 'n',
    'fixed_ips': [{'ip_address': '10.0.0.5', 'subnet_id': 's'}], 'description': 'x', 'created_at': '2026-11-25T12:00',
}  # fmt: skip
FLOATING = {
    'id': '3', 'floating_ip_address': '198.18.0.7', 'fixed_ip_address': None, 'port_id': None, 'status': 'DOWN',
    'description': 'scs-ci run=x', 'created_at': '2026-11-25T12:00:00Z',
}  # fmt: skip
READ = {
    Server: ('id', 'name', 'status', 'task_state', 'metadata', 'availability_zone', 'key_name', 'created_at',
             'addresses', 'fault', 'description'),
    Port: ('id', 'name', 'status', 'device_id', 'device_owner', 'network_id', 'fixed_ips', 'description', 'created_at'),
    FloatingIP: ('id', 'name', 'status', 'floating_ip_address', 'fixed_ip_address', 'port_id', 'description',
                 'created_at'),
}  # fmt: skip


@pytest.mark.parametrize(('model', 'body'), [(Server, SERVER), (Port, PORT), (FloatingIP, FLOATING)])
def test_an_entry_says_what_the_object_says(model: Any, body: dict[str, Any]) -> None:
    entry, whole = lists.Entry(lists.names(model), body), model.existing(**body)
    assert {name: getattr(entry, name) for name in READ[model]} == {name: getattr(whole, name) for name in READ[model]}


def test_a_mistyped_attribute_is_told() -> None:
    with pytest.raises(AttributeError, match='task'):
        _ = lists.Entry(lists.names(Server), SERVER).task
    assert getattr(lists.Entry(lists.names(Port), PORT), 'metadata', 'none') == 'none'


def test_lists_ask_for_what_is_wanted_and_once() -> None:
    fake = FakeCloud()
    fake.add('port', 'mine', device_id='d')
    fake.add('port', 'theirs', project='other', device_id='d')
    fake.add('server', 'scs-ci-a')
    fake.add('server', 'other')
    assert [port.name for port in lists.ports(fake.cloud, project_id='project')] == ['mine']
    assert [server.name for server in lists.servers(fake.cloud, name='^scs\\-ci')] == ['scs-ci-a']
    assert fake.calls == {'list port': 1, 'list server': 1}
