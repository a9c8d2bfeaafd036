"""The part of the must-gather that lies below the management cluster: the cluster itself, its machines, its cloud.

Each source may be dead, and that is when it is wanted: the first request without an answer ends that source, what it
answered stays, and `errors.txt` says what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ..core import files
from ..core.errors import Problem
from ..core.redact import MASK, Redactor
from ..plane.kube import Refused
from .addons import Workload
from .gather import write
from .inside import SYSTEM, crashes, demand_answer, pod_log
from .kinds import Object, container_statuses, name_of
from .machines import CloudView, instance

# Never Secrets, nor ConfigMaps, in which addons keep passwords, too.
IN_CLUSTER = (
    ('v1', 'Node'),
    ('v1', 'Pod'),
    ('v1', 'Event'),
    ('v1', 'Service'),
    ('v1', 'PersistentVolume'),
    ('v1', 'PersistentVolumeClaim'),
    ('apps/v1', 'Deployment'),
    ('apps/v1', 'DaemonSet'),
    ('apps/v1', 'StatefulSet'),
    ('storage.k8s.io/v1', 'StorageClass'),
    ('apiregistration.k8s.io/v1', 'APIService'),
)
LOG_LINES = 500
MOST_LOGS = 60  # containers; those of kube-system come first
# kubeadm prints how others join, with its bootstrap token and the key of its certificates.
TOKEN = re.compile(r'\b[a-z0-9]{6}\.[a-z0-9]{16}\b|(?<=certificate-key )[0-9a-f]{64}')


def gather_cluster(workload: Workload, place: Path, redactor: Redactor) -> list[Path]:
    """Objects, events and pods' logs of the cluster below `place`/workload."""
    found: dict[str, list[Object]] = {}
    errors: list[str] = []
    for version, kind in IN_CLUSTER:
        try:
            demand_answer(workload)
            found[kind] = list(workload.list(version, kind))
        except Refused as refused:  # a kind that it does not have, or one request too many
            errors.append(str(refused))
        except Problem as problem:
            errors.append(f'{problem}\n  nothing more was asked of the cluster')
            break
    written = [write(place / 'workload' / f'{kind}.yaml', objects, redactor) for kind, objects in found.items()]
    return written + _pod_logs(workload, found.get('Pod', []), place, redactor, errors)


def _pod_logs(
    workload: Workload, pods: Sequence[Object], place: Path, redactor: Redactor, errors: list[str]
) -> list[Path]:
    written, wanted = [], _containers(pods)
    for pod, container, previous in wanted[:MOST_LOGS]:
        space = str(pod['metadata'].get('namespace'))
        path = place / 'workload' / 'logs' / space / f'{name_of(pod)}_{container}{".previous" if previous else ""}.log'
        try:
            text = pod_log(workload, pod, container, previous=previous, lines=LOG_LINES)
        except Refused as refused:  # it never ran, or its kubelet does not answer
            errors.append(str(refused))
            continue
        except Problem as problem:
            errors.append(f'{problem}\n  no more logs were asked for')
            break
        written.append(_text(path, text, redactor))
    if len(wanted) > MOST_LOGS:
        errors.append(f'{len(wanted) - MOST_LOGS} more logs were not asked for')
    return written + ([_text(place / 'workload' / 'errors.txt', '\n'.join(errors), redactor)] if errors else [])


def _containers(pods: Sequence[Object]) -> list[tuple[Object, str, bool]]:
    """Pod, container, and whether the log before its restart is meant; kube-system first."""
    bad = {(name_of(pod), container.get('name')) for pod, container in crashes(pods)}
    found = []
    for pod in sorted(pods, key=lambda pod: pod['metadata'].get('namespace') != SYSTEM):
        for container in container_statuses(pod):
            name = str(container.get('name'))
            found.append((pod, name, False))
            if (name_of(pod), name) in bad and container.get('restartCount'):
                found.append((pod, name, True))
    return found


def gather_cloud(
    view: CloudView, cluster: str, objects: Sequence[Object], place: Path, redactor: Redactor
) -> list[Path]:
    """Consoles of the cluster's servers and what the cloud has under its name, below `place`/cloud."""
    written: list[Path] = []
    errors: list[str] = []

    def attempt(action: Callable[[], None]) -> None:
        try:
            action()
        except Problem as problem:
            errors.append(str(problem))

    def listing() -> None:
        for kind, items in view.resources(cluster).items():
            if items:
                written.append(write(place / 'cloud' / f'{kind}.yaml', [dict(item) for item in items], redactor))

    def console(name: str, server: str) -> None:
        path = place / 'cloud' / 'consoles' / f'{name}.log'
        written.append(_text(path, TOKEN.sub(MASK, view.console(server)), redactor))

    attempt(listing)
    for name in sorted(name_of(obj) for obj in objects if obj.get('kind') == 'OpenStackServer'):
        if server := instance(name, objects):
            attempt(lambda name=name, server=server: console(name, server))  # type: ignore[misc]
    return written + ([_text(place / 'cloud' / 'errors.txt', '\n'.join(errors), redactor)] if errors else [])


def _text(path: Path, text: str, redactor: Redactor) -> Path:
    files.write_atomic(path, redactor.text(text))
    return path
