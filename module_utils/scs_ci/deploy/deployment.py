"""One deployment on its way: what it gets, what it has done, and how it looks at the management cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.clock import Clock
from ..core.records import PlannedVersion
from ..core.run import StageRun
from . import gather
from .addons import Expected, Workload
from .diagnosis import Complaint, complaints, deepest_first, log_complaints
from .kinds import CLUSTERS_V2, IMAGES, STACKS, Api, Object, name_of
from .machines import CloudView, cloud_complaints
from .objects import SMALLEST, Release, Topology
from .variables import CloudChoice
from .waiting import await_ready, limit_of

Render = Callable[[PlannedVersion, Release, str], Sequence[Object]]
Overrides = Callable[[PlannedVersion, Object], Mapping[str, Any]]
# From a kubeconfig's text to a client, closed at the end of the block.
Connect = Callable[[str], AbstractContextManager[Workload]]
# From the live objects of a cluster to what its addons must have become.
Rendered = Callable[[PlannedVersion, Mapping[str, Object]], Sequence[Expected]]


@dataclass(frozen=True)
class Setup:
    """What the stage gets. cloud: entry of clouds.yaml, ca: PEM of its authority; overrides: the caller's variables;
    choice: asks the cloud what to use of it.

    render: the class chart's objects for a namespace, as the operator renders them. logs: directory with those of
    the controllers. until: 'cluster', 'server' where
    machines are simulated, 'topology' where there is no cloud. patience: factor for all limits. is_active:
    asks the cloud whether the server of an id is ACTIVE. connect, addons: for the way to 'cluster'. limits: seconds of
    single waits, instead of LIMITS. view: the cloud, for causes that no object tells. absent: beginnings of the images
    that nobody has in this cloud.
    """

    api: Api
    space: str
    cloud: Mapping[str, Any]
    choice: Callable[[], CloudChoice]
    render: Render
    overrides: Overrides
    ca: str = ''
    simulated: tuple[str, ...] = ()
    logs: Path | None = None
    until: str = 'server'
    patience: float = 1.0
    is_active: Callable[[str], bool] | None = None
    connect: Connect | None = None
    addons: Rendered | None = None
    topology: Topology = SMALLEST
    limits: Mapping[str, float] = field(default_factory=dict)
    view: CloudView | None = None
    absent: tuple[str, ...] = ()


@dataclass
class Deployment:
    """One deployment on its way. steps: seconds of each, in order; log_sizes: of the controllers' logs before it."""

    state: StageRun
    setup: Setup
    release: Release
    cluster: str
    steps: dict[str, float] = field(default_factory=dict)
    log_sizes: dict[str, int] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return self.state.run.clock

    def step(self, name: str, started: float) -> None:
        self.steps[name] = round(self.clock.monotonic() - started, 2)
        # a list: JSON objects are written sorted, and the order is what readers want
        self.state.facts['steps'] = [{'step': name, 'seconds': seconds} for name, seconds in self.steps.items()]


def first(run: Deployment, api_version: str, kind: str, wanted: Callable[[Object], bool]) -> Object | None:
    """The first object of that kind that is wanted; lists leave the kind of their items out."""
    found = (obj for obj in run.setup.api.list(api_version, kind, run.setup.space) if wanted(obj))
    return next(({**obj, 'kind': kind} for obj in found), None)


def watch(
    run: Deployment,
    kind: str,
    subject: str,
    look: Callable[[], Object | None],
    more: Callable[[], list[Complaint]] = list,
) -> Object:
    """Wait for what `look` sees. more: complaints beside those of the management cluster, asked when it ends badly."""
    limit = limit_of(kind, run.setup.patience, run.setup.limits)

    def told() -> list[Complaint]:
        return deepest_first([*more(), *evidence(run)])

    return await_ready(kind, subject, look, run.state.say, told, run.clock, limit)


def evidence(run: Deployment) -> list[Complaint]:
    """What objects, events and the controllers' logs complain about, deepest first."""
    api, space = run.setup.api, run.setup.space
    found = gather.of_cluster(api, space, run.cluster) + gather.listed(api, IMAGES, 'Image', space)
    for version, kind, name in (
        (STACKS, 'ClusterStackRelease', run.release.tag),
        (CLUSTERS_V2, 'ClusterClass', run.release.class_name),
    ):
        found += [obj for obj in gather.listed(api, version, kind, space) if name_of(obj) == name]
    told = complaints(found, gather.events_of(api, space, found))
    wanted = (run.cluster, run.release.tag)
    texts = gather.log_texts(run.setup.logs, run.log_sizes)
    logged = [complaint for name, text in texts.items() for complaint in log_complaints(name, text, space, wanted)]
    below = cloud_complaints(found, run.setup.view) if run.setup.view else []
    return deepest_first(told + logged + below)
