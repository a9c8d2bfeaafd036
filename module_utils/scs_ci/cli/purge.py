"""`scs-ci purge`: delete everything of a run, or of all expired runs, and prove it.

By hand it only shows what it would do, without --yes.
"""

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
from . import cloud_options, expired
from .common import add_json, open_run, show

KEPT = "kept as asked for: 'scs-ci purge --run DIR' deletes it"
EXAMPLES = 3  # names of kept objects in one line: enough to recognize whose they are


def arguments(parser: argparse.ArgumentParser) -> None:
    cloud_options.add_cloud(parser)
    cloud_options.add_timeout(parser, purge.TIMEOUT)
    parser.add_argument(
        '--keep', action='store_true', help='with --run: delete nothing, and let the record say that this was wanted'
    )
    parser.add_argument(
        '--yes', action='store_true', help='with --run-id and --expired: delete instead of only showing'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='only show what would go, what would stay, and why (as without --yes)'
    )
    add_json(parser)
    expired.add(parser)


def run(options: argparse.Namespace) -> int:
    if options.keep and not options.run:
        raise UsageProblem('cannot keep', 'a run', '--keep is for a run directory', 'give --run DIR')
    if options.dry_run and (options.keep or options.yes):
        raise UsageProblem('cannot purge', 'a run', '--dry-run with --yes or --keep', 'give one of them')
    if options.expired:
        return expired.run(options)
    expired.demand_unused(options)
    if options.run:
        return _run_directory(options)
    if not options.run_id or not options.cloud:
        raise UsageProblem(
            'cannot purge', 'a run', 'give --run DIR, or --cloud NAME with --run-id ID or --expired', 'see --help'
        )
    names(options.run_id)  # an unusable id is refused before anything is asked
    cloud = connect.connect(options.cloud)
    return _purge(options, cloud) if options.yes else _preview(options, cloud, options.run_id)


def _run_directory(options: argparse.Namespace) -> int:
    directory = open_run(options)
    if options.keep:
        return show([skip_stage(directory, 'purge', KEPT)], options.json)
    if options.dry_run:
        return _preview(options, connect.connect(options.cloud or directory.info.cloud), directory.info.id)
    _forget(_plane_of(directory), directory.names.namespace, directory.progress.say)
    record = stages.run_purge(directory, cloud_options.options(options))
    code = show([record], options.json)
    left = directory.leftovers()
    return Exit.LEFTOVERS if left and left.resources else code


def _preview(options: argparse.Namespace, cloud: connect.Cloud, run_id: str) -> int:
    seen, _ = inventory.look(cloud)
    shown = purge.preview(run_id, seen)
    if options.json:
        cloud_options.print_json(
            {'delete': shape.dump(shown.delete), 'keep': shape.dump(shown.keep), 'missing': shown.unknown}
        )
        return Exit.PASSED
    for item in shown.delete:
        resource = item.resource
        print(f'would delete {resource.kind} {resource.name or "without name"} ({resource.id}): {item.reason}')
    _show_kept(shown)
    print(f'{len(shown.delete)} resources of run {run_id}, {len(shown.keep)} others untouched; --yes deletes')
    return Exit.PASSED


def _show_kept(shown: purge.Preview) -> None:
    """One line for each kind and reason: a project may hold thousands of objects."""
    groups: dict[tuple[str, str], list[str]] = {}
    for item in shown.keep:
        groups.setdefault((item.resource.kind, item.reason), []).append(item.resource.name or item.resource.id)
    for (kind, reason), called in sorted(groups.items()):
        more = ', …' if len(called) > EXAMPLES else ''
        print(f'would keep {len(called)} {kind} ({", ".join(called[:EXAMPLES])}{more}): {reason}')
    for kind, reason in shown.unknown.items():
        print(f'not looked at: {kind}: {reason}')


def _purge(options: argparse.Namespace, cloud: connect.Cloud) -> int:
    say = Progress(redactor=cloud.redactor).say
    _forget(DEFAULT_STATE, names(options.run_id).namespace, say)
    result = purge.Purge(cloud, options.run_id, say=say, timeout=options.timeout).execute()
    others = result.others(options.run_id)
    changed = others.by_kind() if others else {}
    if options.json:
        cloud_options.print_json(
            {'deleted': result.counts(), 'leftovers': shape.dump(result.kept), 'others_changed': changed}
        )
    else:
        counts = ', '.join(f'{number} {kind}' for kind, number in result.counts().items())
        print(f'deleted {counts or "nothing"}; {len(result.kept)} left')
        for kind, change in changed.items():
            for word, called in change.items():
                print(f'meanwhile {word} by others: {kind} {", ".join(called)}')
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
