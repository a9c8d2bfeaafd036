"""Deletes the clusters of a run through Cluster API, which takes the cloud's resources with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.clock import Clock, Expired, wait
from ..plane.kube import Refused
from . import gather
from .diagnosis import complaints, problem
from .kinds import CLUSTERS, Api, name_of, title
from .waiting import LIMITS, PAUSE


def delete_clusters(
    api: Api, space: str, say: Callable[[str], None], clock: Clock, seconds: float | None = None
) -> list[str]:
    """Delete every Cluster of the namespace and wait until the last is gone; returns their names.

    Raises the Problem that holds the first one up. Images are left alone: the resource controller would delete an
    adopted image from the cloud, and it is not ours.
    """
    names = _clusters(api, space)
    for name in names:
        api.delete(CLUSTERS, 'Cluster', name, space)
        say(f'Cluster {name}: deleting')
    bound = LIMITS['deletion']
    limit = bound.seconds if seconds is None else seconds
    try:
        wait(lambda: not _left(api, space, names, say), limit, 'deletion', pause=PAUSE, clock=clock)
    except Expired:
        raise _stuck(api, space, limit, bound.reason) from None
    return names


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
    return left


def _stuck(api: Api, space: str, seconds: float, reason: str) -> Exception:
    name = next(iter(_clusters(api, space)), '')
    found = gather.of_cluster(api, space, name)
    causes = complaints(found, gather.events_of(api, space, found))
    answer = f'still has {", ".join(title(obj) for obj in found)} after {seconds:.0f} s ({reason})'
    return problem('cannot delete', f'Cluster {name}', answer, causes, product=False)
