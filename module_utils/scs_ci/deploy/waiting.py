"""Bounded waits that tell each change of state and, when they end badly, the cause."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..core.clock import Clock, Expired, wait
from . import upgraded, usable
from .diagnosis import Complaint, problem
from .kinds import Object, title
from .readiness import ABSENT, UNSEEN, State
from .readiness import PREDICATES as OF_THE_WAY


@dataclass(frozen=True)
class Limit:
    """seconds: bound of one wait; reason: why that long. product: blame the stack when nothing complains."""

    seconds: float
    reason: str
    product: bool = False

    def times(self, factor: float) -> Limit:
        return dataclasses.replace(self, seconds=self.seconds * factor)


PREDICATES = OF_THE_WAY | usable.PREDICATES | upgraded.PREDICATES
LIMITS = {
    'ClusterStackRelease': Limit(
        90, 'the operator repeats a failed download or apply every 20 s: four tries', product=True
    ),
    'ClusterClass': Limit(60, 'Cluster API reconciles a class within seconds, slower after an error', product=True),
    'Cluster': Limit(
        120,
        'a conflict or a late webhook passes within seconds, even on a busy host; what stays is a fault',
        product=True,
    ),
    'OpenStackCluster': Limit(420, 'networks take seconds, but a load balancer of a busy Octavia takes minutes'),
    'OpenStackServer': Limit(600, 'the first server on a host waits for the image to be copied there'),
    'Initialized': Limit(900, 'a server boots and pulls images for up to eight minutes, kubeadm waits four more'),
    'KubeadmControlPlane': Limit(
        1800, 'each further control plane boots after the one before has joined: about eight minutes each'
    ),
    'ClusterAddon': Limit(
        300, 'the operator looks again every 10 s and downloads charts; a failed apply is repeated', product=True
    ),
    'Addons': Limit(
        120, 'what the operator applied is there at once, but its next try may be a minute away', product=True
    ),
    'Machines': Limit(1200, 'workers start when the first control plane is there, and boot and pull as long as it did'),
    'MachineDeployments': Limit(180, 'Cluster API counts replicas within seconds once their nodes are healthy'),
    'Available': Limit(180, "Cluster API's connection to the cluster is tried again every 30 s"),
    'Nodes': Limit(300, 'the cloud controller manager pulls its image first', product=True),
    'Workloads': Limit(600, 'pods pull images; the back-off after a failure is up to five minutes', product=True),
    'StorageClasses': Limit(60, 'the addon made it already; only an old default may still be marked', product=True),
    'Upgrade': Limit(
        3600, 'machines are replaced one after another, about eight minutes each, and drained for up to some more'
    ),
    'deletion': Limit(600, 'a cloud may hold ports and load balancers for minutes before they can be deleted'),
}
# Between two looks at the API server; it is near and cheap to ask, and steps often end within a second.
PAUSE = 0.5


def limit_of(kind: str, patience: float, own: Mapping[str, float]) -> Limit:
    """The bound of a wait: the usual one times patience, or the caller's own seconds."""
    usual = LIMITS[kind]
    if kind not in own:
        return usual.times(patience)
    return dataclasses.replace(usual, seconds=own[kind], reason=f'as asked, {usual.seconds:.0f} s are usual')


@dataclass(frozen=True)
class Look:
    """One look at what is waited for. found: None while absent."""

    found: Object | None
    state: State


def await_ready(
    kind: str,
    subject: str,
    look: Callable[[], Object | None],
    say: Callable[[str], None],
    evidence: Callable[[], list[Complaint]],
    clock: Clock,
    limit: Limit,
) -> Object:
    """The object of that kind as soon as its predicate calls it ready.

    say gets one line per change of state; evidence returns the complaints, asked only when the wait ends badly.
    Raises the Problem of the deepest cause.
    """
    last = [State(False, 'absent')]
    failures: dict[str, None] = {}  # a failure may be covered by a later 'pending', so all of them are remembered

    def poll() -> Look | None:
        found = look()
        last[0] = PREDICATES[kind](found)
        if 'ReconcileFailed' in last[0].text:
            failures[last[0].text] = None
        say(f'{title(found) if found else subject}: {last[0].text}')
        return Look(found, last[0]) if last[0].ready or last[0].failed else None

    try:
        ended = wait(poll, limit.seconds, subject, pause=PAUSE, clock=clock)
    except Expired:
        answer = f'{last[0].text} after {limit.seconds:.0f} s ({limit.reason})'
        product = limit.product and last[0].text not in (ABSENT.text, UNSEEN)
        raise problem('gave up on', subject, answer, _causes(evidence, failures, subject), product) from None
    if ended.state.failed or ended.found is None:
        causes = _causes(evidence, failures, subject)
        raise problem('cannot bring up', subject, ended.state.text, causes, limit.product)
    return ended.found


def _causes(evidence: Callable[[], list[Complaint]], failures: dict[str, None], subject: str) -> list[Complaint]:
    found = evidence()
    known = {complaint.text for complaint in found}
    kind = subject.split()[0]
    return found + [Complaint(subject, kind, text, 0) for text in failures if text not in known]
