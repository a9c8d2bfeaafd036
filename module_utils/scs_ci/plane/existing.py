"""A management cluster that somebody else runs: is everything there that a run needs?"""

from __future__ import annotations

from typing import Any

from ..core.errors import InfrastructureProblem
from .conditions import is_true
from .kube import Api, Refused
from .manifests import EXTENSION_VERSION

# Kinds, in the very versions that this program reads and writes.
NEEDED = {
    'cluster.x-k8s.io/v1beta1': ('Cluster', 'ClusterClass', 'Machine', 'MachineDeployment'),
    'cluster.x-k8s.io/v1beta2': ('Cluster', 'ClusterClass', 'Machine', 'MachineDeployment'),
    'bootstrap.cluster.x-k8s.io/v1beta1': ('KubeadmConfigTemplate',),
    'controlplane.cluster.x-k8s.io/v1beta1': ('KubeadmControlPlane', 'KubeadmControlPlaneTemplate'),
    'infrastructure.cluster.x-k8s.io/v1beta1': (
        'OpenStackCluster',
        'OpenStackClusterTemplate',
        'OpenStackMachineTemplate',
    ),
    'openstack.k-orc.cloud/v1alpha1': ('Image',),
    'clusterstack.x-k8s.io/v1alpha1': ('ClusterStack', 'ClusterStackRelease', 'ClusterAddon'),
    EXTENSION_VERSION: ('ExtensionConfig',),
}
# Part of the image name of a controller to its component, as in programs.PROGRAMS; the longer names first.
IMAGES = {
    'kubeadm-bootstrap-controller': 'kubeadm-bootstrap',
    'kubeadm-control-plane-controller': 'kubeadm-control-plane',
    'capi-openstack-controller': 'cluster-api-provider-openstack',
    'cluster-api-controller': 'cluster-api',
    'openstack-resource-controller': 'openstack-resource-controller',
    'cso': 'cluster-stack-operator',
}


def check(api: Api) -> dict[str, str]:
    """Versions of what runs there; InfrastructureProblem with everything that is missing at once."""
    server = api.version()  # raises Unreachable in the server's words
    served = {version: api.kinds(version) for version in NEEDED}
    missing = missing_kinds(served)
    extensions = (
        api.list(EXTENSION_VERSION, 'ExtensionConfig') if 'ExtensionConfig' in served[EXTENSION_VERSION] else []
    )
    if not missing and not any(is_true(extension, 'Discovered') for extension in extensions):
        missing = ["an ExtensionConfig that is Discovered (the operator's hooks)"]
    if missing:
        raise InfrastructureProblem(
            'cannot use',
            f'management cluster {api.server}',
            f'it does not serve {", ".join(missing)}',
            'install the missing providers there, or let scs-ci start a plane of its own (without --kubeconfig)',
        )
    return {'kubernetes': server, **_versions(api)}


def missing_kinds(served: dict[str, dict[str, bool]]) -> list[str]:
    """Needed kinds that are not served, 'group/version Kind'."""
    return [f'{v} {kind}' for v, kinds in NEEDED.items() for kind in kinds if kind not in served.get(v, {})]


def image_versions(deployments: list[dict[str, Any]]) -> dict[str, str]:
    """Component to version, read from the images of the providers' Deployments."""
    found = {}
    for deployment in deployments:
        for container in deployment['spec']['template']['spec']['containers']:
            name, _, tag = container['image'].split('@')[0].rpartition('/')[2].partition(':')
            component = next((c for part, c in IMAGES.items() if part in name), None)
            if component and tag:
                found[component] = tag
    return found


def _versions(api: Api) -> dict[str, str]:
    """Not being allowed to read Deployments is no reason to refuse a management cluster, but it is said."""
    try:
        return image_versions(api.list('apps/v1', 'Deployment'))
    except Refused as refused:
        return {'controllers': f'unknown: {refused.answer}'}
