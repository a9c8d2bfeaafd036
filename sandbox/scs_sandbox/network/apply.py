"""Compare a plan with what exists and change the difference. Safe to repeat; killed half-way, the next pass goes on."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import names
from ..errors import SandboxError
from ..run import run
from .plan import End, Plan, Space, Wire
from .rules import stamped

OWNED = (
    'n',
    'x',
    'r',
    'i',
    'v',
    'up0',
    'ext0',
)  # beginnings of interface names that plans make; server ports ('p…') are the hypervisor's, or go with a 'v…'


@dataclass(frozen=True)
class Found:
    """One interface that exists. addresses: IPv4 with prefix."""

    name: str
    mac: str
    master: str
    mtu: int
    up: bool
    addresses: frozenset[str]


def namespaces(sandbox: str) -> list[str]:
    """Network namespaces of a sandbox that exist."""
    if not names.NETNS_DIRECTORY.is_dir():
        return []
    return sorted(path.name for path in names.NETNS_DIRECTORY.iterdir() if names.belongs(path.name, sandbox))


def converge(sandbox: str, plan: Plan, former: Plan | None = None, *, remove: bool = True) -> list[str]:
    """Make the plan true.

    former: plan known to be true; what is the same in both is not looked at again. remove: also remove what is not
    planned.

    Returns what was changed, one text per change. Raises SandboxError naming the namespace.
    """
    existing = set(namespaces(sandbox))
    changes = []
    wanted = {space.name for space in plan.spaces}
    for name in sorted(existing - wanted) if remove else ():
        changes += remove_namespace(name)
    same = _unchanged(plan, former, existing)
    todo = [space for space in plan.spaces if space.name not in same]
    changes += [change for space in todo for change in _create(space, existing)]
    found = {space.name: interfaces(space.name) for space in todo}
    for space in todo:
        changes += _bridges(space, found[space.name])
    for wire in plan.wires:
        if not all(end.namespace in same for end in wire.ends):
            changes += _wire(wire, found)
    for space in todo:
        changes += _links(space, plan, found[space.name])
        changes += _addresses(space)
        changes += _rules(space)
    _forget_neighbors(plan, changes)
    return changes


def remove_namespace(name: str) -> list[str]:
    """Remove a network namespace and what is in it."""
    # The kernel takes a namespace down in the background; its cables shall be gone on the other side now.
    text = run(['ip', '-n', name, '-j', 'link', 'show', 'type', 'veth'], what='cannot list cables of', subject=name)
    delete_links(name, [str(item['ifname']) for item in json.loads(text or '[]') if 'ifname' in item])
    run(['ip', 'netns', 'delete', name], what='cannot remove network namespace', subject=name)
    return [f'network namespace {name} removed']


def delete_links(namespace: str, links: Sequence[str]) -> None:
    """Delete interfaces; one that vanished meanwhile, with the other end of its cable, is as good."""
    for link in links:
        try:
            run(['ip', '-n', namespace, 'link', 'delete', link], what='cannot delete', subject=f'{namespace} {link}')
        except SandboxError as error:
            gone = any(text in error.answer for text in ('Cannot find device', 'No such device'))
            if not gone and names.namespace_path(namespace).exists():
                raise


def interfaces(namespace: str) -> dict[str, Found]:
    """Interfaces of a namespace by name."""
    text = run(['ip', '-n', namespace, '-j', 'addr', 'show'], what='cannot list interfaces of', subject=namespace)
    return {item['ifname']: _found(item) for item in json.loads(text) if 'ifname' in item}


def _found(item: dict[str, Any]) -> Found:
    addresses = frozenset(
        f'{info["local"]}/{info["prefixlen"]}' for info in item.get('addr_info', ()) if info.get('family') == 'inet'
    )
    return Found(
        item['ifname'],
        item.get('address', ''),
        item.get('master', ''),
        int(item['mtu']),
        'UP' in item['flags'],
        addresses,
    )


def _unchanged(plan: Plan, former: Plan | None, existing: set[str]) -> set[str]:
    """Names of namespaces about which former and plan say the same, cables included."""
    if former is None:
        return set()
    before = {space.name: (space, _wires_of(former, space.name)) for space in former.spaces}
    return {
        space.name
        for space in plan.spaces
        if space.name in existing and before.get(space.name) == (space, _wires_of(plan, space.name))
    }


def _wires_of(plan: Plan, namespace: str) -> frozenset[Wire]:
    return frozenset(wire for wire in plan.wires if any(end.namespace == namespace for end in wire.ends))


def _create(space: Space, existing: set[str]) -> list[str]:
    changes = []
    if space.name not in existing:
        run(
            ['ip', 'netns', 'add', space.name],
            what='cannot make network namespace',
            subject=space.name,
            advice='check that root may make network namespaces here',
        )
        changes.append(f'network namespace {space.name} made')
    text = ''.join(f'{value} {path}\n' for path, value in space.settings.items())
    if text:
        script = 'while read -r value path; do echo "$value" > "/proc/sys/$path"; done'
        inside(space.name, ['sh', '-ec', script], text=text, what='cannot set kernel settings of')
    return changes


def _wire(wire: Wire, found: dict[str, dict[str, Found]]) -> list[str]:
    """Make a cable unless both of its ends are there as planned."""
    here, there = wire.ends
    known = [found[end.namespace] if end.namespace in found else interfaces(end.namespace) for end in wire.ends]
    if all(_fits(end, wire, links.get(end.name)) for end, links in zip(wire.ends, known, strict=True)):
        return []
    for end, links in zip(wire.ends, known, strict=True):
        if end.name in links:
            # The kernel takes the other end away with it.
            delete_links(end.namespace, [end.name])
    peer = f'peer name {there.name} {_mac(there)} mtu {wire.mtu} netns {there.namespace}'
    run(
        ['ip', '-n', here.namespace, '-batch', '-'],
        what='cannot make cable',
        subject=f'{here.namespace} {here.name}',
        text=f'link add {here.name} {_mac(here)} mtu {wire.mtu} type veth {peer}\n',
    )
    for end, links in zip(wire.ends, known, strict=True):
        links[end.name] = Found(end.name, end.mac, '', wire.mtu, False, frozenset())
    return [f'cable {here.namespace} {here.name} to {there.namespace} {there.name} made']


def _fits(end: End, wire: Wire, link: Found | None) -> bool:
    return link is not None and link.mtu == wire.mtu and (not end.mac or link.mac == end.mac)


def _mac(end: End) -> str:
    return f'address {end.mac}' if end.mac else ''


def _bridges(space: Space, found: dict[str, Found]) -> list[str]:
    lines = []
    for name, mac in space.bridges.items():
        if name not in found:
            lines += [f'link add {name} {f"address {mac} " if mac else ""}type bridge', f'link set {name} up']
    if lines:
        run(
            ['ip', '-n', space.name, '-batch', '-'],
            what='cannot make bridge in',
            subject=space.name,
            text='\n'.join(lines) + '\n',
        )
    return [f'{space.name}: {line}' for line in lines]


def _links(space: Space, plan: Plan, found: dict[str, Found]) -> list[str]:
    """Plug cables into bridges, remove those that are no longer planned."""
    ends = {end.name: end for wire in plan.wires for end in wire.ends if end.namespace == space.name}
    lines = []
    for name, end in ends.items():
        if end.master and (name not in found or found[name].master != end.master or not found[name].up):
            lines.append(f'link set {name} master {end.master} up')
    stale = [name for name in found if name.startswith(OWNED) and name not in ends and name not in space.bridges]
    delete_links(space.name, stale)
    if lines:
        run(
            ['ip', '-n', space.name, '-batch', '-'],
            what='cannot set interfaces of',
            subject=space.name,
            text='\n'.join(lines) + '\n',
        )
    return [f'{space.name}: {line}' for line in (*lines, *(f'link delete {name}' for name in stale))]


def _addresses(space: Space) -> list[str]:
    found = interfaces(space.name)
    lines = []
    for name, wanted in space.addresses.items():
        link = found.get(name)
        if link is None:
            raise SandboxError(
                'cannot set addresses of',
                f'{space.name} {name}',
                'the interface does not exist',
                'send network-apply again',
            )
        lines += [f'addr del {address} dev {name}' for address in sorted(link.addresses - set(wanted))]
        lines += [f'addr add {address} dev {name}' for address in wanted if address not in link.addresses]
        lines += [] if link.up else [f'link set {name} up']
    if space.addresses:
        routes = json.loads(
            run(
                ['ip', '-n', space.name, '-j', 'route', 'show', 'default'],
                what='cannot list routes of',
                subject=space.name,
            )
            or '[]'
        )
        current = routes[0].get('gateway') if routes else None
        if space.default_route and (lines or current != space.default_route):
            lines.append(f'route replace default via {space.default_route}')
        if current and not space.default_route:
            lines.append('route del default')
    if lines:
        run(
            ['ip', '-n', space.name, '-batch', '-'],
            what='cannot set addresses of',
            subject=space.name,
            text='\n'.join(lines) + '\n',
        )
    return [f'{space.name}: {line}' for line in lines]


def _rules(space: Space) -> list[str]:
    """Load the rule set unless its mark is there. One transaction, so that no packet sees half of it."""
    if not space.rules:
        return []
    text, mark = stamped(space.rules)
    loaded = inside(space.name, ['nft', 'list', 'chains'], what='cannot list rules of')
    if f'chain {mark} ' in loaded:
        return []
    inside(space.name, ['nft', '-f', '-'], text='flush ruleset\n' + text, what='cannot load rules of')
    return [f'{space.name}: rules {mark} loaded']


def _forget_neighbors(plan: Plan, changes: Iterable[str]) -> None:
    """A floating IP may have moved to another router: whoever is in the external network must ask again."""
    moved = {
        change.split('addr add ')[1].split('/')[0]
        for change in changes
        if 'addr add ' in change and change.endswith('/32 dev ext0')
    }
    if not moved:
        return
    for space in plan.spaces:
        link = next((name for name in (names.EXTERNAL_BRIDGE, 'ext0') if name in space.addresses), None)
        if link:
            text = ''.join(f'neigh flush to {ipaddress.ip_address(address)} dev {link}\n' for address in sorted(moved))
            with contextlib.suppress(SandboxError):  # an entry that is not there is what we want
                run(
                    ['ip', '-n', space.name, '-force', '-batch', '-'],
                    what='cannot forget neighbors in',
                    subject=space.name,
                    text=text,
                )


def inside(namespace: str, command: list[str], *, what: str, text: str | None = None) -> str:
    """Run a program in a network namespace without any other change of its surroundings."""
    return run(
        ['nsenter', f'--net={names.namespace_path(namespace)}', *command], what=what, subject=namespace, text=text
    )
