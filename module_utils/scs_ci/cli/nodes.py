"""`scs-ci nodes up|list|ssh|down`: test nodes of a run."""

from __future__ import annotations

import argparse
import datetime
import getpass
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..cloud import connect, handover, inventory, keys, listing, nodes, purge, stages
from ..cloud.marks import Mark
from ..core import shape
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.naming import new_run_id
from ..core.outcome import Exit
from ..core.run import timestamp
from . import cloud_options, live, node_access
from .common import add_json, open_run, positive, show

HOURS = 6.0  # a working day by hand; a janitor may delete them afterwards


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('action', choices=('up', 'list', 'ssh', 'down'), help='provision, show, log in to, or delete')
    parser.add_argument('name', nargs='?', help="ssh: which node; its last part, such as 'node-0', is enough")
    cloud_options.add_cloud(parser)
    cloud_options.add_topology(parser)
    cloud_options.add_timeout(parser, nodes.TIMEOUT)
    parser.add_argument(
        '--key-dir', type=Path, metavar='DIR', help="for the run's private key (default: below XDG_STATE_HOME)"
    )
    cloud_options.add_host_keys(parser)
    parser.add_argument(
        '--hours', type=positive, default=HOURS, help='life of the nodes without --run (default: %(default)g)'
    )
    parser.add_argument('--command', metavar='TEXT', help='ssh: run this there instead of a shell')
    parser.add_argument('--dry-run', action='store_true', help='up, down: print the plan and change nothing')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if options.name and options.action != 'ssh':
        raise UsageProblem('cannot use', f'name {options.name}', f"'nodes {options.action}' takes none", 'leave it out')
    action = {'up': _up, 'list': _list, 'ssh': _ssh, 'down': _down}[options.action]
    return action(options)


def _up(options: argparse.Namespace) -> int:
    chosen = cloud_options.options(options)
    if options.run and not options.dry_run:
        record = stages.run_provision(open_run(options), chosen)
        if not options.json:
            _show_nodes(record.facts.get('nodes', []))
        return show([record], options.json)
    cloud = connect.connect(_cloud(options))
    if options.dry_run:
        request = _request(options, chosen, lambda _text, _subject: None)
        return _show_preview(nodes.preview(cloud, request), options.json)
    with live.progress(plain=options.json) as say:
        request = _request(options, chosen, say)
        if not options.json:
            say(request.mark.run, '')
        result = nodes.present(cloud, request)
    told = result.summary(request.key_dir / handover.KNOWN_HOSTS, cloud.name)
    if options.json:
        cloud_options.print_json({'run': request.mark.run, **told})
    else:
        _show_nodes(told['nodes'])
        print(f'inventory {request.key_dir / handover.INVENTORY}')
        print(f'run {request.mark.run}')
        print(f"delete them with 'scs-ci nodes down --cloud {cloud.name} --run-id {request.mark.run}'")
    return Exit.PASSED


def _list(options: argparse.Namespace) -> int:
    found = listing.listed(connect.connect(_cloud(options)), _run_or_none(options))
    seconds = _seconds(options)
    if options.json:
        cloud_options.print_json([{**shape.dump(node), 'seconds': seconds.get(node.name, {})} for node in found])
        return Exit.PASSED
    for node in found:
        words = (node.name, node.status, node.address or '-', node.flavor, node.image, node.zone)
        print('  '.join((*words, f'run {node.run} of {node.owner} until {node.expires}')))
        if node.fault:
            print(f'    {node.fault}')
        if phases := seconds.get(node.name):
            print(f'    {", ".join(f"{phase} after {at:g} s" for phase, at in phases.items())}')
    print(f'{len(found)} nodes')
    return Exit.PASSED


def _seconds(options: argparse.Namespace) -> dict[str, Mapping[str, float]]:
    """How long each phase of the nodes took, from the run's record."""
    record = open_run(options).record('provision') if options.run else None
    return {node['name']: node['seconds'] for node in record.facts.get('nodes', [])} if record else {}


