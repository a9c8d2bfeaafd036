"""Is an object as far as the stage needs it? One tiny pure function per kind, and one table of them.

Each function takes the object as the API server shows it, or None while it is absent, and returns a State.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .kinds import Object, condition, condition_text, conditions, is_true, status


@dataclass(frozen=True)
class State:
    """ready: the wait is over. text: where it stands, in a few words. failed: waiting longer cannot help."""

    ready: bool
    text: str
    failed: bool = False


# Nobody has taken notice yet: whoever should is slow or dead, and the object is not to blame.
UNSEEN = 'not looked at yet'
ABSENT = State(False, 'absent')


def release(obj: Object | None) -> State:
    """A ClusterStackRelease whose class objects are applied. status.ready alone is True too early, Ready alone too."""
    if obj is None:
        return ABSENT
    wanted = ('ClusterStackReleaseDownloaded', 'HelmChartApplied', 'Ready')
    if status(obj).get('ready') and all(is_true(obj, kind) for kind in wanted):
        return State(True, 'ready')
    # The operator fetches a release once; when its assets are faulty, it never looks at them again.
    failed = condition(obj, 'ClusterStackReleaseDownloaded').get('reason') == 'IssueWithReleaseAssets'
    return State(False, _false(obj), failed)


def cluster_class(obj: Object | None) -> State:
    """A ClusterClass whose variables are reconciled for its generation, read in v1beta1.

    Not RefVersionsUpToDate: that stays False for every class with v1beta1 templates since Cluster API 1.11.
    """
    if obj is None:
        return ABSENT
    current = status(obj).get('observedGeneration') == obj['metadata'].get('generation')
    if is_true(obj, 'VariablesReconciled') and current:
        return State(True, 'variables reconciled')
    entry = condition(obj, 'VariablesReconciled')
    return State(False, condition_text(entry) if entry else UNSEEN)


def topology(obj: Object | None) -> State:
    """A Cluster, read in v1beta2, whose topology controller has spoken about the current generation and is content.

    ReconcileFailed may pass (a conflict, a webhook that is not there yet), so it does not end the wait.
    """
    if obj is None:
        return ABSENT
    entry = condition(obj, 'TopologyReconciled')
    if entry.get('observedGeneration') != obj['metadata'].get('generation'):
        return State(False, UNSEEN)
    return State(True, 'topology reconciled') if entry.get('status') == 'True' else State(False, condition_text(entry))


def openstack_cluster(obj: Object | None) -> State:
    """An OpenStackCluster with network, router and security groups."""
    if obj is None:
        return ABSENT
    parts = {
        'network': status(obj).get('network'),
        # with a network of somebody else's there is no router to make
        'router': status(obj).get('router') or not managed_network(obj),
        'security groups': status(obj).get('controlPlaneSecurityGroup') or not managed_groups(obj),
    }
    present = [name for name, value in parts.items() if value]
    if len(present) == len(parts) and status(obj).get('ready'):
        return State(True, 'network, router and security groups are there')
    failed = bool(status(obj).get('failureMessage'))
    return State(False, f'has {", ".join(present) or "nothing"}; {_false(obj)}', failed)


def managed_network(obj: Object) -> bool:
    """True when the cluster makes a network of its own."""
    return bool((obj.get('spec') or {}).get('managedSubnets'))


def managed_groups(obj: Object) -> bool:
    return (obj.get('spec') or {}).get('managedSecurityGroups') is not None


def server(obj: Object | None) -> State:
    """An OpenStackServer that the cloud reports ACTIVE."""
    if obj is None:
        return ABSENT
    state = status(obj).get('instanceState')
    if state == 'ACTIVE':
        return State(True, f'ACTIVE ({status(obj).get("instanceID")})')
    return State(False, str(state or _false(obj)), failed=state == 'ERROR')


def _false(obj: Object) -> str:
    """The first condition that is not True, preferring one that says why."""
    entries = [entry for entry in conditions(obj) if entry.get('status') != 'True']
    entries.sort(key=lambda entry: (not entry.get('message'), entry.get('type') == 'Ready'))
    if entries:
        return condition_text(entries[0])
    return 'not ready, though no condition is False' if conditions(obj) else UNSEEN


PREDICATES: dict[str, Callable[[Object | None], State]] = {
    'ClusterStackRelease': release,
    'ClusterClass': cluster_class,
    'Cluster': topology,
    'OpenStackCluster': openstack_cluster,
    'OpenStackServer': server,
}
