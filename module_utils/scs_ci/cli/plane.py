"""`scs-ci plane`: start, stop and look at the management plane of this host."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.errors import Problem, ToolProblem, UsageProblem
from ..core.naming import names
from ..core.outcome import Exit, exit_code
from ..core.run import RunDirectory, StageRun, run_stage
from ..plane import programs
from ..plane.layout import DEFAULT_STATE, Settings
from ..plane.lifecycle import Plane, service_names
from ..plane.status import Status, reason, status, table
from .common import add_json, show

LOG_LINES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    up = verbs.add_parser('up', help='start what does not run, wait until everything works')
    _common(up)
    up.add_argument('--run', type=Path, metavar='DIR', help='run directory for the record of stage plane')
    up.add_argument(
        '--tools', type=Path, metavar='DIR', help=f'directory of the programs (default: {programs.VARIABLE})'
    )
    up.add_argument('--cso', type=Path, metavar='FILE', help='another cluster stack operator than the built one')
    up.add_argument(
        '--kubeconfig', type=Path, metavar='FILE', help='existing management cluster: start only the registry'
    )
    up.add_argument('--https-proxy', default='', metavar='URL', help='how the operator reaches chart repositories')
    up.add_argument('--proxy-ca', type=Path, metavar='FILE', help='CA that this proxy signs with')
    up.add_argument(
        '--no-proxy', default='', metavar='LIST', help="what must not go there, above all the clusters' networks"
    )
    _common(verbs.add_parser('restart', help='stop everything and start it again as it was'))
    _common(verbs.add_parser('status', help='processes, versions, addresses; exit code 3 when it is not ready'))
    down = verbs.add_parser('down', help='stop every process')
    _common(down)
    down.add_argument('--delete', action='store_true', help='delete all data, too')
    forget = verbs.add_parser('forget', help='never make the clusters of a run again, which a purge deletes')
    _common(forget)
    forget.add_argument('--run-id', required=True, metavar='ID', help='id of the run')
    logs = verbs.add_parser('logs', help='the end of the logs')
    _common(logs)
    logs.add_argument('names', nargs='*', metavar='PROCESS', help='only these (default: all)')
    logs.add_argument('-n', '--lines', type=int, default=LOG_LINES, help='lines of each (default: %(default)s)')


def run(options: argparse.Namespace) -> int:
    plane = Plane(options.state)
    verbs = {'up': _up, 'restart': _restart, 'status': _status, 'down': _down, 'forget': _forget, 'logs': _logs}
    return int(verbs[options.verb](plane, options))


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--state', type=Path, default=DEFAULT_STATE, metavar='DIR', help='state directory (default: %(default)s)'
    )
    add_json(parser)


def _up(plane: Plane, options: argparse.Namespace) -> int:
    """With --json one object: whether it was ready before, its status and, of a run, the record; also when it fails."""
    settings = _settings(options)
    told: dict[str, Any] = {'ready_before': _ready(plane)} if options.json else {}
    try:
        if options.run:
            return _recorded(plane, settings, options, told)
        plane.up(settings)
        found = status(plane)
        told |= shape.dump(found)
        return _verdict(found) if options.json else _show(found, False)
    finally:
        if options.json:
            print(json.dumps(told, indent=2))


def _ready(plane: Plane) -> bool:
    try:
        return status(plane).ready
    except Problem:  # there never was one, or what is wrong is for the start to tell
        return False


def _recorded(plane: Plane, settings: Settings, options: argparse.Namespace, told: dict[str, Any]) -> int:
    """As stage plane of a run."""
    directory = RunDirectory.open(options.run)
    plane.progress = directory.progress
    record = run_stage(directory, 'plane', lambda stage: _stage(plane, settings, stage, told))
    told['record'] = shape.dump(record)
    return exit_code(record.outcome) if options.json else show([record], False)


def _stage(plane: Plane, settings: Settings, stage: StageRun, told: dict[str, Any]) -> None:
    """Body of stage plane: the facts are what the later stages on this host need."""
    stage.facts['versions'] = plane.up(settings)
    found = status(plane)
    told |= shape.dump(found)
    kept = ('kubeconfig', 'registry', 'ca', 'logs', 'state', 'memory', 'open_ports')
    stage.facts.update({name: value for name, value in told.items() if name in kept})
    stage.facts['existing'] = bool(settings.kubeconfig)
    if not found.ready:
        raise ToolProblem('cannot use', 'management plane', reason(found), "see 'scs-ci plane status'")


def _restart(plane: Plane, options: argparse.Namespace) -> int:
    settings = plane.settings()
    plane.down()
    plane.up(settings)
    return _show(status(plane), options.json)


def _status(plane: Plane, options: argparse.Namespace) -> int:
    return _show(status(plane), options.json)


def _down(plane: Plane, options: argparse.Namespace) -> int:
    killed = plane.down(options.delete)
    if options.json:
        print(json.dumps({'killed': killed, 'deleted': options.delete}))
    elif killed:
        print(f'stopped; these did not end by themselves and were killed: {", ".join(killed)}')
    else:
        print('stopped')
    return Exit.PASSED


def _forget(plane: Plane, options: argparse.Namespace) -> int:
    space = names(options.run_id).namespace
    plane.settings()  # a directory without a plane is a slip of the finger
    told = plane.forget(space)
    if options.json:
        print(json.dumps({'namespace': space, 'clusters': told}))
    else:
        print(f'{told} clusters of {space} forgotten' if told is not None else f'the next start forgets {space}')
    return Exit.PASSED


def _logs(plane: Plane, options: argparse.Namespace) -> int:
    known = service_names(plane.settings())
    unknown = [name for name in options.names if name not in known]
    if unknown:
        raise UsageProblem('cannot find', f'process {unknown[0]}', f'there are {", ".join(known)}', 'use one of these')
    found = {name: plane.processes.last_lines(name, options.lines) for name in options.names or known}
    if options.json:
        print(json.dumps(found, indent=2))
        return Exit.PASSED
    for name, text in found.items():
        print(f'==> {name}: {plane.layout.log(name)}\n{text}\n')
    return Exit.PASSED


def _settings(options: argparse.Namespace) -> Settings:
    """Absolute paths: the settings are stored, and a later command may be called from elsewhere."""
    files = {name: getattr(options, name) for name in ('cso', 'kubeconfig', 'proxy_ca')}
    for name, path in files.items():
        if path and not path.is_file():
            raise UsageProblem('cannot read', f'file {path}', 'no such file', f'fix --{name.replace("_", "-")}')
    settings = Settings(
        str(programs.directory(options.tools)), https_proxy=options.https_proxy, no_proxy=options.no_proxy
    )
    return replace(settings, **{name: str(path.absolute()) for name, path in files.items() if path})


def _show(found: Status, as_json: bool) -> int:
    if as_json:
        json.dump(shape.dump(found), sys.stdout, indent=2)
        print()
    else:
        print(table(found))
    return _verdict(found)


def _verdict(found: Status) -> int:
    return Exit.PASSED if found.ready else Exit.ERROR
