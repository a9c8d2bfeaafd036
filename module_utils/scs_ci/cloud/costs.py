"""What a plan costs: requests and quota. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import network, quota, volumes
from .blueprint import Blueprint
from .model import Topology
from .plan import Step
from .site import POLL

# A key pair, a list of each kind of network object: before anything is made. The rest is what is made.
OFFER = 4  # flavors, images, networks, zones


@dataclass(frozen=True)
class Cost:
    """calls: requests by what they are for, beside login and discovery; quota: kind to amount that is taken.

    polling: what comes on top while servers boot, in words, for nobody knows how long that takes.
    """

    calls: dict[str, int] = field(default_factory=dict)
    quota: dict[str, int] = field(default_factory=dict)
    polling: str = ''

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    def __str__(self) -> str:
        calls = ', '.join(f'{amount} {name}' for name, amount in self.calls.items())
        amounts = ', '.join(f'{amount} {quota.KINDS[kind][1]}' for kind, amount in self.quota.items())
        text = f'{self.total} requests ({calls}){f"; {self.polling}" if self.polling else ""}'
        return f'{text}\nquota: {amounts}' if amounts else text


def cost(
    steps: Sequence[Step],
    topology: Topology,
    blueprints: Mapping[str, Blueprint],
    have: Mapping[str, int],
    consoles: bool = True,
) -> Cost:
    """Of carrying out the steps, each with its first attempt.

    blueprints: of the groups with missing nodes; have: kind to number of what the run already has.
    consoles: whether those of the nodes are asked for their host keys.
    """
    made = [blueprints[step.group] for step in steps if step.action in ('create', 'replace')]
    gone = sum(bool(step.server) for step in steps)
    calls = {'lists of servers': 1 + bool(gone), 'deletions': gone}
    if made:
        calls |= {'lists of what the cloud offers': OFFER, **_ground(topology, have), **_nodes(made, consoles)}
    polling = f'and a list of servers every {POLL:g} s, with ports and floating IPs until all have theirs'
    return Cost(
        {name: amount for name, amount in calls.items() if amount},
        _quota(made, topology, have),
        polling if made else '',
    )


def _ground(topology: Topology, have: Mapping[str, int]) -> dict[str, int]:
    opened, grouped = len(network.opened(topology)), sum(bool(g.server_group and g.count) for g in topology.groups)
    floating = any(group.floating_ip and group.count for group in topology.groups)
    kinds = ['security_group'] if topology.network else ['network', 'subnet', 'security_group']
    kinds += ['router'] if floating and not topology.network else []
    made = sum(not have.get(kind) for kind in kinds)
    # the group's rules come in one request, the router's interface in another
    made += (not have.get('security_group')) + ('router' in kinds)
    return {
        'lists of network objects': len(network.CALLS) + opened,
        'network objects': made + 2 * opened * (not have.get('security_group')),
        'server groups': grouped + grouped * (not have.get('server_group')),
        'key pairs': 1 + (not have.get('key_pair')),
    }


def _nodes(made: Sequence[Blueprint], consoles: bool) -> dict[str, int]:
    wishes = [wish for print_ in made for wish in volumes.wanted('', print_, print_.best)]
    # the spare ones of an earlier call, whether they are available, and the cloud's default type
    around = 2 + any(not wish.type for wish in wishes) if wishes else 0
    return {
        'volumes': len(wishes) + around,
        'servers': len(made),
        'floating IPs': sum(print_.group.floating_ip for print_ in made),
        'console logs': len(made) * consoles,
    }


def _quota(made: Sequence[Blueprint], topology: Topology, have: Mapping[str, int]) -> dict[str, int]:
    if not made:
        return {}
    need = quota.ground(topology, have)
    for print_ in made:
        need += quota.group(print_.group, print_.best.flavor, print_.image, 1)
    return {kind: need[kind] for kind in quota.KINDS if need[kind] and kind != 'server_group_members'}
