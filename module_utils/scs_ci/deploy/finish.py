"""From the first server to a cluster that people can use: control plane, addons, machines, and what runs in it."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..core.errors import ProductProblem, ToolProblem
from ..core.outcome import Outcome
from ..core.records import PlannedVersion
from ..plane.kube import Refused, Unreachable
from . import addons, gather
from .addons import Expected, Workload
from .deployment import Deployment, first, watch
from .diagnosis import Complaint
from .inside import IN_CLUSTER, SYSTEM, in_cluster
from .kinds import CLUSTERS_V2, CONTROL_PLANES_V2, STACKS, Object, belongs
from .unproven import of_workloads
from .usable import group

T = TypeVar('T')
APPS = 'apps/v1'
# With one of these the stack brings storage, and a cluster with storage has a default class.
STORAGE = frozenset({'CSIDriver', 'StorageClass'})
# An API server that starts, or whose etcd elects, answers so; a kind of a new addon is found a little later.
BUSY = frozenset({404, 429, 500, 503, 504})
REVIEW = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'


def finish(run: Deployment, version: PlannedVersion) -> None:
    """Wait for the truth, in the order in which it comes. Raises the Problem of the deepest cause."""
    started, setup, name = run.clock.monotonic(), run.setup, run.cluster
    if setup.connect is None or setup.addons is None:
        raise ToolProblem('cannot look into', f'Cluster {name}', 'no way was given', 'report it')

    watch(run, 'Initialized', f'Cluster {name}', lambda: cluster_of(run))
    run.step('control plane initialized', started)
    with setup.connect(kubeconfig(run)) as workload:
        wanted = _addons(run, version, workload)
        _machines(run, workload)
        _inside(run, workload, wanted)


def cluster_of(run: Deployment) -> Object | None:
    """The Cluster, read where each condition carries its generation."""
    return run.setup.api.get(CLUSTERS_V2, 'Cluster', run.cluster, run.setup.space)


def kubeconfig(run: Deployment) -> str:
    """The text of the cluster's own kubeconfig, which Cluster API keeps in a secret."""
    name = f'{run.cluster}-kubeconfig'
    secret = run.setup.api.get('v1', 'Secret', name, run.setup.space)
    try:
        return base64.b64decode(((secret or {}).get('data') or {})['value']).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError) as error:
        answer = 'it is absent' if secret is None else 'it has no readable value'
        raise ToolProblem('cannot read', f'Secret {name}', answer, 'see the log of cluster-api') from error


def _addons(run: Deployment, version: PlannedVersion, workload: Workload) -> list[Expected]:
    """The operator says that it is done, and everything that an own rendering has is there."""
    started, setup, name = run.clock.monotonic(), run.setup, run.cluster
    assert setup.addons is not None
    wanted = list(setup.addons(version, addons.cluster_objects(setup.api, setup.space, name)))
    title = f'cluster-addon-{name}'
    watch(
        run, 'ClusterAddon', f'ClusterAddon {title}', lambda: setup.api.get(STACKS, 'ClusterAddon', title, setup.space)
    )

    def look() -> Object | None:
        found = _answered(lambda: addons.mismatches(workload, wanted))
        if found is None:
            return None
        events = [event for event in setup.api.events(setup.space) if gather.about(event)[1] == title]
        return {**group('Addons', name, ()), 'items': found, 'failures': addons.failures(events)}

    watch(run, 'Addons', f'Addons of {name}', look)
    run.state.facts['addons'] = {stage: sum(e.stage == stage for e in wanted) for stage in {e.stage for e in wanted}}
    run.step('addons', started)
    return wanted


def _machines(run: Deployment, workload: Workload) -> None:
    started, setup, name = run.clock.monotonic(), run.setup, run.cluster

    def plane() -> Object | None:
        return first(run, CONTROL_PLANES_V2, 'KubeadmControlPlane', lambda obj: belongs(obj, name))

    def of_kind(kind: str, count: int | None = None) -> Callable[[], Object]:
        def look() -> Object:
            found = [o for o in gather.listed(setup.api, CLUSTERS_V2, kind, setup.space) if belongs(o, name)]
            return group(f'{kind}s', name, found, count)

        return look

    def more() -> list[Complaint]:
        # warnings of a cluster that comes up are many, and harmless; what crashes or is silent is not
        return [complaint for complaint in in_cluster(workload, setup.absent) if complaint.depth > IN_CLUSTER]

    run.state.facts['machines'] = count = machine_count(cluster_of(run))
    watch(run, 'KubeadmControlPlane', f'KubeadmControlPlane of {name}', plane, more)
    run.step('control plane', started)
    started = run.clock.monotonic()
    watch(run, 'Machines', f'Machines of {name}', of_kind('Machine', count), more)
    watch(run, 'MachineDeployments', f'MachineDeployments of {name}', of_kind('MachineDeployment'), more)
    run.step('machines', started)
    started = run.clock.monotonic()
    watch(run, 'Available', f'Cluster {name}', lambda: cluster_of(run), more)
    run.step('cluster available', started)


