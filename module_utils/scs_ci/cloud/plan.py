"""From wanted topology and observed servers to steps. Pure: the same plan feeds check mode, diff, log and apply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..core.errors import UsageProblem
from ..core.naming import Names
from . import marks
from .model import Group, Server, Topology

# Metadata of a node, beside the marks: what a later call needs to know without asking for images and flavors again.
GROUP, WISH, USER, SIMULATED, FLAVOR, IMAGE = (
    'scs_ci_group', 'scs_ci_wish', 'scs_ci_user', 'scs_ci_simulated', 'scs_ci_flavor', 'scs_ci_image',
)  # fmt: skip
# Nova's states of a server that is, or becomes, usable without our doing.
GOOD = frozenset({'ACTIVE', 'BUILD', 'REBUILD', 'REBOOT', 'HARD_REBOOT', 'PASSWORD'})
GONE = frozenset({'DELETED', 'SOFT_DELETED'})
GONE_TASKS = frozenset({'deleting', 'soft-deleting'})


@dataclass(frozen=True)
class Step:
    """action: create, replace or delete. server: id of the server that goes, empty for create."""

    action: str
    name: str
    reason: str
    group: str = ''
    server: str = ''


def node_names(topology: Topology, own: Names) -> dict[str, Group]:
    """Name of every wanted node to its group. A group named 'node' gives `<prefix>-node-0`, and so on."""
    wanted: dict[str, Group] = {}
    for group in topology.groups:
        if group.count < 0 or not group.name.replace('-', '').isalnum():
            raise UsageProblem(
                'cannot use group', repr(group.name), f'count {group.count}', 'use letters, digits, - and a count >= 0'
            )
        for index in range(group.count):
            wanted[f'{own.prefix}-{group.name}-{index}'] = group
    if len(wanted) != topology.count():
        raise UsageProblem(
            'cannot use topology', 'groups', 'two groups have the same name', 'give each group its own name'
        )
    return wanted


def wish_hash(group: Group, topology: Topology, public_key: str) -> str:
    """Changes whenever a node made earlier no longer is what is wanted; the number of nodes does not matter."""
    content = {k: v for k, v in asdict(group).items() if k not in ('count', 'floating_ip')}
    content |= {'network': topology.network, 'key': public_key.split()[:2]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def own_servers(servers: Iterable[Server], run: str) -> list[Server]:
    """Servers with the run's id that are not on their way out; nothing but scs-ci writes it, so half a mark counts."""
    return [
        server
        for server in servers
        if server.metadata.get(marks.RUN) == run and server.status not in GONE and server.task not in GONE_TASKS
    ]


def steps(wanted: Mapping[str, Group], wishes: Mapping[str, str], have: Sequence[Server]) -> list[Step]:
    """Steps from `have` (own servers only) to `wanted`; empty when converged. wishes: group name to wish hash."""
    result: list[Step] = []
    for name, group in wanted.items():
        candidates = sorted(
            (s for s in have if s.name == name), key=lambda s: (bool(_defect(s, wishes[group.name])), s.created, s.id)
        )
        if not candidates:
            result.append(Step('create', name, 'missing', group.name))
            continue
        if defect := _defect(candidates[0], wishes[group.name]):
            result.append(Step('replace', name, defect, group.name, candidates[0].id))
        # a lost answer of an earlier call can have left a second server of the same name
        result += [Step('delete', name, 'doubled', group.name, server.id) for server in candidates[1:]]
    result += [
        Step('delete', s.name, 'not wanted', s.metadata.get(GROUP, ''), s.id) for s in have if s.name not in wanted
    ]
    return result


def _defect(server: Server, wish: str) -> str:
    if server.status not in GOOD:
        return f'is {server.status}{": " + server.fault if server.fault else ""}'
    if marks.from_metadata(server.metadata) is None:
        return 'has half a mark'  # a janitor would not know when it may go
    return '' if server.metadata.get(WISH) == wish else 'wish changed'
