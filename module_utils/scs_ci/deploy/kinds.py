"""API versions of the objects that the stage touches, and small helpers to read objects as plain dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..plane.conditions import condition, conditions, is_true

__all__ = [
    'Api',
    'Object',
    'belongs',
    'condition',
    'condition_text',
    'conditions',
    'is_true',
    'name_of',
    'status',
    'title',
]

Object = dict[str, Any]

STACKS = 'clusterstack.x-k8s.io/v1alpha1'
# Releases carry v1beta1 and v1beta2 classes; Cluster API 1.12 serves both and converts. Written in v1beta1, which every
# supported version knows; conditions are read in v1beta2, for only there each of them carries its generation.
CLUSTERS = 'cluster.x-k8s.io/v1beta1'
CLUSTERS_V2 = 'cluster.x-k8s.io/v1beta2'
CONTROL_PLANES_V2 = 'controlplane.cluster.x-k8s.io/v1beta2'
BOOTSTRAP_V2 = 'bootstrap.cluster.x-k8s.io/v1beta2'
OPENSTACK = 'infrastructure.cluster.x-k8s.io/v1beta1'
OPENSTACK_SERVERS = 'infrastructure.cluster.x-k8s.io/v1alpha1'
IMAGES = 'openstack.k-orc.cloud/v1alpha1'
RESOURCE_SETS = 'addons.cluster.x-k8s.io/v1beta1'

CLUSTER_LABEL = 'cluster.x-k8s.io/cluster-name'
CONTROL_PLANE_LABEL = 'cluster.x-k8s.io/control-plane'


class Api(Protocol):
    """What this room needs of plane.kube.Api."""

    def apply(self, obj: Object, dry_run: bool = False) -> Object: ...

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None: ...

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> Sequence[Object]: ...

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any: ...

    def annotate(
        self, api_version: str, kind: str, name: str, namespace: str, annotations: Mapping[str, str]
    ) -> Any: ...

    def events(self, namespace: str) -> Sequence[Object]: ...


def name_of(obj: Object) -> str:
    return str(obj['metadata']['name'])


def title(obj: Object) -> str:
    """Kind and name, as messages name an object."""
    return f'{obj.get("kind", "object")} {name_of(obj)}'


def status(obj: Object | None) -> dict[str, Any]:
    """The status of an object that may not exist yet."""
    return (obj or {}).get('status') or {}


def container_statuses(pod: Object) -> list[dict[str, Any]]:
    """Of a pod's containers, in the order in which they start."""
    found = status(pod)
    return [*(found.get('initContainerStatuses') or ()), *(found.get('containerStatuses') or ())]


def belongs(obj: Object, cluster: str) -> bool:
    """True when Cluster API labeled the object as part of that cluster."""
    return bool((obj['metadata'].get('labels') or {}).get(CLUSTER_LABEL) == cluster)


def condition_text(entry: dict[str, Any]) -> str:
    """`HelmChartApplied=False ObjectsApplyingOngoing: message`, on one line."""
    head = f'{entry.get("type")}={entry.get("status")} {entry.get("reason") or ""}'.strip()
    message = ' '.join(str(entry.get('message') or '').split())
    return f'{head}: {message}' if message else head