def machine_count(cluster: Object | None) -> int:
    """How many machines the topology of a Cluster wants."""
    topology = ((cluster or {}).get('spec') or {}).get('topology') or {}
    workers = (topology.get('workers') or {}).get('machineDeployments') or ()
    parts = [topology.get('controlPlane') or {}, *workers]
    return sum(1 if part.get('replicas') is None else int(part['replicas']) for part in parts)


def _inside(run: Deployment, workload: Workload, wanted: Iterable[Expected]) -> None:
    """Nodes, system workloads, storage and rights, as the cluster itself tells them."""
    started, name, count = run.clock.monotonic(), run.cluster, run.state.facts['machines']

    def await_group(kind: str, look: Callable[[], list[Object]], number: int | None = None) -> None:
        def found() -> Object | None:
            items = _answered(look)
            return None if items is None else group(kind, name, items, number)

        watch(run, kind, f'{kind} of {name}', found, lambda: in_cluster(workload, run.setup.absent))

    await_group('Nodes', lambda: list(workload.list('v1', 'Node')), count)
    run.step('nodes', started)
    started = run.clock.monotonic()
    _workloads(run, workload)
    if any(entry.obj['kind'] in STORAGE for entry in wanted):
        await_group('StorageClasses', lambda: list(workload.list('storage.k8s.io/v1', 'StorageClass')))
    _may_everything(workload, name)
    run.step('workloads', started)


def _workloads(run: Deployment, workload: Workload) -> None:
    """All of kube-system runs; what lacks an image that is declared to be absent is named in the record."""
    name, absent = run.cluster, run.setup.absent

    def look() -> Object | None:
        def ask() -> list[Object]:
            pods = list(workload.list('v1', 'Pod', SYSTEM)) if absent else []
            return [{**group('Workloads', name, _system(workload)), 'pods': pods, 'absent': absent}]

        found = _answered(ask)
        return found[0] if found else None

    found = watch(run, 'Workloads', f'Workloads of {name}', look, lambda: in_cluster(workload, absent))
    unproven = of_workloads(found['items'], found['pods'], absent)
    run.state.facts['unproven'] = [dataclasses.asdict(one) for one in unproven]
    if unproven:
        names = ', '.join(one.workload for one in unproven)
        run.state.simulated.update(f'{one.workload} (no image)' for one in unproven)
        run.state.end(Outcome.PASSED, f'not proven: {names}, whose images cannot be had here')


def _system(workload: Workload) -> list[Object]:
    """What kube-system runs for good."""
    return [obj for kind in ('Deployment', 'DaemonSet', 'StatefulSet') for obj in workload.list(APPS, kind, SYSTEM)]


def _answered(ask: Callable[[], list[T]]) -> list[T] | None:
    """The answer; None while the cluster's API does not answer, which it may do while its control plane changes."""
    try:
        return ask()
    except Unreachable:
        return None
    except Refused as refused:
        if refused.status in BUSY:
            return None
        raise


def _may_everything(workload: Workload, name: str) -> None:
    """`kubectl auth can-i '*' '*'`: the kubeconfig that users get is the administrator's."""
    attributes = {'verb': '*', 'group': '*', 'resource': '*'}
    review = {'apiVersion': 'authorization.k8s.io/v1', 'kind': 'SelfSubjectAccessReview'}
    answer = workload.call('POST', REVIEW, {**review, 'spec': {'resourceAttributes': attributes}})
    if not (answer.get('status') or {}).get('allowed'):
        why = (answer.get('status') or {}).get('reason') or 'no'
        raise ProductProblem('may not do everything in', f'Cluster {name}', why, "look at the cluster's RBAC")
