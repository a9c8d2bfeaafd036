"""The objects that the stage creates in the management cluster; pure functions from plain values to plain dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ..core.errors import ToolProblem
from ..core.records import PlannedVersion
from .kinds import CLUSTERS, RESOURCE_SETS, STACKS, Object

# Label by which the add-ons' credentials reach the cluster; the stacks' documentation uses the same.
CREDENTIALS_LABEL = 'managed-secret'
WORKLOAD_SECRET = 'clouds-yaml'
# On a Cluster that was made to see its topology, for no cloud: with values that no cloud has chosen, and of which some
# can never be changed.
CLOUDLESS = 'scs-ci/cloudless'
# Pods and services of test clusters; apart from each other, from the stacks' node networks (10.8.0.0/20) and from
# 198.18.0.0/15, where test networks live.
PODS, SERVICES = '192.168.0.0/16', '10.96.0.0/12'


@dataclass(frozen=True)
class Release:
    """A published release. version: as in metadata.yaml ('v0-sha.azlfam7'); tag: dashed, with the stack's name."""

    tag: str
    version: str
    provider: str
    stack: str
    minor: str
    kubernetes: str

    @property
    def class_name(self) -> str:
        """The ClusterClass: release name of the class chart, then the chart's version."""
        return f'{self.provider}-{self.stack}-{self.minor.replace(".", "-")}-{self.version}'

    @property
    def stack_object(self) -> str:
        """Name of the ClusterStack; with the provider, for two providers may have stacks of one name."""
        return f'{self.provider}-{self.stack}-{self.minor.replace(".", "-")}'


def release_from(version: PlannedVersion, facts: Mapping[str, Any]) -> Release:
    """The release that build recorded for a planned version."""
    missing = [key for key in ('tag', 'version') if not facts.get(key)]
    if missing:
        raise ToolProblem(
            'cannot deploy', version.key, f'the record of its build lacks {" and ".join(missing)}', 'repeat the build'
        )
    minor = '.'.join(version.kubernetes.lstrip('v').split('.')[:2])
    return Release(str(facts['tag']), str(facts['version']), version.provider, version.name, minor, version.kubernetes)


def namespace(name: str) -> Object:
    return {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}}


def cluster_stack(space: str, release: Release, kept: Sequence[str] = ()) -> Object:
    """Exactly this release, nothing newer. kept: older versions that clusters still use: the operator deletes what is
    not named. noProvider: node images are in the cloud already."""
    return {
        'apiVersion': STACKS,
        'kind': 'ClusterStack',
        'metadata': {'name': release.stack_object, 'namespace': space},
        'spec': {
            'provider': release.provider,
            'name': release.stack,
            'kubernetesVersion': release.minor,
            'channel': 'custom',
            'autoSubscribe': False,
            'noProvider': True,
            'versions': [*(version for version in kept if version != release.version), release.version],
        },
    }


def credentials(space: str, name: str, cloud_name: str, cloud: Mapping[str, Any], ca: str = '') -> Object:
    """The secret from which providers take the cloud. ca: PEM of its certificate authority, if it is of its own."""
    content = yaml.safe_dump({'clouds': {cloud_name: dict(cloud)}}, sort_keys=True)
    return {
        'apiVersion': 'v1',
        'kind': 'Secret',
        'metadata': {'name': name, 'namespace': space},
        'stringData': {'clouds.yaml': content, **({'cacert': ca} if ca else {})},
    }


def workload_credentials(space: str, cloud_name: str, cloud: Mapping[str, Any], ca: str = '') -> list[Object]:
    """The same secret for the add-ons inside the cluster, brought there by a ClusterResourceSet."""
    inner = credentials('kube-system', WORKLOAD_SECRET, cloud_name, cloud, ca)
    meta = {'name': WORKLOAD_SECRET, 'namespace': space}
    return [
        {
            'apiVersion': 'v1',
            'kind': 'Secret',
            'type': 'addons.cluster.x-k8s.io/resource-set',
            'metadata': meta,
            'stringData': {'secret.json': json.dumps(inner)},
        },
        {
            'apiVersion': RESOURCE_SETS,
            'kind': 'ClusterResourceSet',
            'metadata': meta,
            'spec': {
                'strategy': 'Reconcile',
                'clusterSelector': {'matchLabels': {CREDENTIALS_LABEL: WORKLOAD_SECRET}},
                'resources': [{'name': WORKLOAD_SECRET, 'kind': 'Secret'}],
            },
        },
    ]


@dataclass(frozen=True)
class Topology:
    """Machines of a cluster. zones: failure domains, among which the workers are spread evenly."""

    control_planes: int = 1
    workers: int = 1
    zones: tuple[str, ...] = ()

    def deployments(self, worker_class: str) -> list[Object]:
        """MachineDeployments: one, or one per zone; none without workers or without a class for them."""
        if not worker_class or not self.workers:
            return []
        zones = self.zones[: self.workers] or ('',)
        share, rest = divmod(self.workers, len(zones))
        return [
            {
                'class': worker_class,
                'name': f'md-{index}',
                'replicas': share + (index < rest),
                **({'failureDomain': zone} if zone else {}),
            }
            for index, zone in enumerate(zones)
        ]


SMALLEST = Topology()


def cluster(
    space: str,
    name: str,
    release: Release,
    variables: Mapping[str, Any],
    worker_class: str,
    topology: Topology = SMALLEST,
    cloudless: bool = False,
) -> Object:
    """A cluster of that topology; without, the smallest one: one control plane, one worker.

    cloudless: see CLOUDLESS.
    """
    workers = topology.deployments(worker_class)
    meta: Object = {'name': name, 'namespace': space, 'labels': {CREDENTIALS_LABEL: WORKLOAD_SECRET}}
    if cloudless:
        meta['annotations'] = {CLOUDLESS: 'true'}
    return {
        'apiVersion': CLUSTERS,
        'kind': 'Cluster',
        'metadata': meta,
        'spec': {
            'clusterNetwork': {
                'pods': {'cidrBlocks': [PODS]},
                'services': {'cidrBlocks': [SERVICES]},
                'serviceDomain': 'cluster.local',
            },
            'topology': {
                'class': release.class_name,
                'version': release.kubernetes,
                'controlPlane': {'replicas': topology.control_planes},
                **({'workers': {'machineDeployments': workers}} if workers else {}),
                'variables': [{'name': key, 'value': value} for key, value in sorted(variables.items())],
            },
        },
    }
