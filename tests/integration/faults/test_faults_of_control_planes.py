"""Faults of control planes: a member of etcd lost, an address lost at an upgrade; and a Service left at deletion.

python3 setup/main.py test -m long tests/integration/faults
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_runs import Lab, Run, balancers, until, with_balancer

from scs_ci.core.outcome import Exit

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]
SYSTEM = 'kube-system'
# kubelet looks at its manifests every 20 s, the pod has 30 s to end, a silent node is noticed after 50 s.
LOSS = 240
Of = Callable[[Lab], Run]
TOPOLOGY = ('--control-planes', '3')


def thief(node: str, image: str) -> dict[str, Any]:
    """A pod that takes the manifest of etcd away from a node, for its kubelet to end it."""
    container = {
        'name': 'thief',
        'image': image,
        'command': ['sh', '-c', 'mv /kubernetes/manifests/etcd.yaml /kubernetes/'],
        'volumeMounts': [{'name': 'kubernetes', 'mountPath': '/kubernetes'}],
    }
    spec = {
        'nodeName': node,
        'restartPolicy': 'Never',
        'containers': [container],
        'volumes': [{'name': 'kubernetes', 'hostPath': {'path': '/etc/kubernetes'}}],
    }
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'thief', 'namespace': SYSTEM}, 'spec': spec}


def without_etcd(run: Run, node: str) -> bool:
    """Whether the cluster shows it: the pod is gone, or the node silent, for kubelet asks the API server beside it."""
    told = (
        '[[o["metadata"]["name"] for o in inside.list("v1", "Pod", "kube-system")],'
        ' {o["metadata"]["name"]: [c["status"] for c in o["status"]["conditions"] if c["type"] == "Ready"]'
        ' for o in inside.list("v1", "Node")}]'
    )
    try:
        pods, nodes = run.ask_cluster(told)
    except AssertionError:  # the API is silent while the other members of etcd choose one of them
        return False
    return f'etcd-{node}' not in pods or nodes[node] != ['True']


def test_a_member_of_etcd_of_three_is_lost(three: Run) -> None:
    machines = (obj['metadata'] for obj in three.object('Machine'))
    nodes = [meta['name'] for meta in machines if 'cluster.x-k8s.io/control-plane' in meta['labels']]
    assert len(nodes) == 3
    images = 'inside.get("apps/v1", "DaemonSet", "kube-proxy", "kube-system")["spec"]["template"]["spec"]["containers"]'
    image = three.ask_cluster(f'{images}[0]["image"]')
    node = sorted(nodes)[-1]
    three.ask_cluster('inside.apply(given["obj"])["kind"]', obj=thief(node, image))
    until(f'etcd-{node} gone or its node silent', LOSS, lambda: without_etcd(three, node))
    done = three.deploy(
        *TOPOLOGY, *three.variables(apiServerLoadBalancer='octavia-ovn'), KubeadmControlPlane=20, Machines=20
    )
    assert done.returncode == Exit.ERROR, done.stderr
    record = three.record()
    assert record['verdict'] == 'infrastructure', record['reason']
    behind = three.first_line.partition(': ')[2]
    assert behind.startswith(f'etcd member of node {node}: is lost'), three.first_line


def test_a_service_of_type_load_balancer_is_left_at_deletion(three: Run) -> None:
    """The last test of this cluster, which has lost a member of etcd and works nevertheless."""
    with_balancer(three, 'left')
    assert len(balancers(three)) == 1
    done = three.delete()
    assert done.returncode == Exit.PASSED, done.stderr
    assert f'Cluster {three.cluster}: Service default/left deleting' in done.stderr
    assert balancers(three) == []
    assert three.left() == []


def test_an_upgrade_without_load_balancer_loses_the_address(machines: Lab, of: Of) -> None:
    """CAPO 0.14.7 deletes the floating IP with the machine that is replaced, and cannot have it again."""
    run = of(machines)
    run.publish('--upgrade')
    up = run.deploy()
    assert up.returncode == Exit.PASSED, up.stderr
    done = run.upgrade()
    assert done.returncode == Exit.ERROR, done.stderr
    record = run.record('upgrade')
    assert record['verdict'] == 'network', record['reason']
    behind = record['reason'].partition(': ')[2]
    assert behind.startswith('API address '), record['reason']
    assert 'its floating IP is gone from the cloud' in behind, record['reason']
    assert 'use a load balancer for the API server' in record['advice']
    # the load balancer of the probe is in its network, and nobody reaches the cluster to have it removed
    gone = run.delete()
    assert gone.returncode == Exit.ERROR, gone.stderr
    run.purge()
    assert run.object('Cluster') == []
