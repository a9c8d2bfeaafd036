"""One snapshot of a project by kind, and the difference of two."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core import shape
from ..core.clock import Clock
from ..core.errors import Problem
from ..core.records import FORMAT
from ..core.run import timestamp
from . import failures, lists, marks, retry
from .connect import Cloud
from .marks import Mark

# Metadata keys that may leave the cloud in a report; other keys belong to their owners.
CSI_CLUSTER = 'cinder.csi.openstack.org/cluster'
METADATA = frozenset({marks.OWNER, marks.RUN, marks.EXPIRES, CSI_CLUSTER})


@dataclass(frozen=True)
class Resource:
    """One object of the project.

    metadata: only marks; details: what the kind needs for cleanup, e.g. device_id of a port. created: ISO 8601, UTC;
    empty where the cloud does not tell it.
    """

    kind: str
    id: str
    name: str
    status: str = ''
    description: str = ''
    metadata: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    created: str = ''

    @property
    def mark(self) -> Mark | None:
        return marks.from_metadata(self.metadata) or marks.from_description(self.description)


@dataclass(frozen=True)
class Kind:
    """How objects of a kind are listed. details: attributes of the SDK object that are kept."""

    name: str
    service: str
    list: Callable[[Cloud], Iterable[Any]]
    details: tuple[str, ...] = ()
    identity: str = 'id'


def _network(call: str) -> Callable[[Cloud], Iterable[Any]]:
    # the filter matters for administrators, whose lists otherwise show every project
    return lambda cloud: getattr(cloud.sdk.network, call)(project_id=cloud.project_id)


KINDS = (
    Kind('server', 'compute', lists.servers),
    Kind(
        'port',
        'network',
        lambda c: lists.ports(c, project_id=c.project_id),
        ('device_id', 'device_owner', 'network_id'),
    ),
    Kind(
        'floating_ip',
        'network',
        lambda c: lists.floating_ips(c, project_id=c.project_id),
        ('floating_ip_address', 'port_id', 'fixed_ip_address'),
    ),
    Kind('router', 'network', _network('routers')),
    Kind('subnet', 'network', _network('subnets'), ('network_id', 'cidr')),
    Kind('network', 'network', _network('networks')),
    Kind('security_group', 'network', _network('security_groups')),
    Kind('volume', 'block-storage', lambda c: c.sdk.block_storage.volumes(details=True)),
    Kind('snapshot', 'block-storage', lambda c: c.sdk.block_storage.snapshots(details=True), ('volume_id',)),
    Kind(
        'load_balancer',
        'load-balancer',
        lambda c: c.sdk.load_balancer.load_balancers(project_id=c.project_id),
        ('vip_port_id', 'provisioning_status'),
    ),
    Kind('server_group', 'compute', lambda c: c.sdk.compute.server_groups()),
    Kind('key_pair', 'compute', lambda c: c.sdk.compute.keypairs(), identity='name'),
    Kind('image', 'image', lambda c: c.sdk.image.images(owner=c.project_id)),
    Kind('application_credential', 'identity', lambda c: c.sdk.identity.application_credentials(user=c.user_id)),
)
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Inventory:
    """All objects seen. missing: kinds whose service the cloud does not have; unseen: kinds that exist and could not be
    listed, because the role does not allow it or the service does not answer. Both with the reason."""

    project_id: str
    resources: tuple[Resource, ...]
    missing: dict[str, str] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def of(self, kind: str) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources if resource.kind == kind)

    def counts(self) -> dict[str, int]:
        """Kind to number of objects; kinds without objects are named, too, unseen ones are not."""
        unknown = self.unknown()
        return {kind.name: len(self.of(kind.name)) for kind in KINDS if kind.name not in unknown}

    def unknown(self) -> frozenset[str]:
        """Kinds of which nothing is known."""
        return frozenset(self.missing) | frozenset(self.unseen)


@dataclass(frozen=True)
class Difference:
    """What appeared and what vanished between two inventories of one project."""

    added: tuple[Resource, ...]
    removed: tuple[Resource, ...]

    def by_kind(self) -> dict[str, dict[str, list[str]]]:
        rows: dict[str, dict[str, list[str]]] = {}
        for word, resources in (('added', self.added), ('removed', self.removed)):
            for resource in resources:
                rows.setdefault(resource.kind, {}).setdefault(word, []).append(f'{resource.name} ({resource.id})')
        return rows


def look(
    cloud: Cloud, kinds: Iterable[Kind] = KINDS, clock: Clock | None = None
) -> tuple[Inventory, dict[str, Problem]]:
    """List the project, all kinds at the same time. A service that the cloud lacks is named, not an error.

    The kinds that could not be listed are unseen; their Problems come along. When that is so for all of them, the
    first one is raised: login, network or cloud are at fault.
    """
    wanted = tuple(kinds)

    def ask(kind: Kind) -> tuple[Resource, ...] | str | Problem:
        return _part(cloud, kind, clock)

    with concurrent.futures.ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix='inventory') as pool:
        # one kind of each service first: all others would ask for its version as well, at the same time
        first = tuple({kind.service: kind for kind in wanted}.values())
        order = (first, tuple(kind for kind in wanted if kind not in first))
        parts = {kind.name: part for some in order for kind, part in zip(some, pool.map(ask, some), strict=True)}
    found = {kind.name: parts[kind.name] for kind in wanted}
    problems = {name: part for name, part in found.items() if isinstance(part, Problem)}
    if problems and not any(isinstance(part, tuple) for part in found.values()):
        raise next(iter(problems.values()))
    seen = Inventory(
        project_id=cloud.project_id,
        resources=tuple(resource for part in found.values() if isinstance(part, tuple) for resource in part),
        missing={name: part for name, part in found.items() if isinstance(part, str)},
        unseen={name: problem.reason for name, problem in problems.items()},
    )
    return seen, problems


def take(cloud: Cloud, kinds: Iterable[Kind] = KINDS, clock: Clock | None = None) -> Inventory:
    """As look(), but a kind that cannot be listed is raised as its Problem."""
    seen, problems = look(cloud, kinds, clock)
    if problems:
        raise next(iter(problems.values()))
    return seen


def listed(cloud: Cloud, kind: Kind, clock: Clock | None = None) -> tuple[Resource, ...]:
    """The objects of one kind; empty when the cloud does not have the service."""
    part = _list(cloud, kind, clock)
    return () if isinstance(part, str) else part


def _part(cloud: Cloud, kind: Kind, clock: Clock | None) -> tuple[Resource, ...] | str | Problem:
    try:
        return _list(cloud, kind, clock)
    except Problem as problem:
        return problem


def _list(cloud: Cloud, kind: Kind, clock: Clock | None) -> tuple[Resource, ...] | str:
    if not cloud.has(kind.service):
        return f'cloud has no service {kind.service}'
    with failures.cloud_errors('cannot list', f'{kind.name} objects of project {cloud.project_id}'):
        found = retry.reading(lambda: list(kind.list(cloud)), clock)
    # an administrator's image list ignores the filter on some clouds; key pairs and groups have no project at all
    return tuple(_resource(kind, item) for item in found)


def _resource(kind: Kind, item: Any) -> Resource:
    """The only place where an SDK object becomes a Resource."""
    metadata = getattr(item, 'metadata', None)
    known = dict(metadata) if isinstance(metadata, Mapping) else {}
    if kind.name == 'image':
        known |= {key: value for key, value in (item.properties or {}).items() if key in METADATA}
    return Resource(
        kind=kind.name,
        id=str(getattr(item, kind.identity)),
        name=str(item.name or ''),
        status=str(getattr(item, 'status', None) or getattr(item, 'provisioning_status', None) or ''),
        description=str(getattr(item, 'description', None) or ''),
        metadata={str(k): str(v) for k, v in known.items() if k in METADATA},
        details={name: str(getattr(item, name, None) or '') for name in kind.details},
        created=moment(getattr(item, 'created_at', None)),
    )


def moment(value: Any) -> str:
    """A time as the cloud writes it as a timestamp of ours; empty when it is none.

    Nova writes 2026-11-25T12:00:00Z, others leave out the zone or add fractions; all mean UTC.
    """
    try:
        found = datetime.datetime.fromisoformat(str(value))
    except ValueError:
        return ''
    return timestamp(found if found.tzinfo else found.replace(tzinfo=datetime.UTC))


def difference(before: Inventory, after: Inventory) -> Difference:
    """By kind and id. Kinds that one side could not see are left out: absence of sight is not absence."""
    unseen = before.unknown() | after.unknown()
    first = {(r.kind, r.id): r for r in before.resources if r.kind not in unseen}
    second = {(r.kind, r.id): r for r in after.resources if r.kind not in unseen}
    return Difference(
        added=tuple(r for key, r in second.items() if key not in first),
        removed=tuple(r for key, r in first.items() if key not in second),
    )


def dump(inventory: Inventory) -> dict[str, Any]:
    """For cloud-before.json and cloud-after.json; descriptions of others are left out."""
    plain = tuple(r if r.mark else dataclasses.replace(r, description='') for r in inventory.resources)
    content: dict[str, Any] = shape.dump(dataclasses.replace(inventory, resources=plain))
    return content | {'counts': inventory.counts()}


def load(content: Mapping[str, Any], source: str) -> Inventory:
    """The inventory from its JSON."""
    return shape.load(Inventory, {k: v for k, v in content.items() if k != 'counts'}, source)
