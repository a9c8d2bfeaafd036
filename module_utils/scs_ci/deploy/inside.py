"""What a cluster itself says is wrong: pods without image, place or peace, silent nodes, and the last warnings."""

from __future__ import annotations

import contextlib
import json
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
# What a member of etcd writes every 5 s of one that it cannot reach: a line for each of its two ways to it.
PEERS_SECONDS, PEERS_LINES = 30, 200
REFUSED_BY = 'dial tcp {address}:2380: connect: connection refused'  # the port of members as kubeadm sets it
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
    lost = lost_members(pods, nodes) or refused_members(workload, pods, nodes)
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


def pod_log(
    workload: Workload, pod: Object, container: str, *, previous: bool = False, lines: int, seconds: int = 0
) -> str:
    """The end of a container's log, of the one before its restart when `previous`; seconds: nothing that is older.

    Raises Refused, Unreachable.
    """
    place = f'/api/v1/namespaces/{pod["metadata"].get("namespace") or SYSTEM}/pods/{name_of(pod)}/log'
    wish = f'container={container}&tailLines={lines}{"&previous=true" if previous else ""}'
    wish += f'&sinceSeconds={seconds}' if seconds else ''
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
    at = _members(pods)
    if not any(is_true(pod, 'Ready') for pod in at.values()):
        return []
    return [
        Complaint(f'etcd member of node {name_of(node)}', 'Node', _lost(at.get(name_of(node))), IN_ETCD)
        for node in _control_plane(nodes)
        if is_true(node, 'Ready') and not is_true(at.get(name_of(node)), 'Ready')
    ]


def refused_members(workload: Workload, pods: Iterable[Object], nodes: Iterable[Object]) -> list[Complaint]:
    """Silent nodes of the control plane whose hosts refuse the other members of etcd.

    kubelet of such a node asks the API server of its own node, which asks its own etcd. Without that the node falls
    silent and its pod of etcd stands in the API as it was. The other members know better, and tell it from a host
    that is down: that would not refuse.
    """
    at, plane = _members(pods), _control_plane(nodes)
    silent = [node for node in plane if not is_true(node, 'Ready')]
    witnesses = [at[name_of(node)] for node in plane if is_true(node, 'Ready') and name_of(node) in at]
    found = []
    for witness in witnesses if silent else ():
        with contextlib.suppress(Problem):  # the next one may answer
            log = pod_log(workload, witness, ETCD[1], lines=PEERS_LINES, seconds=PEERS_SECONDS)
            found += [_refused(node, witness) for node in silent if refuses(log, _address(node))]
            break
    return found


def refuses(log: str, address: str) -> bool:
    """Whether a member of etcd last wrote of the one at this address that its port is closed.

    log: lines of JSON (zap: "msg", "error"), as etcd 3.4 and newer write them.
    """
    told = ''
    for line in log.splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            error = str(entry.get('error') or '') if isinstance(entry, dict) else ''
            told = error if f'{address}:2380' in error else told
    return bool(address) and REFUSED_BY.format(address=address) in told


def _refused(node: Object, witness: Object) -> Complaint:
    closed = f'is lost: nothing listens on port 2380 of {_address(node)}, says pod {name_of(witness)}'
    return Complaint(f'etcd member of node {name_of(node)}', 'Node', closed, IN_ETCD)


def _address(node: Object) -> str:
    """The address of a node in its network; empty when unknown."""
    addresses = (node.get('status') or {}).get('addresses') or []
    return next((str(entry['address']) for entry in addresses if entry.get('type') == 'InternalIP'), '')


def _members(pods: Iterable[Object]) -> dict[str, Object]:
    """The pods of etcd by the names of their nodes."""
    members = [pod for pod in pods if (pod['metadata'].get('labels') or {}).get(ETCD[0]) == ETCD[1]]
    return {str((pod.get('spec') or {}).get('nodeName')): pod for pod in members}


def _control_plane(nodes: Iterable[Object]) -> list[Object]:
    return [node for node in nodes if CONTROL_PLANE_NODE in (node['metadata'].get('labels') or {})]


def _lost(pod: Object | None) -> str:
    if pod is None:
        return 'is lost: the node has no pod of etcd'
    ended = next(filter(None, map(ended_badly, container_statuses(pod))), {})
    how = f', ended with exit code {ended["exitCode"]}' if ended.get('exitCode') is not None else ''
    return f'is lost: pod {name_of(pod)} is not ready{how}'
