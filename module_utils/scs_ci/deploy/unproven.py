"""Workloads that cannot run here because nobody has their images, as whoever runs the stage has declared. Pure.

Images are declared by the beginning of their names. What waits for such an image, and for nothing else, is not proven
and is named; whatever else keeps a workload from rolling out stays a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kinds import Object, container_statuses, is_true, status, title

# Why a container waits when nobody gives it its image.
NO_IMAGE = frozenset({'ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'})
# A container of a pod whose init container waits.
BEHIND_INIT = 'PodInitializing'


@dataclass(frozen=True)
class Counts:
    """Pods of a workload: as many as wanted, of the present template, and ready."""

    wanted: int
    updated: int
    ready: int


@dataclass(frozen=True)
class Unproven:
    """workload: 'DaemonSet cilium'. images: what its pods wait for."""

    workload: str
    images: tuple[str, ...]


def counts(obj: Object) -> Counts:
    """What the status of a Deployment, DaemonSet or StatefulSet says."""
    now, spec = status(obj), obj.get('spec') or {}
    if obj.get('kind') == 'DaemonSet':
        keys = ('desiredNumberScheduled', 'updatedNumberScheduled', 'numberAvailable')
        return Counts(*(now.get(key) or 0 for key in keys))
    wanted = 1 if spec.get('replicas') is None else int(spec['replicas'])
    ready = 'availableReplicas' if obj.get('kind') == 'Deployment' else 'readyReplicas'
    return Counts(wanted, now.get('updatedReplicas') or 0, now.get(ready) or 0)


def is_seen(obj: Object) -> bool:
    """Whether the status is about the present generation."""
    return (status(obj).get('observedGeneration') or 0) >= (obj['metadata'].get('generation') or 0)


def is_declared(image: str, absent: Sequence[str]) -> bool:
    return any(image.startswith(beginning) for beginning in absent)


def of_workloads(workloads: Iterable[Object], pods: Sequence[Object], absent: Sequence[str]) -> list[Unproven]:
    """Those workloads that only images which begin like one of `absent` keep from rolling out."""
    found = ((workload, _images(workload, pods, absent)) for workload in workloads)
    return [Unproven(title(workload), images) for workload, images in found if images]


def _images(workload: Object, pods: Sequence[Object], absent: Sequence[str]) -> tuple[str, ...]:
    """What the workload waits for; empty when it has all, or when there is anything else."""
    now = counts(workload)
    if not absent or not is_seen(workload) or now.updated < now.wanted or now.ready >= now.wanted:
        return ()
    waiting = [images for pod in pods if _belongs(pod, workload) and (images := waits_for(pod, absent))]
    if now.ready + len(waiting) < now.wanted:
        return ()
    return tuple(sorted({image for images in waiting for image in images}))


def _belongs(pod: Object, workload: Object) -> bool:
    wanted: Mapping[str, Any] = ((workload.get('spec') or {}).get('selector') or {}).get('matchLabels') or {}
    labels = pod['metadata'].get('labels') or {}
    leaving = pod['metadata'].get('deletionTimestamp')
    return bool(wanted) and not leaving and all(labels.get(key) == value for key, value in wanted.items())


def waits_for(pod: Object, absent: Sequence[str]) -> tuple[str, ...]:
    """Declared images that alone keep a pod from being ready; empty when it is ready or has another trouble."""
    if is_true(pod, 'Ready'):
        return ()
    images = [_image(container, absent) for container in container_statuses(pod)]
    if any(image is None for image in images):
        return ()
    return tuple(sorted({image for image in images if image}))


def _image(container: Mapping[str, Any], absent: Sequence[str]) -> str | None:
    """The declared image that a container waits for; empty when it is well, None when something else is wrong.

    A container that runs without being ready is well: it may wait for the one without image.
    """
    state = container.get('state') or {}
    waiting, ended = state.get('waiting'), state.get('terminated')
    if waiting and waiting.get('reason') in NO_IMAGE:
        image = str(container.get('image'))
        return image if is_declared(image, absent) else None
    if waiting:
        return '' if waiting.get('reason') == BEHIND_INIT else None
    if ended:
        return '' if ended.get('exitCode') == 0 else None
    return '' if 'running' in state else None
