"""Takes out of a cluster what its controllers made in the cloud, while they are alive to take it back.

Cluster API deletes machines and network; a load balancer of a Service or a volume of a claim would stay behind, and a
load balancer's port keeps the network from being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..core.clock import Clock, Expired, wait
from ..core.errors import Problem
from .kinds import Object, name_of

# Octavia takes up to a minute for each load balancer and Cinder some seconds for each volume.
SECONDS = 180
PAUSE = 2.0  # between two looks: each lists three kinds of all namespaces
STORAGE = 'PersistentVolumeClaim'


class Inside(Protocol):
    """What this room needs of the cluster's own API."""

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> Sequence[Object]: ...

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any: ...


def held(inside: Inside) -> list[Object]:
    """Services with a load balancer, claims, and volumes that the cloud deletes together with their claim."""
    services = [o for o in inside.list('v1', 'Service') if (o.get('spec') or {}).get('type') == 'LoadBalancer']
    volumes = [
        o
        for o in inside.list('v1', 'PersistentVolume')
        if (o.get('spec') or {}).get('persistentVolumeReclaimPolicy') == 'Delete'
    ]
    return [*services, *inside.list('v1', STORAGE), *volumes]


def empty(inside: Inside, cluster: str, say: Callable[[str], None], clock: Clock, seconds: float = SECONDS) -> bool:
    """Delete Services of type LoadBalancer and claims, and wait until the cloud has taken theirs back.

    False, and a line that says what stays, when that fails: the cluster is deleted all the same, and the purge finds
    by inventory what is left. A dead API server must not keep anybody from deleting its machines.
    """
    left: list[Object] = []

    def gone() -> bool:
        left[:] = held(inside)
        return not left

    try:
        for obj in held(inside):
            if obj['kind'] != 'PersistentVolume':  # follows its claim
                inside.delete('v1', obj['kind'], name_of(obj), obj['metadata']['namespace'])
                say(f'Cluster {cluster}: {obj["kind"]} {obj["metadata"]["namespace"]}/{name_of(obj)} deleting')
        wait(gone, seconds, f'emptying of {cluster}', pause=PAUSE, clock=clock)
    except Expired:
        names = ', '.join(f'{obj["kind"]} {name_of(obj)}' for obj in left)
        say(f'Cluster {cluster}: after {seconds:.0f} s still has {names}; deleting the cluster all the same')
        return False
    except Problem as problem:
        say(f'Cluster {cluster}: cannot be emptied, deleting it all the same: {problem.reason}')
        return False
    return True
