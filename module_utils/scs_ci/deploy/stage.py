"""The stage: one version from its published release to the first server of its cluster, or to a usable cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import Problem, ProductProblem, ToolProblem, UsageProblem
from ..core.records import PlannedVersion
from ..core.run import StageRun
from ..plane.kube import Refused
from . import delete, gather, gather_below, objects
from .deployment import Deployment, Overrides, Render, Setup, first, watch
from .finish import finish, kubeconfig
from .kinds import (
    CLUSTERS,
    CLUSTERS_V2,
    CONTROL_PLANE_LABEL,
    OPENSTACK,
    OPENSTACK_SERVERS,
    STACKS,
    Api,
    Object,
    belongs,
    name_of,
    status,
    title,
)
from .objects import Release
from .variables import Identity, find_class, identity, variables, worker_class

__all__ = [
    'Deployment', 'Overrides', 'Render', 'Setup',
    'bring_release', 'class_archive', 'deploy', 'gather_evidence', 'prepare', 'refusal',
]  # fmt: skip

# Fact `until` of a deployment that went all the way: only then there is a cluster to test.
USABLE = 'cluster usable'
# Answers that speak of the object: malformed, of unknown kind, invalid. 403 may also speak of our rights.
REFUSALS = frozenset({400, 404, 422})
# Of the looks at a server, every fourth asks the cloud: once in two seconds, for it is farther away than the plane.
CLOUD_LOOKS = 4


def deploy(state: StageRun, version: PlannedVersion, setup: Setup) -> None:
    """Body of the stage for core.run.version_stage. On failure everything of use lies in the version's must-gather."""
    release = objects.release_from(version, _facts(state, version))
    run = Deployment(state, setup, release, _cluster_name(state, version), log_sizes=gather.log_sizes(setup.logs))
    state.simulated.update(setup.simulated)
    state.facts.update({'cluster': run.cluster, 'namespace': setup.space, 'class': release.class_name})
    try:
        rendered = prepare(run, version)
        bring_release(run)
        values = _create_cluster(run, version, rendered)
        state.facts['variables'] = values
        _follow(run, version)
    except Problem:
        gather_evidence(run)
        raise


def _facts(state: StageRun, version: PlannedVersion) -> dict[str, Any]:
    """Facts of build and publish together."""
    records = [state.run.record(stage, version.key) for stage in ('build', 'publish')]
    return {key: value for record in records if record for key, value in record.facts.items()}


def _cluster_name(state: StageRun, version: PlannedVersion) -> str:
    keys = [planned.key for planned in state.run.plan().versions]
    return state.run.names.cluster(keys.index(version.key))


def prepare(run: Deployment, version: PlannedVersion) -> Sequence[Object]:
    """Namespace and a dry run of the class's objects: the operator would hide why the API server refuses one."""
    started, setup = run.clock.monotonic(), run.setup
    setup.api.apply(objects.namespace(setup.space))
    rendered = setup.render(version, run.release, setup.space)
    refused = [answer for obj in rendered if (answer := refusal(setup.api, _placed(obj, setup.space)))]
    if refused:
        more = f' (and {len(refused) - 1} more objects)' if len(refused) > 1 else ''
        raise ProductProblem(
            'API server refuses', 'the class chart', refused[0] + more, 'fix the object in the class chart'
        )
    run.state.say(f'class chart: {len(rendered)} objects accepted by dry run')
    run.step('class dry run', started)
    return rendered


def _placed(obj: Object, space: str) -> Object:
    """As the operator applies it: in the release's namespace."""
    return {**obj, 'metadata': {**obj['metadata'], 'namespace': space}}


def refusal(api: Api, obj: Object) -> str:
    """The API server's answer when it refuses the object, else empty. No answer at all is no refusal."""
    try:
        api.apply(obj, dry_run=True)
    except Refused as refused:
        if _is_refusal(refused):
            return f'{title(obj)}: {refused.answer}'
        raise
    return ''


def _is_refusal(refused: Refused) -> bool:
    """True when the object is at fault: also with 403 by a webhook, and with 500 for a field that no schema knows."""
    told = ('admission webhook', 'failed to create typed patch')
    return refused.status in REFUSALS or any(words in refused.answer for words in told)


def bring_release(run: Deployment, kept: Sequence[str] = ()) -> None:
    """The release downloaded, its class reconciled. kept: versions of the same stack and minor that stay in use."""
    started, setup, release = run.clock.monotonic(), run.setup, run.release
    setup.api.apply(objects.cluster_stack(setup.space, release, kept))
    await_object(run, STACKS, 'ClusterStackRelease', release.tag)
    run.step('release ready', started)
    started = run.clock.monotonic()
    await_object(run, CLUSTERS, 'ClusterClass', release.class_name)
    run.step('class reconciled', started)


def _create_cluster(run: Deployment, version: PlannedVersion, rendered: Sequence[Object]) -> dict[str, Any]:
    """Credentials and the Cluster, tried first; returns the variables set."""
    started, setup = run.clock.monotonic(), run.setup
    made = find_class(rendered, run.release.class_name)
    values = variables(made, setup.choice(), setup.overrides(version, made))
    if setup.cloud:
        _credentials(setup, identity(made, values))
    _demand_place(run)
    workers, topology = worker_class(made), setup.topology
    wanted = objects.cluster(setup.space, run.cluster, run.release, values, workers, topology, not setup.cloud)
    if refused := refusal(setup.api, wanted):
        raise ProductProblem('API server refuses', 'the cluster', refused, 'fix the class or the variables')
    setup.api.apply(wanted)
    run.state.say(f'Cluster {run.cluster}: admitted')
    run.step('cluster admitted', started)
    return values


