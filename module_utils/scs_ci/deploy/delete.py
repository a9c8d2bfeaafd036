"""Deletes the clusters of a run through Cluster API, which takes the cloud's resources with them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from ..core.clock import Clock, Expired, wait
from ..plane.kube import Refused
from . import emptying, gather
from .diagnosis import complaints, problem
from .kinds import CLUSTERS, CLUSTERS_V2, OPENSTACK, OPENSTACK_SERVERS, Api, is_true, name_of, title
from .waiting import LIMITS, PAUSE

# What a cluster made in the cloud and nobody could take out keeps its network, and then Cluster API waits for ever; the
# purge finds it by name. Machines and the rest are gone within a minute or two.
UNEMPTIED_SECONDS = 180
# On objects that are being deleted: when they were pointed out to their controller, in seconds of this machine's clock.
NUDGED = 'scs-ci/nudged'
Connect = Callable[[str], AbstractContextManager[emptying.Inside]]


def delete_clusters(
    api: Api,
    space: str,
    say: Callable[[str], None],
    clock: Clock,
    seconds: float | None = None,
    connect: Connect | None = None,
) -> list[str]:
    """Delete every Cluster of the namespace and wait until the last is gone; returns their names.

    connect: from a kubeconfig to a client, with which a cluster that has come up is emptied first (see emptying.py).

    Raises the Problem that holds the first one up. Images are left alone: the resource controller would delete an
    adopted image from the cloud, and it is not ours.
    """
    names, emptied = _clusters(api, space), True
    for name in names:
        if connect and (text := _kubeconfig(api, space, name)):
            with connect(text) as inside:
                emptied = emptying.empty(inside, name, say, clock) and emptied
        api.delete(CLUSTERS, 'Cluster', name, space)
        say(f'Cluster {name}: deleting')
    bound = LIMITS['deletion']
    limit = (bound.seconds if emptied else UNEMPTIED_SECONDS) if seconds is None else seconds
    reason = bound.reason if emptied else 'it could not be emptied before, and what is left in its network keeps it'
    _await_gone(api, space, names, say, clock, limit, reason)
    return names


def delete_cluster(api: Api, space: str, name: str, say: Callable[[str], None], clock: Clock) -> None:
    """Delete one Cluster that nobody has used and wait until it is gone. Raises the Problem that holds it up."""
    api.delete(CLUSTERS, 'Cluster', name, space)
    bound = LIMITS['deletion']
    _await_gone(api, space, [name], say, clock, bound.seconds, bound.reason)


def _await_gone(
    api: Api, space: str, names: Sequence[str], say: Callable[[str], None], clock: Clock, limit: float, reason: str
) -> None:
    def gone() -> bool:
        if not _left(api, space, names, say):
            return True
        with contextlib.suppress(Refused):  # it helps, and nothing depends on it
            nudge(api, space, clock)
        return False

    try:
        wait(gone, limit, 'deletion', pause=PAUSE, clock=clock)
    except Expired:
        raise _stuck(api, space, names, limit, reason) from None


def nudge(api: Api, space: str, clock: Clock) -> list[str]:
    """Let the infrastructure provider look at machines whose server is gone; returns their names.

    It asks ten seconds after it has deleted a server whether that is gone, and does not watch it (CAPO 0.14,
    deleteServerRequeueDelay). A changed annotation is an event, upon which it looks at once.
    """
    machines = [m for m in api.list(OPENSTACK, 'OpenStackMachine', space) if m['metadata'].get('deletionTimestamp')]
    if not machines:
        return []
    servers = {name_of(server) for server in api.list(OPENSTACK_SERVERS, 'OpenStackServer', space)}
    done = [name_of(machine) for machine in machines if name_of(machine) not in servers]
    for name in done:
        api.annotate(OPENSTACK, 'OpenStackMachine', name, space, {NUDGED: f'{clock.monotonic():.3f}'})
    return done


def _kubeconfig(api: Api, space: str, name: str) -> str:
    """The kubeconfig of a cluster whose API server has answered once; empty for others: nothing can be in them."""
    found = api.get(CLUSTERS_V2, 'Cluster', name, space)
    secret = api.get('v1', 'Secret', f'{name}-kubeconfig', space) if is_true(found, 'ControlPlaneInitialized') else None
    return base64.b64decode(((secret or {}).get('data') or {}).get('value') or '').decode()


def _clusters(api: Api, space: str) -> list[str]:
    """Names of the clusters; none when the plane was stopped before it learned the kind."""
    try:
        return [name_of(obj) for obj in api.list(CLUSTERS, 'Cluster', space)]
    except Refused as refused:
        if refused.status == 404:
            return []
        raise


def _left(api: Api, space: str, names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    left = _clusters(api, space)
    for name in names:
        if name not in left:
            say(f'Cluster {name}: gone')
    return [name for name in names if name in left]


def _stuck(api: Api, space: str, names: Sequence[str], seconds: float, reason: str) -> Exception:
    left = _clusters(api, space)
    name = next((name for name in names if name in left), '')
    found = gather.of_cluster(api, space, name)
    causes = complaints(found, gather.events_of(api, space, found))
    answer = f'still has {", ".join(title(obj) for obj in found)} after {seconds:.0f} s ({reason})'
    return problem('cannot delete', f'Cluster {name}', answer, causes, product=False)
