"""The stage `upgrade`: a live cluster goes from its release to the next one, while a workload in it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import InfrastructureProblem, Problem, ProductProblem, UsageProblem
from ..core.records import PlannedVersion
from ..core.run import StageRun, timestamp
from ..stack.model import Stack
from . import gather, objects, probing, stage, target
from .deployment import Deployment, Rendered, Setup, first, watch
from .finish import cluster_of, finish, kubeconfig, machine_count
from .kinds import CLUSTERS, CLUSTERS_V2, CONTROL_PLANES_V2, OPENSTACK, Object, belongs, name_of
from .machines import endpoint_complaints, instance
from .objects import CREDENTIALS_LABEL, Release
from .stage import USABLE
from .target import Target
from .upgraded import minor

# How long an API endpoint may be without its floating address before waiting is in vain: CAPO looks again every 10 s
# and gives an address to a new machine in the same pass.
LOST_SECONDS = 90.0
# After a change until its absence means something: a MachineDeployment calls itself up to date until its machines have
# been judged anew, which takes Cluster API some seconds.
SETTLE_SECONDS = 15.0
# Between two questions to the cloud about that address.
ASK_SECONDS = 10.0


@dataclass(frozen=True)
class Wanted:
    """What the stage gets, beside the setup of deploy.

    current: the stack that was deployed; offered: stacks of the checkout to which clusters go; bring: builds and
    publishes a stack's release, returns the facts of both; addons: renders a stack's addons as an upgrade applies them.
    roll: replace all machines also where the new release would not, as `clusterctl alpha rollout restart` does.
    longest_gap: seconds that the probed workload may be silent. probing: how it is asked.
    """

    setup: Setup
    current: Callable[[PlannedVersion], Stack]
    offered: Callable[[], Sequence[Stack]]
    bring: Callable[[StageRun, Stack], Mapping[str, Any]]
    addons: Callable[[Stack], Rendered]
    probing: probing.Probing
    roll: bool = False
    longest_gap: float = 60.0


def upgrade(state: StageRun, version: PlannedVersion, wanted: Wanted) -> None:
    """Body of the stage for core.run.version_stage."""
    deployed = _deployed(state, version)
    chosen = target.choose(wanted.current(version), wanted.offered())
    facts = wanted.bring(state, chosen.stack)
    kubernetes = str(chosen.stack.version)
    planned = dataclasses.replace(version, kubernetes=kubernetes, path=chosen.stack.path, layout=chosen.stack.layout)
    setup = dataclasses.replace(wanted.setup, addons=wanted.addons(chosen.stack), until='cluster')
    sizes = gather.log_sizes(setup.logs)
    run = Deployment(state, setup, objects.release_from(planned, facts), str(deployed['cluster']), log_sizes=sizes)
    live = _live(run)
    before = live['spec']['topology']
    state.simulated.update(setup.simulated)
    state.facts.update(
        {
            'cluster': run.cluster,
            'from': {'class': before['class'], 'kubernetes': before['version']},
            'to': {'class': run.release.class_name, 'kubernetes': kubernetes, 'how': chosen.how, **_reference(facts)},
        }
    )
    state.say(f'{before["class"]} {before["version"]} -> {run.release.class_name} {kubernetes} ({chosen.how})')
    try:
        _upgrade(run, planned, wanted, chosen, live)
    except Problem:
        stage.gather_evidence(run)
        raise


def _reference(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: facts[key] for key in ('tag', 'reference', 'digest') if key in facts}


def _deployed(state: StageRun, version: PlannedVersion) -> dict[str, Any]:
    record = state.run.record('deploy', version.key)
    facts = record.facts if record else {}
    if facts.get('until') != USABLE:
        raise UsageProblem(
            'cannot upgrade',
            version.key,
            f'its deployment ended at {facts.get("until") or "nothing"!r}: there is no cluster with nodes',
            'deploy with --until cluster in a cloud with real machines, or do not plan the stage',
        )
    return facts


def _upgrade(run: Deployment, planned: PlannedVersion, wanted: Wanted, chosen: Target, live: Object) -> None:
    stage.prepare(run, planned)
    old = str(live['spec']['topology']['class'])
    stage.bring_release(run, _kept(old, run.release))
    change = changed(live, run.release)
    if refused := stage.refusal(run.setup.api, change):
        raise ProductProblem(
            'API server refuses the upgrade of', f'Cluster {run.cluster}', refused, 'fix the class of the new release'
        )
    before = [name_of(machine) for machine in _machines(run)]
    assert run.setup.connect is not None
    with run.setup.connect(kubeconfig(run)) as inside:
        with probing.probed(run, inside, wanted.probing):
            _change(run, change, wanted.roll or chosen.how == target.AGAIN, before, live)
            finish(run, planned)
        _judge(run, wanted.longest_gap)
        probing.remove(inside, run.state.say)
    run.state.facts['until'] = 'cluster upgraded'


def _live(run: Deployment) -> Object:
    found = run.setup.api.get(CLUSTERS, 'Cluster', run.cluster, run.setup.space)
    if found is None:
        raise InfrastructureProblem(
            'cannot upgrade', f'Cluster {run.cluster}', 'it is gone', 'deploy again, and do not delete it before'
        )
    return found


def _kept(old_class: str, release: Release) -> list[str]:
    """Versions of the ClusterStack that must stay beside the new one: the old class is in use until the end."""
    head = f'{release.stack_object}-'
    return [old_class.removeprefix(head)] if old_class.startswith(head) else []


def changed(live: Object, release: Release) -> Object:
    """What of a live Cluster is applied for an upgrade: everything as it is, with another class and version."""
    labels = live['metadata'].get('labels') or {}
    meta = {'name': name_of(live), 'namespace': live['metadata']['namespace']}
    if CREDENTIALS_LABEL in labels:
        meta['labels'] = {CREDENTIALS_LABEL: labels[CREDENTIALS_LABEL]}
    spec = live['spec']
    topology = {**spec['topology'], 'class': release.class_name, 'version': release.kubernetes}
    kept = {'clusterNetwork': spec['clusterNetwork']} if spec.get('clusterNetwork') else {}
    return {'apiVersion': CLUSTERS, 'kind': 'Cluster', 'metadata': meta, 'spec': {**kept, 'topology': topology}}


def _change(run: Deployment, change: Object, roll: bool, before: Sequence[str], live: Object) -> None:
    """Ask for the new class and wait until nothing is as before."""
    started = run.clock.monotonic()
    run.setup.api.apply(change)
    run.state.say(f'Cluster {run.cluster}: class {run.release.class_name}, version {run.release.kubernetes}')
    same = live['spec']['topology']['version'] == run.release.kubernetes
    if same:  # then the topology is reconciled at once; with another version only when all machines have it
        stage.await_object(run, CLUSTERS_V2, 'Cluster', run.cluster)
        run.step('class changed', started)
        if roll:
            _roll(run)
    started = run.clock.monotonic()
    replaced = roll or not same
    endpoint, count = Endpoint(run), machine_count(cluster_of(run))
    settled = started + SETTLE_SECONDS * run.setup.patience

    def look() -> Object:
        found = _look(run, before, replaced, count, endpoint)
        return {**found, 'settled': replaced or run.clock.monotonic() >= settled}

    watch(run, 'Upgrade', f'upgrade of {run.cluster}', look)
    new = [name for name in map(name_of, _machines(run)) if name not in before]
    run.state.facts['replaced'] = len(new)
    run.state.simulated.update(_simulated(run, new))
    run.step('machines upgraded', started)


def _machines(run: Deployment) -> list[Object]:
    found = gather.listed(run.setup.api, CLUSTERS_V2, 'Machine', run.setup.space)
    return [machine for machine in found if belongs(machine, run.cluster)]


def _look(run: Deployment, before: Sequence[str], replaced: bool, count: int, endpoint: Endpoint) -> Object:
    of_kind = gather.listed(run.setup.api, CLUSTERS_V2, 'MachineDeployment', run.setup.space)
    return {
        'kind': 'Upgrade',
        'metadata': {'name': run.cluster},
        'cluster': cluster_of(run),
        'plane': first(run, CONTROL_PLANES_V2, 'KubeadmControlPlane', lambda obj: belongs(obj, run.cluster)),
        'deployments': [obj for obj in of_kind if belongs(obj, run.cluster)],
        'machines': _machines(run),
        'count': count,
        'old': before,
        'replaced': replaced,
        'minor': minor(run.release.kubernetes),
        'lost': endpoint.lost(),
    }


def _simulated(run: Deployment, names: Sequence[str]) -> set[str]:
    """What images of new machines say is not real: those of another version were not asked before the run."""
    if run.setup.view is None:
        return set()
    objects = gather.of_cluster(run.setup.api, run.setup.space, run.cluster)
    servers = [server for name in names if (server := instance(name, objects))]
    try:
        return {part for server in servers for part in run.setup.view.simulated(server)}
    except Problem as problem:
        run.state.say(f'cannot tell what is simulated below the new machines: {problem.reason}')
        return set()


def _roll(run: Deployment) -> None:
    """`clusterctl alpha rollout restart` of the control plane and of all workers."""
    after = timestamp(run.clock.now())
    plane = first(run, CONTROL_PLANES_V2, 'KubeadmControlPlane', lambda obj: belongs(obj, run.cluster))
    workers = gather.listed(run.setup.api, CLUSTERS_V2, 'MachineDeployment', run.setup.space)
    for version, obj in (
        (CONTROL_PLANES_V2, plane),
        *((CLUSTERS_V2, o) for o in workers if belongs(o, run.cluster)),
    ):
        if obj:
            meta = {'name': name_of(obj), 'namespace': run.setup.space}
            kind = {'apiVersion': version, 'kind': obj['kind'], 'metadata': meta}
            run.setup.api.apply({**kind, 'spec': {'rollout': {'after': after}}})
    run.state.facts['rolled'] = 'by request'
    run.state.say(f'Cluster {run.cluster}: machines are to be replaced although the release does not ask for it')


class Endpoint:
    """Whether the API's floating address has been gone for so long that nobody will bring it back."""

    def __init__(self, run: Deployment) -> None:
        self.run, self.since, self.asked, self.text = run, 0.0, float('-inf'), ''

    def lost(self) -> str:
        """Why waiting is in vain; empty while it may help. Asks the cloud now and then only."""
        now = self.run.clock.monotonic()
        if now - self.asked >= ASK_SECONDS:
            self.asked, before = now, self.text
            self.text = self._ask()
            if self.text and not before:
                self.since = now
        return self.text if self.text and now - self.since >= LOST_SECONDS * self.run.setup.patience else ''

    def _ask(self) -> str:
        setup, cluster = self.run.setup, self.run.cluster
        objects = gather.listed(setup.api, OPENSTACK, 'OpenStackCluster', setup.space)
        mine = [obj for obj in objects if belongs(obj, cluster)]
        found = endpoint_complaints(mine, setup.view) if setup.view else []
        return f'{found[0].subject}: {found[0].text}' if found else ''


def _judge(run: Deployment, longest: float) -> None:
    """A workload that was careful, and yet silent for too long, is a fault of the upgrade."""
    for found in run.state.facts.get('probes') or ():
        silent = found['longest_gap'] > longest or found['lost'] == found['sent']
        if found['name'] == probing.WORKLOAD and silent:
            answer = f'{found["lost"]} of {found["sent"]} requests lost, silent for {found["longest_gap"]} s at most'
            raise ProductProblem(
                f'workload did not answer for more than {longest:g} s during',
                f'upgrade of {run.cluster}',
                answer,
                'see the gaps in the record and what was replaced then in progress.log',
            )
