"""Is a cluster one that people can use? Pure predicates over its objects, in the management cluster and in itself.

Those of several objects take a group: `{kind, metadata: {name}, items: [...]}` and, where the number matters, `wanted`.
Conditions are those of the v1beta2 API of Cluster API 1.12; each carries the generation that it judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..plane.conditions import is_current
from .kinds import Object, condition, condition_text, conditions, container_statuses, is_true, name_of, status, title
from .readiness import ABSENT, UNSEEN, State
from .unproven import NO_IMAGE, counts, is_declared, is_seen, of_workloads

CONTROL_PLANE = ('Available', 'EtcdClusterHealthy', 'ControlPlaneComponentsHealthy')
CLUSTER = ('InfrastructureReady', 'ControlPlaneInitialized', 'RemoteConnectionProbe', 'Available')
# What never becomes False again keeps the generation at which it was said: Cluster API does not look at it any more.
ONCE = frozenset({'ControlPlaneInitialized'})
# https://kubernetes.io/docs/reference/labels-annotations-taints/#node-cloudprovider-kubernetes-io-uninitialized
UNINITIALIZED = 'node.cloudprovider.kubernetes.io/uninitialized'
DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'
MOST_TOLD = 3


def group(kind: str, name: str, items: Iterable[Object], wanted: int | None = None) -> Object:
    """Several objects as one, for predicates that judge them together."""
    return {'kind': kind, 'metadata': {'name': name}, 'items': list(items), 'wanted': wanted}


def available(obj: Object | None) -> State:
    """A Cluster that is Available and can be reached by Cluster API."""
    return _all_true(obj, CLUSTER)


def initialized(obj: Object | None) -> State:
    """A Cluster whose first API server has answered Cluster API."""
    return _all_true(obj, ('ControlPlaneInitialized',))


def control_plane(obj: Object | None) -> State:
    """A KubeadmControlPlane with healthy etcd and as many replicas as wanted, all of its present version."""
    state = _all_true(obj, CONTROL_PLANE)
    if obj is None or not state.ready:
        return state
    if is_true(obj, 'RollingOut'):
        return State(False, condition_text(condition(obj, 'RollingOut')))
    return _replicas(obj)


def machine_deployment(obj: Object) -> State:
    """A MachineDeployment whose replicas are all ready and up to date."""
    state = _all_true(obj, ('Available',))
    return _replicas(obj) if state.ready else state


def machine_deployments(obj: Object | None) -> State:
    return _each(obj, machine_deployment)


def machine(obj: Object) -> State:
    """A Machine with a healthy Node."""
    return _all_true(obj, ('NodeHealthy',))


def machines(obj: Object | None) -> State:
    """All machines of a cluster, and as many as its topology wants."""
    return _each(obj, machine)


def addon(obj: Object | None) -> State:
    """A ClusterAddon with nothing left to do. Its conditions alone prove nothing: see addons.py."""
    if obj is None:
        return ABSENT
    false = [entry for entry in conditions(obj) if entry.get('status') != 'True']
    if not is_true(obj, 'Ready') or false:
        return State(False, condition_text(false[0]) if false else UNSEEN)
    hook = (obj.get('spec') or {}).get('hook')
    if hook or status(obj).get('stages'):
        return State(False, f'still has to do: hook {hook or "none"}, {len(status(obj).get("stages") or ())} stages')
    return State(True, 'ready, no stage left')


def node(obj: Object) -> State:
    """A Node that is Ready and known to its cloud."""
    if not is_true(obj, 'Ready'):
        entry = condition(obj, 'Ready')
        return State(False, condition_text(entry) if entry else UNSEEN)
    taints = [taint.get('key') for taint in (obj.get('spec') or {}).get('taints') or ()]
    if UNINITIALIZED in taints:
        return State(False, f'tainted {UNINITIALIZED}: no cloud controller manager has looked at it')
    return State(True, 'Ready')


def nodes(obj: Object | None) -> State:
    return _each(obj, node)


def rolled_out(obj: Object) -> State:
    """A Deployment, DaemonSet or StatefulSet whose present template runs everywhere, as `kubectl rollout status` says.

    Not "all pods Ready": completed pods never are.
    """
    if not is_seen(obj):
        return State(False, UNSEEN)
    now = counts(obj)
    if now.updated >= now.wanted and now.ready >= now.wanted:
        return State(True, f'{now.ready} of {now.wanted} pods available')
    return State(False, f'{now.updated} of {now.wanted} pods updated, {now.ready} available')


def workloads(obj: Object | None) -> State:
    """All are rolled out, but for those that wait for images of which `absent` declares that nobody has them here.

    The group has `pods` and `absent` beside its items, where there is anything declared.
    """
    if obj is None or not obj.get('absent'):
        return _each(obj, rolled_out)
    unproven = of_workloads(obj['items'], obj['pods'], obj['absent'])
    names = [found.workload for found in unproven]
    state = _each({**obj, 'items': [item for item in obj['items'] if title(item) not in names]}, rolled_out)
    return State(state.ready, f'{state.text}; without image: {", ".join(names)}') if names else state


def default_class(obj: Object | None) -> State:
    """Exactly one StorageClass of the group is the default one."""
    marked = [
        name_of(item)
        for item in (obj or {}).get('items') or ()
        if (item['metadata'].get('annotations') or {}).get(DEFAULT_CLASS) == 'true'
    ]
    text = f'default StorageClass: {", ".join(marked) or "none"}'
    return State(len(marked) == 1, text, failed=len(marked) > 1)


def addons(obj: Object | None) -> State:
    """Group of lines: `items` are objects that are absent or differ, `failures` what the operator could not render.

    Where every object is as it should be, a later try of the operator has helped, and its older events are history.
    """
    if obj is None:
        return ABSENT
    failures, items = obj.get('failures') or [], obj['items']
    if items:
        more = f' and {len(items) - MOST_TOLD} more' if len(items) > MOST_TOLD else ''
        return State(False, f'{"; ".join([*failures[:MOST_TOLD], *items[:MOST_TOLD]])}{more}')
    return State(True, 'every rendered object is there and equal')


def imageless(pods: Iterable[Object], absent: Sequence[str] = ()) -> list[str]:
    """Images that pods wait for in vain, with the first pod that does: 'IMAGE (pod NAME: reason)'; but for those that
    are declared to be absent."""
    found: dict[str, str] = {}
    for pod in pods:
        for container in container_statuses(pod):
            waiting = (container.get('state') or {}).get('waiting') or {}
            if waiting.get('reason') in NO_IMAGE and not is_declared(str(container.get('image')), absent):
                found.setdefault(str(container.get('image')), f'pod {name_of(pod)}: {waiting["reason"]}')
    return [f'{image} ({why})' for image, why in sorted(found.items())]


def _all_true(obj: Object | None, wanted: Iterable[str]) -> State:
    """All these conditions are True, for the present generation."""
    if obj is None:
        return ABSENT
    for kind in wanted:
        entry = condition(obj, kind)
        if not entry or not (is_current(obj, kind) or kind in ONCE):
            return State(False, f'{kind}: {UNSEEN}')
        if entry.get('status') != 'True':
            return State(False, condition_text(entry))
    return State(True, ', '.join(wanted))


def _replicas(obj: Object) -> State:
    wanted = (obj.get('spec') or {}).get('replicas')
    now: dict[str, Any] = {key: status(obj).get(key) or 0 for key in ('replicas', 'readyReplicas', 'upToDateReplicas')}
    if wanted is not None and all(count == wanted for count in now.values()):
        return State(True, f'{wanted} of {wanted} replicas')
    told = ', '.join(f'{count} {key}' for key, count in now.items())
    return State(False, f'{told}, {wanted} wanted')


def _each(obj: Object | None, judge: Any) -> State:
    """All items of a group are ready, and there are as many as wanted; says of the first ones why not."""
    if obj is None:
        return ABSENT
    items, wanted = obj['items'], obj.get('wanted')
    if wanted is not None and len(items) != wanted:
        return State(False, f'{len(items)} there, {wanted} wanted')
    waiting = [(item, state) for item in items if not (state := judge(item)).ready]
    if waiting:
        told = '; '.join(f'{title(item)}: {state.text}' for item, state in waiting[:MOST_TOLD])
        return State(False, f'{len(items) - len(waiting)} of {len(items)} ready; {told}')
    return State(True, f'{len(items)} of {len(items)} ready')


PREDICATES = {
    'Initialized': initialized,
    'KubeadmControlPlane': control_plane,
    'ClusterAddon': addon,
    'Addons': addons,
    'Machines': machines,
    'MachineDeployments': machine_deployments,
    'Available': available,
    'Nodes': nodes,
    'Workloads': workloads,
    'StorageClasses': default_class,
}
