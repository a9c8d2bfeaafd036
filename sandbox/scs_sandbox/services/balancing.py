"""What becomes of Octavia's objects, from the objects and from what HAProxy reports. Pure: data models in, plain data
out.

The operating statuses follow Octavia's own health manager (octavia/amphorae/drivers/health/heartbeat_udp.py): what an
amphora would have sent there as heartbeat is the report here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Statuses = dict[str, list[dict[str, str]]]  # Octavia's status updates: kind -> [{id, provisioning_, operating_status}]
OVN = 'ovn'
PENDING_DELETE = 'PENDING_DELETE'
# Kinds whose operating status follows from their own switch alone; the others' comes from reports.
SWITCHED = ('healthmonitors', 'l7policies', 'l7rules')
COUNTED = ('bytes_in', 'bytes_out', 'total_connections', 'request_errors')
LISTENER = {'OPEN': 'ONLINE', 'FULL': 'DEGRADED'}
POOL = {'UP': 'ONLINE', 'DOWN': 'ERROR'}
MEMBER = {'UP': 'ONLINE', 'DOWN': 'ERROR', 'DRAIN': 'DRAINING', 'MAINT': 'OFFLINE', 'no check': 'NO_MONITOR'}


def objects(balancer: Any) -> Iterator[tuple[str, Any, bool]]:
    """Everything of a load balancer, children before what holds them: kind, object, whether it goes with its holder."""
    all_gone = balancer.provisioning_status == PENDING_DELETE
    for pool in balancer.pools:
        gone = all_gone or pool.provisioning_status == PENDING_DELETE
        yield from (('members', member, gone) for member in pool.members)
        if pool.health_monitor:
            yield 'healthmonitors', pool.health_monitor, gone
        yield 'pools', pool, all_gone
    for listener in balancer.listeners:
        gone = all_gone or listener.provisioning_status == PENDING_DELETE
        for policy in listener.l7policies:
            without = gone or policy.provisioning_status == PENDING_DELETE
            yield from (('l7rules', rule, without) for rule in policy.l7rules)
            yield 'l7policies', policy, gone
        yield 'listeners', listener, all_gone
    yield 'loadbalancers', balancer, False


def settled(balancer: Any, *, failed: bool) -> Statuses:
    """What everything pending of a load balancer becomes. failed: it could not be carried out."""
    statuses: Statuses = {}
    for kind, item, gone in objects(balancer):
        status = item.provisioning_status
        if gone or status == PENDING_DELETE:
            statuses.setdefault(kind, []).append({'id': item.id, 'provisioning_status': 'DELETED'})
        elif status in ('PENDING_CREATE', 'PENDING_UPDATE'):
            found = {'id': item.id, 'provisioning_status': 'ERROR' if failed else 'ACTIVE'}
            if kind in SWITCHED:
                found['operating_status'] = 'ONLINE' if item.enabled else 'OFFLINE'
            statuses.setdefault(kind, []).append(found)
    return statuses


def report(text: str) -> dict[str, Any]:
    """HAProxy's statistics as listeners, pools and counters by id.

    text: answer to 'show stat', a table with names in its first line ('# pxname,svname,…'). Frontends are called as
    listeners, backends '<pool>:<listener>', servers as members.
    """
    rows = list(csv.DictReader(text.removeprefix('# ').splitlines()))
    fronts = [row for row in rows if row['svname'] == 'FRONTEND']
    pools: dict[str, dict[str, Any]] = {}
    for row in rows:
        pool = pools.setdefault(row['pxname'].partition(':')[0], {'members': {}})
        if row['svname'] == 'BACKEND':
            pool['status'] = row['status']
        elif row['svname'] != 'FRONTEND':
            # Some versions of HAProxy report a server without weight as up.
            drained = row['status'] == 'UP' and row['weight'] == '0'
            pool['members'][row['svname']] = 'DRAIN' if drained else row['status']
    return {
        'listeners': {row['pxname']: row['status'] for row in fronts},
        'pools': {name: pool for name, pool in pools.items() if 'status' in pool},
        'counters': [
            {
                'id': row['pxname'],
                'bytes_in': int(row['bin']),
                'bytes_out': int(row['bout']),
                'active_connections': int(row['scur']),
                'total_connections': int(row['stot']),
                'request_errors': int(row['ereq']),
            }
            for row in fronts
        ],
    }


def health(balancer: Any, seen: Mapping[str, Any]) -> Statuses:
    """Operating statuses that differ from those of the objects. seen: report() of its proxy."""
    worst = 'ONLINE' if balancer.enabled else 'OFFLINE'
    found: list[tuple[str, Any, str | None]] = []
    for listener in balancer.listeners:
        status = _listener(listener, balancer, seen['listeners'])
        worst = _worse(worst, status) if status == 'DEGRADED' else worst
        found.append(('listeners', listener, status))
    for pool in balancer.pools:
        status, members = _pool(pool, seen['pools'].get(pool.id))
        worst = _worse(worst, status)
        found += [('members', member, text) for member, text in members]
        found.append(('pools', pool, status))
    found.append(('loadbalancers', balancer, worst))
    statuses: Statuses = {}
    for kind, item, text in found:
        if text and text != item.operating_status:
            statuses.setdefault(kind, []).append({'id': item.id, 'operating_status': text})
    return statuses


def since(row: Mapping[str, Any], last: Mapping[str, Any] | None) -> dict[str, Any]:
    """Counters of a listener since the last report; a proxy that was started or reloaded counts from zero."""
    if last is None or any(row[name] < last[name] for name in COUNTED):
        return dict(row)
    return {**row, **{name: row[name] - last[name] for name in COUNTED}}


def merged(parts: Iterable[Statuses]) -> Statuses:
    """Several status updates as one."""
    whole: Statuses = {}
    for part in parts:
        for kind, rows in part.items():
            whole.setdefault(kind, []).extend(rows)
    return whole


def _listener(listener: Any, balancer: Any, seen: Mapping[str, str]) -> str | None:
    if listener.id in seen:
        return LISTENER.get(seen[listener.id])
    missing = listener.enabled and balancer.enabled and balancer.provisioning_status == 'ACTIVE'
    return 'ERROR' if missing else 'OFFLINE'


def _pool(pool: Any, seen: Mapping[str, Any] | None) -> tuple[str | None, list[tuple[Any, str | None]]]:
    """Status of a pool and of its members. A pool that no listener uses is not reported."""
    if seen is None:
        return 'OFFLINE', []
    members = [(member, _member(member, seen['members'].get(member.id))) for member in pool.members]
    status = POOL.get(seen['status'])
    if status == 'ONLINE' and any(text == 'ERROR' for _, text in members):
        status = 'DEGRADED'
    return status, members


def _member(member: Any, seen: str | None) -> str | None:
    if seen is None:
        return None if member.operating_status == 'NO_MONITOR' else 'OFFLINE'
    if seen == 'no check':
        return MEMBER[seen]
    return MEMBER.get(seen.split()[0])  # 'UP 1/3': on the way to the other state


def _worse(worst: str, status: str | None) -> str:
    """Of a load balancer. What is off or unknown makes nothing worse."""
    order = ('ONLINE', 'DEGRADED', 'ERROR')
    return status if worst in order and status in order and order.index(status) > order.index(worst) else worst
