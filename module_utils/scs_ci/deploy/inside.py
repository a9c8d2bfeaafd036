"""What a cluster itself says is wrong: pods without image, place or peace, silent nodes, and the last warnings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..core.errors import Problem
from ..plane.kube import Refused
from .addons import Workload
from .diagnosis import Complaint, complaints
from .kinds import Object, condition, condition_text, container_statuses, is_true, name_of
from .usable import imageless

SYSTEM = 'kube-system'
# What runs in a cluster is nearer to the cause than every object of the management cluster. A pod that crashes explains
# the nodes that wait for it; an image that nobody has explains the pod. Without its etcd an API server crashes, too.
IN_CLUSTER, IN_NODE, IN_POD, IN_ETCD = 20, 21, 22, 23
MOST_EVENTS = 2
MOST_PODS = 3
LOG_LINES = 20  # of a crashed container; its last line tells why
# How kubeadm labels what it makes on a control plane node: the node, and the pod of its etcd.
CONTROL_PLANE_NODE = 'node-role.kubernetes.io/control-plane'
ETCD = ('component', 'etcd')
# One question of diagnosis; neither a dead API server nor the kubelet of a dead node answers at all.
LOG_SECONDS = 10


def in_cluster(workload: Workload, absent: Sequence[str] = ()) -> list[Complaint]:
    """Complaints of kube-system, the nearest to the cause first; none when the API does not answer: that is told by
    the wait itself. absent: beginnings of images that nobody has here, so that their lack explains nothing."""
    try:
        demand_answer(workload)
        pods, events = workload.list('v1', 'Pod', SYSTEM), workload.list('v1', 'Event', SYSTEM)
        nodes = workload.list('v1', 'Node')
    except Problem:
        return []
    missing = [Complaint('image', 'Pod', text, IN_POD) for text in imageless(pods, absent)]
    crashed = [_crash(workload, pod, container) for pod, container in crashes(pods)[:MOST_PODS]]
    latest = sorted(events, key=lambda event: str(event.get('lastTimestamp') or event.get('eventTime') or ''))
    warned = [replace(complaint, depth=IN_CLUSTER) for complaint in complaints((), latest[-MOST_EVENTS * 5 :])]
    lost = lost_members(pods, nodes)
    return [*lost, *missing, *crashed, *unscheduled(pods), *silent_nodes(nodes), *warned[-MOST_EVENTS:]]


def demand_answer(workload: Workload) -> None:
    """Raise Unreachable soon where the API answers nobody: the client's discovery has no limit of its own."""
    with contextlib.suppress(Refused):  # that is an answer
        workload.call('GET', '/livez', timeout=LOG_SECONDS, parse=False)


def crashes(pods: Iterable[Object]) -> list[tuple[Object, dict[str, Any]]]:
    """Pods with the status of a container that ended badly and is started again and again."""
    found = []
    for pod in pods:
        for container in container_statuses(pod):
            ended = ended_badly(container)
            if ended and not container.get('ready'):
                found.append((pod, container))
    return found


def ended_badly(container: dict[str, Any]) -> dict[str, Any]:
    """How the container ended when it last did, if that was bad: {exitCode, reason, message}; empty otherwise."""
    states = [container.get('state') or {}, container.get('lastState') or {}]
    ended = next((state['terminated'] for state in states if state.get('terminated')), None)
    waiting = (states[0].get('waiting') or {}).get('reason')
    if ended and (ended.get('exitCode') or waiting == 'CrashLoopBackOff'):
        return dict(ended)
    if waiting in ('CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'):
        return {'reason': waiting, 'message': states[0]['waiting'].get('message') or ''}
    return {}


def _crash(workload: Workload, pod: Object, container: dict[str, Any]) -> Complaint:
    ended = ended_badly(container)
    how = f'exit code {ended["exitCode"]}' if ended.get('exitCode') is not None else ''
    how = ', '.join(part for part in (str(ended.get('reason') or ''), how) if part)
    said = ended.get('message') or last_words(workload, pod, str(container.get('name')))
    times = f' after {container["restartCount"]} restarts' if container.get('restartCount') else ''
    text = f'container {container.get("name")} crashes ({how}{times})'
    said = ' '.join(str(said).split())
    return Complaint(f'pod {name_of(pod)}', 'Pod', f'{text}: {said}' if said else text, IN_POD)


def last_words(workload: Workload, pod: Object, container: str) -> str:
    """The last line that a container wrote; empty when nobody can tell."""
    for previous in (False, True):
        try:
            text = pod_log(workload, pod, container, previous=previous, lines=LOG_LINES)
        except Problem:
            continue
        if text.strip():
            return text.strip().splitlines()[-1]
    return ''


def pod_log(workload: Workload, pod: Object, container: str, *, previous: bool, lines: int) -> str:
    """The end of a container's log, of the one before its restart when `previous`. Raises Refused, Unreachable."""
    place = f'/api/v1/namespaces/{pod["metadata"].get("namespace") or SYSTEM}/pods/{name_of(pod)}/log'
    wish = f'container={container}&tailLines={lines}{"&previous=true" if previous else ""}'
    return str(workload.call('GET', f'{place}?{wish}', timeout=LOG_SECONDS, parse=False))


def unscheduled(pods: Iterable[Object]) -> list[Complaint]:
    """Pods that no node takes, with the scheduler's words."""
    found = [(pod, condition(pod, 'PodScheduled')) for pod in pods]
    told = [
        Complaint(f'pod {name_of(pod)}', 'Pod', f'is not scheduled: {entry.get("message")}', IN_CLUSTER)
        for pod, entry in found
        if entry.get('status') == 'False' and entry.get('message')
    ]
    return told[:1]  # the others wait for the same


def silent_nodes(nodes: Iterable[Object]) -> list[Complaint]:
    """Nodes that told something once and no more, unlike those that wait for a pod network."""
    return [
        Complaint(f'node {name_of(node)}', 'Node', condition_text(condition(node, 'Ready')), IN_NODE)
        for node in nodes
        if condition(node, 'Ready').get('status') == 'Unknown' and not is_true(node, 'Ready')
    ]


def lost_members(pods: Iterable[Object], nodes: Iterable[Object]) -> list[Complaint]:
    """Ready nodes of the control plane whose etcd does not run, while that of another one does.

    kubeadm gives each its own member and an API server that asks no other. Where no pod of etcd runs at all, it is
    elsewhere. A silent node explains its etcd, not the other way round.
    """
    members = [pod for pod in pods if (pod['metadata'].get('labels') or {}).get(ETCD[0]) == ETCD[1]]
    at = {str((pod.get('spec') or {}).get('nodeName')): pod for pod in members}
    if not any(is_true(pod, 'Ready') for pod in members):
        return []
    return [
        Complaint(f'etcd member of node {name_of(node)}', 'Node', _lost(at.get(name_of(node))), IN_ETCD)
        for node in nodes
        if CONTROL_PLANE_NODE in (node['metadata'].get('labels') or {})
        and is_true(node, 'Ready')
        and not is_true(at.get(name_of(node)), 'Ready')
    ]


def _lost(pod: Object | None) -> str:
    if pod is None:
        return 'is lost: the node has no pod of etcd'
    ended = next(filter(None, map(ended_badly, container_statuses(pod))), {})
    how = f', ended with exit code {ended["exitCode"]}' if ended.get('exitCode') is not None else ''
    return f'is lost: pod {name_of(pod)} is not ready{how}'