def _ssh(options: argparse.Namespace) -> int:
    if not options.name:
        raise UsageProblem('cannot log in to', 'a node', 'no name given', "'scs-ci nodes list' shows the names")
    found = listing.listed(connect.connect(_cloud(options)), _run_or_none(options))
    private = keys.given(options.public_key).private if options.public_key else None
    way = node_access.door(node_access.find(options.name, found), options.key_dir, options.command or '', private)
    node_access.enter(way)


def _down(options: argparse.Namespace) -> int:
    run_id, cloud = _run_id(options), connect.connect(_cloud(options))
    if options.dry_run:
        found = purge.plan(run_id, inventory.take(cloud), purge.nodes_only)
        rows = [{'action': 'delete', 'name': f'{o.resource.kind} {o.resource.name}', 'reason': o.reason} for o in found]
        return _show_plan(rows, options.json)
    with live.progress(plain=options.json) as say:
        result = purge.Purge(cloud, run_id, say=say, timeout=options.timeout, only=purge.nodes_only).execute()
    if options.json:
        cloud_options.print_json({'deleted': result.counts(), 'leftovers': shape.dump(result.kept)})
    else:
        print(f'{", ".join(f"{n} {kind}" for kind, n in result.counts().items()) or "nothing"} deleted')
    if problem := stages.leftover_problem(result, run_id, cloud.name):
        raise problem
    return Exit.PASSED


def _request(options: argparse.Namespace, chosen: stages.Options, say: Callable[[str, str], None]) -> nodes.Request:
    if options.run:
        return stages.request(open_run(options), chosen)
    run_id = options.run_id or new_run_id()
    key_dir = chosen.key_dir or keys.default_directory(run_id)
    expires = timestamp(SystemClock().now() + datetime.timedelta(hours=options.hours))
    return nodes.Request(
        mark=Mark(run_id, getpass.getuser(), expires),
        topology=chosen.topology,
        key_dir=key_dir,
        public_key=chosen.public_key,
        timeout=chosen.timeout,
        host_keys=chosen.host_keys,
        logs=key_dir / 'logs',
        say=say,
    )


def _cloud(options: argparse.Namespace) -> str:
    name = options.cloud or (open_run(options).info.cloud if options.run else '')
    if not name:
        have = ', '.join(connect.known_clouds()) or 'no clouds'
        answer = f'neither --cloud nor --run given, and none is taken by itself; clouds.yaml has {have}'
        raise UsageProblem('cannot work on', 'nodes', answer, 'name the cloud with --cloud')
    return str(name)


def _run_or_none(options: argparse.Namespace) -> str:
    return open_run(options).info.id if options.run else str(options.run_id or '')


def _run_id(options: argparse.Namespace) -> str:
    if run := _run_or_none(options):
        return run
    answer = 'neither --run-id nor --run given'
    raise UsageProblem('cannot tell', 'which nodes', answer, "'nodes up' printed the id, 'nodes list' shows it")


def _show_nodes(found: Sequence[Mapping[str, Any]]) -> None:
    for node in found:
        key = f'  -i {node["key_file"]}' if node['key_file'] else ''
        print(
            f'{node["name"]}  {node["user"]}@{node["address"]}{key}  {node["flavor"]}  {node["image"]}  {node["zone"]}'
        )


def _show_preview(result: nodes.Result, as_json: bool) -> int:
    if as_json:
        cost = shape.dump(result.cost) | {'total': result.cost.total} if result.cost else {}
        cloud_options.print_json({'plan': result.rows(), 'chosen': shape.dump(result.chosen), 'cost': cost})
        return Exit.PASSED
    for chosen in result.chosen:
        volume = f', volume of {chosen.volume} GB' if chosen.volume else ''
        print(f'group {chosen.group}: {chosen.attempts[0]}{volume}, {chosen.image}')
        for attempt in chosen.attempts[1:]:
            print(f'  else {attempt}')
        for other in chosen.passed_over:
            print(f'  not {other.name}: {other.reason}')
    if result.cost:
        print(result.cost)
    return _show_plan(result.rows(), as_json)


def _show_plan(rows: Sequence[Mapping[str, Any]], as_json: bool) -> int:
    if as_json:
        cloud_options.print_json(list(rows))
    else:
        for row in rows:
            print(f'{row["action"]} {row["name"]}: {row["reason"]}')
        print(f'{len(rows)} steps, nothing was changed')
    return Exit.PASSED
