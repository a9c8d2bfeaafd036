"""What a management cluster knows about a cluster: for diagnosis, and as files for people (must-gather)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core import files
from ..core.errors import Problem
from ..core.redact import Redactor
from .kinds import (
    BOOTSTRAP_V2,
    CLUSTERS_V2,
    CONTROL_PLANES_V2,
    IMAGES,
    OPENSTACK,
    OPENSTACK_SERVERS,
    STACKS,
    Api,
    Object,
    belongs,
    name_of,
)

# Never a Secret: user data, kubeconfigs and clouds.yaml live there.
OF_CLUSTER = (
    (CLUSTERS_V2, 'Cluster'),
    (CONTROL_PLANES_V2, 'KubeadmControlPlane'),
    (CLUSTERS_V2, 'MachineDeployment'),
    (CLUSTERS_V2, 'MachineSet'),
    (CLUSTERS_V2, 'Machine'),
    (BOOTSTRAP_V2, 'KubeadmConfig'),
    (OPENSTACK, 'OpenStackCluster'),
    (OPENSTACK, 'OpenStackMachine'),
    (OPENSTACK_SERVERS, 'OpenStackServer'),
    (STACKS, 'ClusterAddon'),
)
OF_SPACE = (
    (STACKS, 'ClusterStack'),
    (STACKS, 'ClusterStackRelease'),
    (CLUSTERS_V2, 'ClusterClass'),
    (CONTROL_PLANES_V2, 'KubeadmControlPlaneTemplate'),
    (BOOTSTRAP_V2, 'KubeadmConfigTemplate'),
    (OPENSTACK, 'OpenStackClusterTemplate'),
    (OPENSTACK, 'OpenStackMachineTemplate'),
    (IMAGES, 'Image'),
)
TAIL = 2000  # lines of each controller's log: some minutes of its talk


def listed(api: Api, api_version: str, kind: str, space: str) -> list[Object]:
    """Objects of a kind; none when the management cluster does not know the kind (an older one may lack some)."""
    try:
        return [{**obj, 'apiVersion': api_version, 'kind': kind} for obj in api.list(api_version, kind, space)]
    except Problem:
        return []


def of_cluster(api: Api, space: str, cluster: str) -> list[Object]:
    """All objects of one cluster."""
    found = [obj for version, kind in OF_CLUSTER for obj in listed(api, version, kind, space)]
    return [obj for obj in found if belongs_to(obj, cluster)]


def belongs_to(obj: Object, cluster: str) -> bool:
    """By label; the Cluster and its ClusterAddon have none, servers are named after their machines."""
    return belongs(obj, cluster) or name_of(obj) in (cluster, f'cluster-addon-{cluster}') or _of_server(obj, cluster)


def _of_server(obj: Object, cluster: str) -> bool:
    return obj.get('kind') == 'OpenStackServer' and name_of(obj).startswith(f'{cluster}-')


def log_files(logs: Path | None) -> list[Path]:
    """The controllers' logs; none without a directory of them."""
    return sorted(logs.glob('*.log')) if logs and logs.is_dir() else []


def log_sizes(logs: Path | None) -> dict[str, int]:
    """Controller to the present size of its log: what is said later lies behind it."""
    return {path.stem: path.stat().st_size for path in log_files(logs)}


def log_texts(logs: Path | None, since: Mapping[str, int] | None = None) -> dict[str, str]:
    """Controller to the end of its log, or to what came after `since`."""
    return {path.stem: tail(path, (since or {}).get(path.stem, 0)) for path in log_files(logs)}


def events_of(api: Api, space: str, objects: Iterable[Object]) -> list[Object]:
    """The events about these objects, oldest first."""
    wanted = {(obj.get('kind'), name_of(obj)) for obj in objects}

    return sorted((event for event in api.events(space) if about(event) in wanted), key=_moment)


def about(event: Object) -> tuple[Any, Any]:
    """Kind and name of what an event is about."""
    place = event.get('involvedObject') or event.get('regarding') or {}
    return place.get('kind'), place.get('name')


def _moment(event: Object) -> str:
    return str(event.get('lastTimestamp') or event.get('eventTime') or event['metadata'].get('creationTimestamp') or '')


def must_gather(api: Api, space: str, cluster: str, place: Path, redactor: Redactor, logs: Path | None) -> list[Path]:
    """Write objects, events and log tails below `place`; returns the files. What cannot be had is told in its file."""
    objects = of_cluster(api, space, cluster) + [
        obj for version, kind in OF_SPACE for obj in listed(api, version, kind, space)
    ]
    written = [write(place / 'objects' / f'{kind}.yaml', group, redactor) for kind, group in _by_kind(objects)]
    try:
        events: Sequence[Object] = api.events(space)
    except Problem as problem:  # a dead plane: the controllers' logs are what there is
        events = [{'error': str(problem)}]
    written.append(write(place / 'events.yaml', events, redactor))
    for controller, text in log_texts(logs).items():
        path = place / 'logs' / f'{controller}.log'
        files.write_atomic(path, redactor.text(text))
        written.append(path)
    return written


def _by_kind(objects: Iterable[Object]) -> list[tuple[str, list[Object]]]:
    groups: dict[str, list[Object]] = {}
    for obj in objects:
        groups.setdefault(str(obj['kind']), []).append(obj)
    return sorted(groups.items())


def write(path: Path, objects: Iterable[Object], redactor: Redactor) -> Path:
    """Objects as one YAML file, without secrets; returns its path."""
    text = yaml.safe_dump_all([redactor.data(_lean(obj)) for obj in objects], sort_keys=False, allow_unicode=True)
    files.write_atomic(path, text)
    return path


def _lean(obj: Object) -> Object:
    """Without managedFields, which nobody reads and which are half of every object."""
    meta = {key: value for key, value in (obj.get('metadata') or {}).items() if key != 'managedFields'}
    return {**obj, 'metadata': meta} if 'metadata' in obj else obj


def tail(path: Path, start: int = 0) -> str:
    """The last lines of a log behind the byte `start`; empty when it cannot be read."""
    try:
        lines = path.read_bytes()[start:].decode('utf-8', 'replace').splitlines()
    except OSError:
        return ''
    return '\n'.join(lines[-TAIL:]) + '\n'
