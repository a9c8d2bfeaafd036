"""The run-wide stages of the cloud: preflight, provision, purge. Command line and Ansible modules both come in here."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..core import files, run
from ..core.errors import LeftoversProblem, Problem, ToolProblem
from ..core.records import Leftovers, Record, RunInfo
from ..core.run import RunDirectory, StageRun
from . import connect, handover, inventory, keys, nodes, preflight, purge, ssh
from .connect import Cloud
from .inventory import Inventory
from .marks import Mark
from .model import Topology

BEFORE, AFTER = 'cloud-before.json', 'cloud-after.json'
LEFTOVER_ADVICE = (
    "run 'scs-ci purge --run-id {run} --cloud {cloud} --yes' again; if it stays, ask the cloud's operators"
)


@dataclass(frozen=True)
class Options:
    """cloud: name in clouds.yaml, None takes the run's. key_dir: None is the run's default; timeout in seconds.

    seconds: how long the whole run may last. host_keys: one of ssh.HOST_KEYS.
    """

    cloud: str | None = None
    topology: Topology = field(default_factory=Topology)
    key_dir: Path | None = None
    public_key: Path | None = None
    timeout: float = nodes.TIMEOUT
    seconds: float = preflight.SECONDS
    host_keys: str = ssh.CONSOLE

    def preflight(self, upgraded: Iterable[str]) -> preflight.Options:
        """What preflight has to know of them. upgraded: Kubernetes versions to which clusters are upgraded."""
        return preflight.Options(self.public_key, self.seconds, tuple(upgraded))


def mark_of(info: RunInfo) -> Mark:
    """The mark that everything of a run carries."""
    return Mark(info.id, info.owner, info.expires)


def run_preflight(directory: RunDirectory, options: Options) -> Record:
    """Inventory into cloud-before.json, all shortfalls into the record."""

    def body(state: StageRun) -> None:
        cloud = _connect(directory, options)
        asked = options.preflight(_upgraded(directory))
        found = preflight.check(cloud, directory.info.id, options.topology, _kubernetes(directory), asked)
        if found.inventory and not (directory.path / BEFORE).exists():
            # a run that is continued keeps its first picture: the second one would show its own nodes as given
            files.write_json(directory.path / BEFORE, inventory.dump(found.inventory))
        state.artifacts.append(BEFORE)
        state.facts |= found.data() | {'cloud': cloud.name, 'project': cloud.project_id}
        if problem := found.problem():
            raise problem

    return run.run_stage(directory, 'preflight', body)


def run_provision(directory: RunDirectory, options: Options) -> Record:
    """The nodes of the topology, usable; the record's facts have them under `nodes`."""

    def body(state: StageRun) -> None:
        cloud = _connect(directory, options)
        wanted = request(directory, options, state.directory / 'nodes')
        try:
            result = nodes.present(cloud, wanted)
        except Problem:
            state.facts['troubles'] = wanted.troubles
            for name in wanted.troubles:
                if (log := state.directory / 'nodes' / f'{name}.console.log').is_file():
                    state.artifact(log)
            raise
        inventory_file = handover.write(result.nodes, directory.path)
        state.artifact(inventory_file)
        told = result.summary(directory.path / handover.KNOWN_HOSTS, cloud.name)
        state.facts |= {key: value for key, value in told.items() if key != 'diff'}
        for node in result.nodes:
            state.simulated |= set(node.simulated)

    return run.run_stage(directory, 'provision', body)


def request(directory: RunDirectory, options: Options, logs: Path | None = None) -> nodes.Request:
    """What nodes.present() and nodes.preview() need."""
    return nodes.Request(
        mark=mark_of(directory.info),
        topology=options.topology,
        key_dir=options.key_dir or keys.default_directory(directory.info.id),
        public_key=options.public_key,
        timeout=options.timeout,
        host_keys=options.host_keys,
        logs=logs,
        say=directory.progress.say,
        redact=directory.redactor.text,
        clock=directory.clock,
    )


def run_purge(directory: RunDirectory, options: Options) -> Record:
    """Everything of the run deleted and proven: cloud-after.json, leftovers.json and the record, whatever happens."""

    def body(state: StageRun) -> None:
        # until the cloud has been asked nobody knows: a crash below must not look like an empty cloud
        with contextlib.suppress(ToolProblem):  # a full disk keeps nobody from deleting; it is told by the next write
            directory.write_leftovers(Leftovers(checked=False))
        cloud = _connect(directory, options)
        worker = purge.Purge(
            cloud, directory.info.id, say=directory.progress.say, timeout=options.timeout, clock=directory.clock
        )
        result = worker.execute()
        state.say(f'{len(result.deleted)} deleted, {len(result.kept)} left')
        shutil.rmtree(options.key_dir or keys.default_directory(directory.info.id), ignore_errors=True)
        # what could not be looked at may hide something: then nobody knows, as before
        directory.write_leftovers(Leftovers(checked=not result.unproven, resources=result.kept))
        _write_after(directory, state, result)
        if problem := leftover_problem(result, directory.info.id, cloud.name):
            raise problem

    return run.run_stage(directory, 'purge', body)


def leftover_problem(result: purge.Result, run_id: str, cloud: str) -> Problem | None:
    """What stayed, or what could not be looked at, as one Problem; None when all is proven gone."""
    advice = LEFTOVER_ADVICE.format(run=run_id, cloud=cloud)
    if result.kept:
        answer = '; '.join(f'{left.kind} {left.name or left.id}: {left.reason}' for left in result.kept)
        return LeftoversProblem('cannot delete', f'{len(result.kept)} resources of run {run_id}', answer, advice)
    if result.unproven:
        first = next(iter(result.unproven.values()))
        kinds = ', '.join(result.unproven)
        return type(first)('cannot prove', f'that nothing of run {run_id} is left ({kinds})', first.reason, advice)
    return None


def _write_after(directory: RunDirectory, state: StageRun, result: purge.Result) -> None:
    state.facts |= {'deleted': result.counts(), 'found': len(result.found)}
    if not result.after:
        return
    files.write_json(directory.path / AFTER, inventory.dump(result.after))
    state.artifacts.append(AFTER)
    state.facts |= {'missing': result.after.missing, 'unseen': result.after.unseen}
    if others := result.others(directory.info.id):
        # nothing of it is our doing: a purge sends deletions for what it found to be the run's, and for nothing else
        state.facts['others'] = others.by_kind()
    if before := _before(directory):
        # also other people's changes in the meantime; ours are the leftovers
        state.facts['difference'] = inventory.difference(before, result.after).by_kind()


def _before(directory: RunDirectory) -> Inventory | None:
    try:
        content = files.read_json(directory.path / BEFORE)
    except FileNotFoundError:
        return None
    return inventory.load(content, f'file {directory.path / BEFORE}')


def _connect(directory: RunDirectory, options: Options) -> Cloud:
    cloud = connect.connect(options.cloud or directory.info.cloud)
    directory.keep_secret(cloud.redactor)
    return cloud


def _kubernetes(directory: RunDirectory) -> list[str]:
    """Versions of the clusters that will be created."""
    return [version.kubernetes for version in directory.plan().versions if 'deploy' in version.stages]


def _upgraded(directory: RunDirectory) -> tuple[str, ...]:
    """Versions to which they are upgraded."""
    return tuple(version.upgraded for version in directory.plan().versions if version.upgraded)
