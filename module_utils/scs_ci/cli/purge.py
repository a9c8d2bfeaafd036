"""`scs-ci purge`: delete everything of a run and prove it. By hand it only shows what it would do, without --yes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..cloud import connect, inventory, purge, stages
from ..core import shape
from ..core.errors import Problem, UsageProblem
from ..core.naming import names
from ..core.outcome import Exit
from ..core.progress import Progress
from ..core.run import RunDirectory, skip_stage
from ..plane.layout import DEFAULT_STATE
from ..plane.lifecycle import Plane
from . import cloud_options
from .common import add_json, open_run, show

KEPT = "kept as asked for: 'scs-ci purge --run DIR' deletes it"


def arguments(parser: argparse.ArgumentParser) -> None:
    cloud_options.add_cloud(parser)
    cloud_options.add_timeout(parser, purge.TIMEOUT)
    parser.add_argument(
        '--keep', action='store_true', help='with --run: delete nothing, and let the record say that this was wanted'
    )
    parser.add_argument('--yes', action='store_true', help='with --run-id: delete instead of only showing')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if options.keep and not options.run:
        raise UsageProblem('cannot keep', 'a run', '--keep is for a run directory', 'give --run DIR')
    if options.run:
        directory = open_run(options)
        if options.keep:
            return show([skip_stage(directory, 'purge', KEPT)], options.json)
        _forget(_plane_of(directory), directory.names.namespace, directory.progress.say)
        record = stages.run_purge(directory, cloud_options.options(options))
        code = show([record], options.json)
        left = directory.leftovers()
        return Exit.LEFTOVERS if left and left.resources else code
    if not options.run_id or not options.cloud:
        raise UsageProblem('cannot purge', 'a run', 'give --run DIR, or --run-id ID and --cloud NAME', 'see --help')
    names(options.run_id)  # an unusable id is refused before anything is asked
    cloud = connect.connect(options.cloud)
    return _purge(options, cloud) if options.yes else _preview(options, cloud)


def _preview(options: argparse.Namespace, cloud: connect.Cloud) -> int:
    seen = inventory.take(cloud)
    found = purge.plan(options.run_id, seen)
    if options.json:
        cloud_options.print_json({'delete': shape.dump(found), 'missing': seen.missing})
        return Exit.PASSED
    for item in found:
        resource = item.resource
        print(f'would delete {resource.kind} {resource.name or "without name"} ({resource.id}): {item.reason}')
    others = len(seen.resources) - len(found)
    print(f'{len(found)} resources of run {options.run_id}, {others} others untouched; --yes deletes')
    return Exit.PASSED


def _purge(options: argparse.Namespace, cloud: connect.Cloud) -> int:
    say = Progress(redactor=cloud.redactor).say
    _forget(DEFAULT_STATE, names(options.run_id).namespace, say)
    result = purge.Purge(cloud, options.run_id, say=say, timeout=options.timeout).execute()
    if options.json:
        cloud_options.print_json({'deleted': result.counts(), 'leftovers': shape.dump(result.kept)})
    else:
        counts = ', '.join(f'{number} {kind}' for kind, number in result.counts().items())
        print(f'deleted {counts or "nothing"}; {len(result.kept)} left')
    if problem := stages.leftover_problem(result, options.run_id, cloud.name):
        raise problem
    return Exit.PASSED


def _plane_of(directory: RunDirectory) -> Path | None:
    """State directory of the run's own plane; None where somebody else's management cluster has its clusters."""
    record = directory.record('plane')
    if record and record.facts.get('existing'):
        return None
    return Path(record.facts['state']) if record and record.facts.get('state') else DEFAULT_STATE


def _forget(state: Path | None, space: str, say: Callable[[str], None]) -> None:
    """A plane of this host must not make again what the purge deletes; it keeps nobody from deleting, either."""
    if state is None or not (plane := Plane(state)).exists():
        return
    try:
        told = plane.forget(space)
    except Problem as problem:
        say(f'{problem.reason}; the plane may make the clusters again until it is stopped')
        return
    if told is None:
        say(f'plane {state} does not run: its next start forgets the clusters of {space}')
    elif told:
        say(f'plane {state}: {told} clusters of {space} forgotten')
