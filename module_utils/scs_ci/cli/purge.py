"""`scs-ci purge`: delete everything of a run and prove it. By hand it only shows what it would do, without --yes."""

from __future__ import annotations

import argparse

from ..cloud import connect, inventory, purge, stages
from ..core import shape
from ..core.errors import UsageProblem
from ..core.naming import names
from ..core.outcome import Exit
from ..core.progress import Progress
from ..core.run import skip_stage
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
    result = purge.Purge(cloud, options.run_id, say=say, timeout=options.timeout).execute()
    if options.json:
        cloud_options.print_json({'deleted': result.counts(), 'leftovers': shape.dump(result.kept)})
    else:
        counts = ', '.join(f'{number} {kind}' for kind, number in result.counts().items())
        print(f'deleted {counts or "nothing"}; {len(result.kept)} left')
    if problem := stages.leftover_problem(result, options.run_id, cloud.name):
        raise problem
    return Exit.PASSED
