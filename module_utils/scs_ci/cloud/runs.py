"""Which runs a project holds something of: by marks, and by names alone where no mark of the run is left. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..core.naming import SHORT, Names, names
from .inventory import CSI_CLUSTER, Inventory, Resource
from .owned import CLUSTER_KINDS, NAMED_KINDS, Owned, owned

# What names and descriptions of a run's own objects and of its clusters begin with; the digits are its id's.
PREFIX = re.compile(rf'scs-ci-([0-9a-f]{{{SHORT}}})(?![0-9a-f])')


@dataclass(frozen=True)
class SeenRun:
    """What a project holds of one run.

    names.run: its id, empty when only names are left, which tell nothing but its first digits. owners: those of its
    marks; expires: the latest of its marks, ISO 8601, UTC, or empty. created, newest: of its oldest and of its newest
    object, or empty where the cloud does not tell.
    """

    names: Names
    owners: tuple[str, ...]
    expires: str
    created: str
    newest: str
    resources: tuple[Owned, ...] = field(repr=False)

    @property
    def label(self) -> str:
        """The id, or what is known of it."""
        return self.names.run or f'{self.names.short}…'

    @property
    def owner(self) -> str:
        return ', '.join(self.owners) or 'unknown'

    def counts(self) -> dict[str, int]:
        """Kind to number of objects."""
        numbers: dict[str, int] = {}
        for item in self.resources:
            numbers[item.resource.kind] = numbers.get(item.resource.kind, 0) + 1
        return numbers

    def expired(self, now: datetime.datetime) -> bool:
        """Past its expiry; what has none never is."""
        return bool(self.expires) and moment(self.expires) <= now

    def hours(self, now: datetime.datetime) -> float | None:
        """Age of the oldest object."""
        return hours_since(self.created, now) if self.created else None


def moment(text: str) -> datetime.datetime:
    """The time that a timestamp of ours names."""
    return datetime.datetime.fromisoformat(text)


def hours_since(text: str, now: datetime.datetime) -> float:
    """Hours since a timestamp of ours."""
    return round((now - moment(text)).total_seconds() / 3600, 1)


def seen(inventory: Inventory) -> tuple[SeenRun, ...]:
    """All runs in the project, in the order of their expiry; those without expiry come last."""
    ids = sorted({mark.run for resource in inventory.resources if (mark := resource.mark)})
    marked = [_run(names(run), inventory) for run in ids]
    known = {run.names.short for run in marked}
    found = {short for resource in inventory.resources for short in _shorts(resource)}
    unmarked = [_run(Names('', short), inventory) for short in sorted(found - known)]
    # a name that merely begins like ours belongs to nobody of ours: there is no such run
    return tuple(sorted((*marked, *(r for r in unmarked if r.resources)), key=lambda r: r.expires or '~'))


def find(short: str, inventory: Inventory) -> SeenRun | None:
    """The run with these digits, if something of it is there."""
    return next((run for run in seen(inventory) if run.names.short == short), None)


def _run(own: Names, inventory: Inventory) -> SeenRun:
    resources = owned(own, inventory)
    found = [mark for item in resources if (mark := item.resource.mark)]
    created = sorted(item.resource.created for item in resources if item.resource.created)
    return SeenRun(
        names=own,
        owners=tuple(sorted({mark.owner for mark in found})),
        expires=max((mark.expires for mark in found), default=''),
        created=created[0] if created else '',
        newest=created[-1] if created else '',
        resources=resources,
    )


def _shorts(resource: Resource) -> set[str]:
    """Digits of runs that a resource without a mark may belong to; the filter of that run decides."""
    if resource.mark:
        return set()
    texts = [resource.description, resource.metadata.get(CSI_CLUSTER, '')]
    if resource.kind in NAMED_KINDS or resource.kind in CLUSTER_KINDS:
        texts.append(resource.name)
    return {short for text in texts for short in PREFIX.findall(text)}


def by_owner(runs: Iterable[SeenRun], now: datetime.datetime) -> dict[str, dict[str, float | int]]:
    """For each owner: runs, of these expired, objects, and the age of the oldest in hours."""
    rows: dict[str, dict[str, float | int]] = {}
    for run in runs:
        row = rows.setdefault(run.owner, {'runs': 0, 'expired': 0, 'objects': 0, 'oldest_hours': 0.0})
        row['runs'] += 1
        row['expired'] += run.expired(now)
        row['objects'] += len(run.resources)
        row['oldest_hours'] = max(row['oldest_hours'], run.hours(now) or 0.0)
    return dict(sorted(rows.items()))


def counted(numbers: Mapping[str, int]) -> str:
    """'2 server, 1 network' for people."""
    return ', '.join(f'{number} {kind}' for kind, number in numbers.items()) or 'nothing'