def _demand_place(run: Deployment) -> None:
    """Room for the cluster: one that was made for no cloud is no beginning of one in a cloud, nor the other way round.

    The first has nothing in a cloud and is made anew. The second would get values that no cloud has chosen.
    """
    setup, name = run.setup, run.cluster
    live = setup.api.get(CLUSTERS, 'Cluster', name, setup.space)
    cloudless = objects.CLOUDLESS in ((live or {}).get('metadata', {}).get('annotations') or {})
    if live is None or cloudless != bool(setup.cloud):
        return
    if not cloudless:
        answer, advice = 'it is in a cloud', "delete it first: 'scs-ci deploy --delete --run DIR'"
        raise UsageProblem('cannot look at nothing but the topology of', f'Cluster {name}', answer, advice)
    run.state.say(f'Cluster {name}: was made for no cloud, so it is made anew')
    delete.delete_cluster(setup.api, setup.space, name, run.state.say, run.clock)


def _credentials(setup: Setup, wanted: Identity) -> None:
    setup.api.apply(objects.credentials(setup.space, wanted.secret, wanted.cloud, setup.cloud, setup.ca))
    for obj in objects.workload_credentials(setup.space, wanted.cloud, setup.cloud, setup.ca):
        setup.api.apply(obj)


def _follow(run: Deployment, version: PlannedVersion) -> None:
    """From topology to the first control plane server, or to a usable cluster."""
    started, setup = run.clock.monotonic(), run.setup
    await_object(run, CLUSTERS_V2, 'Cluster', run.cluster)
    run.step('topology reconciled', started)
    started = run.clock.monotonic()
    if setup.until == 'topology':
        run.state.facts['until'] = 'topology reconciled'
        return
    infrastructure = _await_cluster(run)
    run.state.facts['network'] = {
        key: (status(infrastructure).get(key) or {}).get('id')
        for key in ('network', 'router', 'controlPlaneSecurityGroup', 'workerSecurityGroup')
    }
    run.step('network', started)
    started = run.clock.monotonic()
    server = _await_server(run)
    run.state.facts['server'] = {'name': name_of(server), 'id': status(server).get('instanceID')}
    run.step('server active', started)
    # A simulated machine never becomes a node; whoever reads the record shall see where it ends.
    run.state.facts['until'] = 'server active'
    if setup.until == 'cluster':
        finish(run, version)
        run.state.facts['until'] = USABLE


def await_object(run: Deployment, api_version: str, kind: str, name: str) -> Object:
    setup = run.setup

    def look() -> Object | None:
        return setup.api.get(api_version, kind, name, setup.space)

    return watch(run, kind, f'{kind} {name}', look)


def _await_cluster(run: Deployment) -> Object:
    """The OpenStackCluster, whose name Cluster API chooses, with its network."""

    def look() -> Object | None:
        return first(run, OPENSTACK, 'OpenStackCluster', lambda obj: belongs(obj, run.cluster))

    return watch(run, 'OpenStackCluster', f'OpenStackCluster of {run.cluster}', look)


def _await_server(run: Deployment) -> Object:
    """The first control plane server, ACTIVE. The cloud is asked, too, for CAPO looks again only every ten seconds."""
    ask, looks = run.setup.is_active, itertools.count()

    def look() -> Object | None:
        machines = _control_plane_machines(run)
        found = first(run, OPENSTACK_SERVERS, 'OpenStackServer', lambda obj: name_of(obj) in machines)
        server = status(found).get('instanceID') if found else None
        if found and server and ask and next(looks) % CLOUD_LOOKS == 0 and ask(server):
            return {**found, 'status': {**status(found), 'instanceState': 'ACTIVE'}}
        return found

    return watch(run, 'OpenStackServer', f'OpenStackServer of {run.cluster}', look)


def _control_plane_machines(run: Deployment) -> set[str]:
    """Names of the OpenStackMachines of the control plane; their servers bear the same names."""
    found = run.setup.api.list(OPENSTACK, 'OpenStackMachine', run.setup.space)
    return {
        name_of(obj)
        for obj in found
        if belongs(obj, run.cluster) and CONTROL_PLANE_LABEL in (obj['metadata'].get('labels') or {})
    }


def gather_evidence(run: Deployment) -> None:
    """Must-gather on the way out; a failure in a part of it is told, and hides neither the others nor the first one."""
    place, redactor, setup = run.state.directory / 'must-gather', run.state.run.redactor, run.setup

    def cloud() -> list[Path]:
        objects = gather.of_cluster(setup.api, setup.space, run.cluster)
        return gather_below.gather_cloud(setup.view, run.cluster, objects, place, redactor) if setup.view else []

    def inside() -> list[Path]:
        if setup.connect is None or setup.until != 'cluster':
            return []
        with setup.connect(kubeconfig(run)) as workload:
            return gather_below.gather_cluster(workload, place, redactor)

    parts: dict[str, Callable[[], list[Path]]] = {
        'management cluster': lambda: gather.must_gather(
            setup.api, setup.space, run.cluster, place, redactor, setup.logs
        ),
        'cloud': cloud,
        'cluster': inside,
    }
    for what, part in parts.items():
        try:
            written = part()
        except (Problem, OSError) as error:
            run.state.say(f'must-gather of the {what} failed: {" ".join(str(error).split())}')
            continue
        for path in written:
            run.state.artifact(path)


def class_archive(directory: Path, release: Release) -> Path:
    """The class chart in a release directory."""
    found = sorted(directory.glob(f'*-cluster-class-{release.version}.tgz'))
    if len(found) != 1:
        names = ', '.join(path.name for path in found) or 'none'
        raise ToolProblem('cannot find', f'class chart below {directory}', f'found {names}', 'repeat the build')
    return found[0]
