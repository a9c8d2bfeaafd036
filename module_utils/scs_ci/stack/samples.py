"""Objects of a made-up cluster as they look in the management cluster: what overwrite files are rendered with."""

from __future__ import annotations

from typing import Any

from .model import Stack

CONTROL_PLANE = {'apiVersion': 'controlplane.cluster.x-k8s.io/v1beta1', 'kind': 'KubeadmControlPlane'}
INFRASTRUCTURE = {
    'openstack': {'apiVersion': 'infrastructure.cluster.x-k8s.io/v1beta1', 'kind': 'OpenStackCluster'},
    'docker': {'apiVersion': 'infrastructure.cluster.x-k8s.io/v1beta1', 'kind': 'DockerCluster'},
}


# What stands in a rendering only because it is for this cluster.
NAME, HOST = 'sample-one', '198.51.100.17'


def cluster_objects(stack: Stack, name: str = NAME, host: str = HOST) -> dict[str, Any]:
    """Cluster, ControlPlane and InfraCluster of a cluster of this stack; host: address of its API server."""
    namespace = f'{name}-namespace'
    endpoint = {'host': host, 'port': 6443}
    infrastructure = INFRASTRUCTURE.get(stack.provider.text, {**INFRASTRUCTURE['openstack'], 'kind': 'InfraCluster'})
    version = str(stack.version or 'v1.0.0')
    class_name = f'{stack.identity.base}-v0-sample.1' if stack.identity else 'sample-class'
    meta = {
        'namespace': namespace,
        'labels': {'cluster.x-k8s.io/cluster-name': name},
        'annotations': {},
        'uid': f'uid-{name}',
    }
    return {
        'Cluster': {
            'apiVersion': 'cluster.x-k8s.io/v1beta1',
            'kind': 'Cluster',
            'metadata': {**meta, 'name': name},
            'spec': {
                'clusterNetwork': {
                    'pods': {'cidrBlocks': ['172.16.0.0/16']},
                    'services': {'cidrBlocks': ['10.96.0.0/12']},
                    'serviceDomain': 'cluster.local',
                },
                'controlPlaneEndpoint': endpoint,
                'controlPlaneRef': {**CONTROL_PLANE, 'name': f'{name}-abcde', 'namespace': namespace},
                'infrastructureRef': {**infrastructure, 'name': f'{name}-fghij', 'namespace': namespace},
                'topology': {'class': class_name, 'version': version, 'controlPlane': {'replicas': 1}, 'variables': []},
            },
            'status': {'phase': 'Provisioned', 'infrastructureReady': True, 'controlPlaneReady': True},
        },
        'ControlPlane': {
            **CONTROL_PLANE,
            'metadata': {**meta, 'name': f'{name}-abcde'},
            'spec': {'replicas': 1, 'version': version, 'kubeadmConfigSpec': {}, 'machineTemplate': {}},
            'status': {'replicas': 1, 'ready': True, 'initialized': True},
        },
        'InfraCluster': {
            **infrastructure,
            'metadata': {**meta, 'name': f'{name}-fghij'},
            'spec': {'controlPlaneEndpoint': endpoint, 'identityRef': {'name': 'openstack', 'cloudName': 'openstack'}},
            'status': {
                'ready': True,
                'network': {'id': f'network-{name}', 'name': f'network-{name}', 'subnets': [{'id': f'subnet-{name}'}]},
                'externalNetwork': {'id': 'external-network', 'name': 'public'},
                'router': {'id': f'router-{name}', 'name': f'router-{name}'},
            },
        },
    }
