"""What a node is made from, and in which order it is tried. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import choose, plan
from .marks import Mark
from .model import Flavor, Group, Image


@dataclass(frozen=True)
class Attempt:
    """One way to make a node. zone: '' leaves it to the cloud; volume: GB of the root volume, 0 for none."""

    flavor: Flavor
    zone: str
    volume: int

    def __str__(self) -> str:
        return f'{self.flavor.name} in {f"zone {self.zone}" if self.zone else "any zone"}'


@dataclass(frozen=True)
class Blueprint:
    """Everything a server POST needs that is equal for a group. attempts: best first, never empty."""

    group: Group
    image: Image
    attempts: tuple[Attempt, ...]
    wish: str

    @property
    def best(self) -> Attempt:
        return self.attempts[0]

    def metadata(self, attempt: Attempt) -> dict[str, str]:
        simulated = ','.join(choose.simulated_of(self.image))
        return {
            plan.GROUP: self.group.name,
            plan.WISH: self.wish,
            plan.USER: choose.user_of(self.image),
            plan.FLAVOR: attempt.flavor.name,
            plan.IMAGE: f'{self.image.name} ({self.image.id})',
            **({plan.SIMULATED: simulated} if simulated else {}),
        }


@dataclass(frozen=True)
class Ground:
    """Where nodes are put. external: id of the network of floating IPs, empty when no node needs one.

    security: per group of nodes the ids of its security groups; server_groups: per group the id of its server group.
    """

    network: str
    security: dict[str, tuple[str, ...]]
    external: str
    server_groups: dict[str, str]


def attempts(group: Group, flavors: Sequence[Flavor], zones: Sequence[str], image: Image) -> tuple[Attempt, ...]:
    """Each pair of flavor and zone once: first the best flavor in every zone, then the next one.

    Without zones the cloud looks at all of them by itself, so only flavors are left to change.
    """
    return tuple(
        Attempt(flavor, zone, choose.root_volume(flavor, image, group.flavor))
        for flavor in flavors
        for zone in (zones or ('',))
    )


def body(
    name: str, blueprint: Blueprint, attempt: Attempt, ground: Ground, mark: Mark, key: str, volumes: Sequence[str]
) -> dict[str, Any]:
    """Of the request that creates the server. key: name of the key pair; volumes: ids, with the root volume first."""
    group = blueprint.group
    wanted: dict[str, Any] = {
        'name': name,
        'flavor_id': attempt.flavor.id,
        'networks': [{'uuid': ground.network}],
        'key_name': key,
        'security_groups': [{'name': identity} for identity in ground.security[group.name]],
        'metadata': {**mark.metadata(), **blueprint.metadata(attempt)},
        # a config drive needs no metadata service, which is the part of clouds that answers late most often
        'config_drive': True,
        'image_id': '' if attempt.volume else blueprint.image.id,
    }
    if attempt.zone:
        wanted['availability_zone'] = attempt.zone
    if group.user_data:
        wanted['user_data'] = base64.b64encode(group.user_data.encode()).decode()
    if group.server_group:
        wanted['scheduler_hints'] = {'group': ground.server_groups[group.name]}
    return wanted | ({'block_device_mapping': _devices(blueprint, attempt, volumes)} if volumes else {})


def _devices(blueprint: Blueprint, attempt: Attempt, volumes: Sequence[str]) -> list[dict[str, Any]]:
    """Volumes go with their server, so nothing is left when somebody deletes only that."""
    devices = [_volume(identity, -1) for identity in volumes]
    if attempt.volume:
        return [{**devices[0], 'boot_index': 0}, *devices[1:]]
    local = {'uuid': blueprint.image.id, 'source_type': 'image', 'destination_type': 'local'}
    return [{**local, 'boot_index': 0, 'delete_on_termination': True}, *devices]


def _volume(identity: str, index: int) -> dict[str, Any]:
    kind = {'source_type': 'volume', 'destination_type': 'volume'}
    return {'uuid': identity, 'boot_index': index, 'delete_on_termination': True, **kind}
