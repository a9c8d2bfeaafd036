"""What the cloud tells about machines that are no nodes and about the API's address."""

from __future__ import annotations

from typing import Any

import pytest

from scs_ci.core import errors
from scs_ci.deploy.diagnosis import deepest_first, problem
from scs_ci.deploy.machines import cloud_complaints, endpoint_complaints, kubelet_arguments, sick

pytestmark = pytest.mark.unit

STARTING = 'cloud-init[2]: [kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz.\n'


class Cloud:
    """A cloud of one server and one floating IP."""

    def __init__(self, server: Any = None, console: str = '', address: Any = None, dead: bool = False) -> None:
        self.answers, self.dead, self.asked = {'server': server, 'console': console, 'address': address}, dead, 0

    def _answer(self, what: str) -> Any:
        self.asked += 1
        if self.dead:
            raise errors.NetworkProblem('cannot look at', what, 'connection refused', 'wait')
        return self.answers[what]

    def server(self, server_id: str) -> Any:
        return self._answer('server')

    def console(self, server_id: str) -> str:
        return str(self._answer('console'))

    def address(self, address: str) -> Any:
        return self._answer('address')

    def resources(self, cluster: str) -> dict[str, Any]:
        return {}


def machine(name: str = 'm', healthy: str = 'False', node: str = '', control_plane: bool = False) -> dict[str, Any]:
    labels = {'cluster.x-k8s.io/control-plane': ''} if control_plane else {}
    entry = {'type': 'NodeHealthy', 'status': healthy, 'reason': 'NodeNotHealthy', 'message': 'Kubelet stopped'}
    status = {'conditions': [entry], **({'nodeRef': {'name': node}} if node else {})}
    return {'kind': 'Machine', 'metadata': {'name': name, 'labels': labels}, 'status': status}


def server(name: str = 'm') -> dict[str, Any]:
    return {'kind': 'OpenStackServer', 'metadata': {'name': name}, 'status': {'instanceID': f'id-{name}'}}


def cluster(**spec: Any) -> dict[str, Any]:
    spec = {'controlPlaneEndpoint': {'host': '198.18.1.9', 'port': 6443}, **spec}
    return {'kind': 'OpenStackCluster', 'metadata': {'name': 'o'}, 'spec': spec}


ARGUMENTS = {
    'kind': 'KubeadmConfig',
    'metadata': {'name': 'm'},
    'spec': {'joinConfiguration': {'nodeRegistration': {'kubeletExtraArgs': [{'name': 'nonsense', 'value': 'yes'}]}}},
}
ACTIVE = {'status': 'ACTIVE', 'fault': ''}


@pytest.mark.parametrize(
    ('objects', 'cloud', 'told', 'kind'),
    [
        ([machine(), server()], Cloud(), 'server m: is gone from the cloud (id-m)', errors.BootProblem),
        ([machine(), server()], Cloud({'status': 'ERROR', 'fault': 'No valid host was found.'}),
         'server m: is ERROR in the cloud: No valid host was found.', errors.CapacityProblem),
        ([machine(), server()], Cloud({'status': 'ERROR', 'fault': 'spawn failed'}),
         'server m: is ERROR in the cloud: spawn failed', errors.BootProblem),
        ([machine(), server()], Cloud({'status': 'SHUTOFF', 'fault': ''}), 'server m: is SHUTOFF in the cloud;',
         errors.BootProblem),
        ([machine(), server(), ARGUMENTS], Cloud(ACTIVE, STARTING),
         'console of m: kubelet does not become healthy; its arguments by the class: nonsense=yes',
         errors.ProductProblem),
        ([machine(), server()], Cloud(ACTIVE, ''), 'console of m: the console is empty', errors.BootProblem),
        ([machine(node='n'), server()], Cloud(ACTIVE, 'This node has joined the cluster:'),
         'server m: node n was there and is silent (NodeHealthy=False NodeNotHealthy: Kubelet stopped); ACTIVE',
         errors.BootProblem),
        ([machine(), server()], Cloud(dead=True), 'server m: cannot look at server: connection refused',
         errors.NetworkProblem),
        ([cluster(), machine(), server()], Cloud(ACTIVE, STARTING),
         'API address 198.18.1.9:6443: its floating IP is gone from the cloud', errors.NetworkProblem),
    ],
)  # fmt: skip
def test_the_deepest_leads(objects: Any, cloud: Cloud, told: str, kind: type[errors.Problem]) -> None:
    found = deepest_first(cloud_complaints(objects, cloud))
    ended = problem('gave up on', 'Cluster c', 'waiting', found, product=False)
    assert ended.answer.startswith(told), ended.answer
    assert type(ended) is kind


def test_nothing_is_asked_about_nodes_that_are_healthy_or_servers_that_are_not_there() -> None:
    cloud = Cloud(ACTIVE)
    assert cloud_complaints([machine(healthy='True'), server(), machine('other')], cloud) == []
    assert cloud.asked == 0


def test_control_planes_first() -> None:
    found = sick([machine('a'), machine('z', control_plane=True), machine('b', healthy='True')])
    assert [obj['metadata']['name'] for obj in found] == ['z', 'a']


@pytest.mark.parametrize(
    ('spec', 'initialized', 'address', 'told'),
    [
        ({}, 'True', {'id': 'f', 'port_id': 'p'}, ''),
        ({}, 'True', {'id': 'f', 'port_id': None}, 'its floating IP f is associated with no port'),
        ({}, 'False', {'id': 'f', 'port_id': None}, ''),  # no machine has had it yet
        ({}, 'False', None, 'its floating IP is gone from the cloud'),
        ({'disableAPIServerFloatingIP': True}, 'True', None, ''),
        ({'apiServerFixedIP': '10.0.0.5'}, 'True', None, ''),
        ({'controlPlaneEndpoint': {}}, 'True', None, ''),
    ],
)
def test_floating_ip_of_the_api(spec: Any, initialized: str, address: Any, told: str) -> None:
    whole = {'conditions': [{'type': 'ControlPlaneInitialized', 'status': initialized}]}
    above = {'kind': 'Cluster', 'metadata': {'name': 'c'}, 'status': whole}
    found = cloud_complaints([above, cluster(**spec)], Cloud(address=address))
    assert [complaint.text.startswith(told) for complaint in found] == ([True] if told else [])


def test_an_address_that_had_a_port_is_the_default() -> None:
    assert endpoint_complaints([cluster()], Cloud(address={'id': 'f', 'port_id': None}))


def test_a_dead_cloud_says_nothing_about_addresses() -> None:
    assert endpoint_complaints([cluster()], Cloud(dead=True)) == []


def test_arguments_of_a_machine_without_config() -> None:
    assert kubelet_arguments('m', []) == ''
