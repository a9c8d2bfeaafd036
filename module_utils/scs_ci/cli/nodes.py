"""`scs-ci nodes up|list|down`: test nodes of a run."""

from __future__ import annotations

import argparse
import datetime
import getpass
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..cloud import connect, inventory, keys, nodes, purge, stages
from ..cloud.marks import Mark
from ..core import shape
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.naming import new_run_id
from ..core.outcome import Exit
from ..core.progress import Progress
from ..core.run import timestamp
from . import cloud_options
from .common import add_json, open_run, positive, show

HOURS = 6.0  # a working day by hand; a janitor may delete them afterwards


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('action', choices=('up', 'list', 'down'), help='provision, show or delete')
    cloud_options.add_cloud(parser)
    cloud_options.add_topology(parser)
    cloud_options.add_timeout(parser, nodes.TIMEOUT)
    parser.add_argument(
        '--key-dir', type=Path, metavar='DIR', help="for the run's private key (default: below XDG_STATE_HOME)"
    )
    parser.add_argument(
        '--hours', type=positive, default=HOURS, help='life of the nodes without --run (default: %(default)g)'
    )
    parser.add_argument('--dry-run', action='store_true', help='up, down: print the plan and change nothing')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    action = {'up': _up, 'list': _list, 'down': _down}[options.action]
    return action(options)


def _up(options: argparse.Namespace) -> int:
    chosen = cloud_options.options(options)
    if options.run and not options.dry_run:
        record = stages.run_provision(open_run(options), chosen)
        if not options.json:
            _show_nodes(record.facts.get('nodes', []))
        return show([record], options.json)
    cloud = connect.connect(_cloud(options))
    request = _request(options, chosen)
    if options.dry_run:
        return _show_plan(nodes.preview(cloud, request).rows(), options.json)
    if not options.json:
        print(f'run {request.mark.run}')
    result = nodes.present(cloud, request)
    if options.json:
        cloud_options.print_json({'run': request.mark.run, 'plan': result.rows(), 'nodes': result.data()})
    else:
        _show_nodes(result.data())
    return Exit.PASSED


def _list(options: argparse.Namespace) -> int:
    found = nodes.listed(connect.connect(_cloud(options)), _run_id(options))
    if options.json:
        cloud_options.print_json(found)
    else:
        for node in found:
            print(f'{node["name"]}  {node["status"]}  {node["flavor"]}  {node["image"]}  {node["zone"]}')
        print(f'{len(found)} nodes')
    return Exit.PASSED


def _down(options: argparse.Namespace) -> int:
    run_id, cloud = _run_id(options), connect.connect(_cloud(options))
    if options.dry_run:
        found = purge.plan(run_id, inventory.take(cloud), purge.nodes_only)
        rows = [{'action': 'delete', 'name': f'{o.resource.kind} {o.resource.name}', 'reason': o.reason} for o in found]
        return _show_plan(rows, options.json)
    progress = Progress(redactor=cloud.redactor)
    result = purge.Purge(cloud, run_id, say=progress.say, timeout=options.timeout, only=purge.nodes_only).execute()
    if options.json:
        cloud_options.print_json({'deleted': result.counts(), 'leftovers': shape.dump(result.kept)})
    if problem := stages.leftover_problem(result, run_id, cloud.name):
        raise problem
    return Exit.PASSED


def _request(options: argparse.Namespace, chosen: stages.Options) -> nodes.Request:
    if options.run:
        return stages.request(open_run(options), chosen)
    clock = SystemClock()
    run_id = options.run_id or new_run_id()
    expires = timestamp(clock.now() + datetime.timedelta(hours=options.hours))
    return nodes.Request(
        mark=Mark(run_id, getpass.getuser(), expires),
        topology=chosen.topology,
        key_dir=chosen.key_dir or keys.default_directory(run_id),
        public_key=chosen.public_key,
        timeout=chosen.timeout,
        say=Progress(clock=clock).say,
    )


def _cloud(options: argparse.Namespace) -> str:
    name = options.cloud or (open_run(options).info.cloud if options.run else '')
    if not name:
        raise UsageProblem('cannot work on', 'nodes', 'neither --cloud nor --run given', 'name a cloud of clouds.yaml')
    return str(name)


def _run_id(options: argparse.Namespace) -> str:
    if options.run:
        return open_run(options).info.id
    if not options.run_id:
        raise UsageProblem(
            'cannot tell', 'which nodes', 'neither --run-id nor --run given', 'give the id that `nodes up` printed'
        )
    return str(options.run_id)


def _show_nodes(found: Sequence[Mapping[str, Any]]) -> None:
    for node in found:
        key = f'  -i {node["key_file"]}' if node['key_file'] else ''
        print(f'{node["name"]}  {node["user"]}@{node["address"]}{key}  {node["flavor"]}  {node["image"]}')


def _show_plan(rows: Sequence[Mapping[str, Any]], as_json: bool) -> int:
    if as_json:
        cloud_options.print_json(list(rows))
    else:
        for row in rows:
            print(f'{row["action"]} {row["name"]}: {row["reason"]}')
        print(f'{len(rows)} steps, nothing was changed')
    return Exit.PASSED
