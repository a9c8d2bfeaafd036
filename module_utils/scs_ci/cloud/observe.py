"""What the cloud offers and what the run already has: the lists, fetched concurrently, as plain dataclasses."""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.clock import Clock
from . import failures, lists, retry
from .connect import Cloud
from .model import Flavor, Image, Network, Server, Zone


@dataclass(frozen=True)
class Offer:
    """What the cloud offers to the project."""

    flavors: tuple[Flavor, ...]
    images: tuple[Image, ...]
    networks: tuple[Network, ...]
    zones: tuple[Zone, ...]


def offer(cloud: Cloud, clock: Clock | None = None) -> Offer:
    """Flavors, images, networks and zones."""
    sdk = cloud.sdk
    parts: dict[str, Callable[[], list[Any]]] = {
        'flavors': lambda: [flavor(f) for f in sdk.compute.flavors(details=True)],
        'images': lambda: [image(i) for i in sdk.image.images()],
        'networks': lambda: [network(n, cloud.project_id) for n in sdk.network.networks()],
        'zones': lambda: [
            Zone(z.name, bool((z.state or {}).get('available'))) for z in sdk.compute.availability_zones()
        ],
    }
    found = together(cloud, parts, clock)
    return Offer(*(tuple(found[name]) for name in ('flavors', 'images', 'networks', 'zones')))


def together(cloud: Cloud, requests: Mapping[str, Callable[[], Any]], clock: Clock | None = None) -> dict[str, Any]:
    """Independent reads at the same time; the first failure names the list that failed."""

    def one(name: str) -> Any:
        with failures.cloud_errors('cannot list', f'{name} of cloud {cloud.name}'):
            return retry.reading(requests[name], clock)

    with concurrent.futures.ThreadPoolExecutor(max_workers=len(requests), thread_name_prefix='observe') as pool:
        return dict(zip(requests, pool.map(one, requests), strict=True))


def servers(cloud: Cloud, prefix: str, clock: Clock | None = None) -> list[Server]:
    """All servers whose names start with the prefix: one request, whatever their number."""
    with failures.cloud_errors('cannot list', f'servers {prefix}* of cloud {cloud.name}'):
        found = retry.reading(lambda: list(lists.servers(cloud, name=f'^{re.escape(prefix)}')), clock)
    return [server(item) for item in found]


def flavor(item: Any) -> Flavor:
    # the pinned microversion lists extra specs with the flavor; the SDK's get_extra_specs would ask for each one again
    specs = {str(k): str(v) for k, v in (item.extra_specs or {}).items()}
    return Flavor(item.id, item.name, int(item.vcpus), int(item.ram), int(item.disk or 0), specs)


def image(item: Any) -> Image:
    """The SDK spreads well-known properties over attributes: the raw body has them all in one place."""
    body = item.to_dict(original_names=True)
    properties = {**body, **(item.properties or {})}
    return Image(
        id=item.id,
        name=item.name or '',
        status=item.status or '',
        visibility=item.visibility or '',
        hidden=bool(item.is_hidden),
        min_disk=int(item.min_disk or 0),
        min_ram=int(item.min_ram or 0),
        size=int(item.size or 0),
        created=item.created_at or '',
        properties={str(k): v for k, v in properties.items() if isinstance(v, str)},
    )


def network(item: Any, project_id: str) -> Network:
    return Network(
        item.id,
        item.name or '',
        bool(item.is_router_external),
        item.status or '',
        tuple(item.subnet_ids or ()),
        item.project_id == project_id,
    )


def server(item: Any) -> Server:
    fault = item.fault or {}
    return Server(
        id=item.id,
        name=item.name,
        status=item.status or '',
        task=item.task_state or '',
        metadata={str(k): str(v) for k, v in (item.metadata or {}).items()},
        zone=item.availability_zone or '',
        fault=str(fault.get('message', '')),
        key=item.key_name or '',
        created=item.created_at or '',
        address=_address(getattr(item, 'addresses', None) or {}),
    )


def _address(networks: Mapping[str, list[dict[str, Any]]]) -> str:
    """As Nova remembers it, which may be a moment late: for people, not for decisions."""
    found = [entry for entries in networks.values() for entry in entries]
    order = sorted(found, key=lambda entry: entry.get('OS-EXT-IPS:type') != 'floating')
    return str(order[0].get('addr', '')) if order else ''
