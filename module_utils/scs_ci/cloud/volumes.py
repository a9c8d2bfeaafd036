"""Volumes of nodes: made here and not by Nova, because Nova could not mark them in the creating request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import BootProblem
from . import choose, failures, marks, retry
from .blueprint import Attempt, Blueprint
from .site import POLL, Site

USABLE = frozenset({'creating', 'downloading', 'available'})
DEFECT = frozenset({'error', 'error_deleting', 'error_managing'})
IMAGE = 'scs_ci_image'  # metadata: what is on it, for a call that finds it


@dataclass(frozen=True)
class Wanted:
    """A volume of a node. size in GB; image: id of the image on it, '' for an empty one; type: '' for the default."""

    name: str
    size: int
    image: str = ''
    type: str = ''


def wanted(name: str, blueprint: Blueprint, attempt: Attempt) -> list[Wanted]:
    """The volumes of a node: the root volume first, then those of its group. Pure."""
    root = [Wanted(f'{name}-root', attempt.volume, blueprint.image.id, blueprint.group.volume_type)]
    return (root if attempt.volume else []) + [
        Wanted(f'{name}-{index}', volume.size, type=volume.type or blueprint.group.volume_type)
        for index, volume in enumerate(blueprint.group.volumes)
    ]


class Maker:
    """Makes the volumes of the run's nodes, or takes those that a call which was stopped has left."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.used: set[str] = set()  # of this call: Nova deletes those of a server that failed, at some moment

    def make(self, nodes: Mapping[str, list[Wanted]]) -> dict[str, tuple[str, ...]]:
        """Ids of the volumes of each node, all available; no request when no node wants one."""
        todo = {volume.name: volume for volumes in nodes.values() for volume in volumes}
        if not todo:
            return dict.fromkeys(nodes, ())
        spare = self._spare(todo)
        default = self._default_type() if any(not volume.type for volume in todo.values()) else ''
        made = dict(
            zip(
                todo, self.site.each(lambda name: spare.get(name) or self._post(todo[name], default), todo), strict=True
            )
        )
        self.used.update(made.values())
        self._wait(made)
        return {name: tuple(made[volume.name] for volume in volumes) for name, volumes in nodes.items()}

    def _spare(self, todo: Mapping[str, Wanted]) -> dict[str, str]:
        """Fitting volumes of an earlier call by name. Broken ones of those names are deleted, they only take quota."""
        found: dict[str, str] = {}
        for volume in self._own():
            wish = todo.get(volume.name)
            if wish and volume.status in DEFECT:
                self._delete(volume)
            elif wish and volume.id not in self.used and _fits(volume, wish):
                found.setdefault(volume.name, volume.id)
        return found

    def _own(self) -> list[Any]:
        with failures.cloud_errors('cannot list', f'volumes {self.site.own.prefix}-*'):
            found = retry.reading(lambda: list(self.site.sdk.block_storage.volumes()), self.site.clock)
        return [
            volume
            for volume in found
            if (mark := marks.from_metadata(volume.metadata or {})) and mark.run == self.site.mark.run
        ]

    def _default_type(self) -> str:
        """'' where the cloud has a default type; else one must be named: the first of those that everybody may use."""
        storage = self.site.sdk.block_storage

        def ask() -> str:
            try:
                storage.get_type('default')
            except failures.sdk_errors() as error:
                if not failures.is_missing(error):
                    raise
                return choose.volume_type([kind.name for kind in storage.types() if kind.is_public is not False])
            return ''

        with failures.cloud_errors('cannot list', f'volume types of cloud {self.site.cloud.name}'):
            return retry.reading(ask, self.site.clock)

    def _post(self, wish: Wanted, default: str) -> str:
        storage, kind = self.site.sdk.block_storage, wish.type or default
        body = {
            'name': wish.name,
            'size': wish.size,
            'metadata': {**self.site.mark.metadata(), **({IMAGE: wish.image} if wish.image else {})},
            **({'image_id': wish.image} if wish.image else {}),
            **({'volume_type': kind} if kind else {}),
        }

        def lost() -> str | None:
            return next((v.id for v in self._own() if v.name == wish.name and _fits(v, wish)), None)

        with failures.cloud_errors('cannot create', f'volume {wish.name} ({wish.size} GB)'):
            return str(retry.creating(lambda: storage.create_volume(**body).id, lost, self.site.clock))

    def _wait(self, made: Mapping[str, str]) -> None:
        """Until all are available; one list per poll."""
        while True:
            found = {volume.id: volume.status for volume in self._own()}
            states = {name: found.get(identity, 'missing') for name, identity in made.items()}
            if all(state == 'available' for state in states.values()):
                return
            bad = {name: state for name, state in states.items() if state.startswith('error') or state == 'missing'}
            if bad or self.site.late:
                name, state = next(iter((bad or {n: s for n, s in states.items() if s != 'available'}).items()))
                answer = f'its status is {state} after {self.site.elapsed:.0f} s'
                advice = 'see the log of Cinder; run again, a broken volume is replaced'
                raise BootProblem('cannot boot from', f'volume {name} ({made[name]})', answer, advice)
            self.site.clock.sleep(POLL)

    def _delete(self, volume: Any) -> None:
        with failures.cloud_errors('cannot delete', f'volume {volume.name} ({volume.id})'):
            try:
                retry.deleting(lambda: self.site.sdk.block_storage.delete_volume(volume.id), self.site.clock)
            except failures.sdk_errors() as error:
                if not failures.is_missing(error):
                    raise


def _fits(volume: Any, wish: Wanted) -> bool:
    on_it = (volume.metadata or {}).get(IMAGE, '')
    return volume.status in USABLE and not volume.attachments and (volume.size, on_it) == (wish.size, wish.image)
