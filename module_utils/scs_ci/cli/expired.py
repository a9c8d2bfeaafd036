"""`scs-ci purge --expired`: the janitor, for a timer. Without --yes it only shows what it would do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..cloud import builds, connect, janitor, sightings
from ..cloud.door_janitor import remember
from ..cloud.runs import counted
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..core.progress import Progress
from . import cloud_options
from .common import positive

# Options that mean something with --expired only; each is None or empty when it is not given.
ONLY = ('owner', 'zuul', 'state', 'look_again', 'again_after', 'unmarked_hours')


def add(parser: argparse.ArgumentParser) -> None:
    """The options of the janitor."""
    group = parser.add_argument_group('expired runs', 'of every owner, past their expiry, seen twice')
    group.add_argument('--expired', action='store_true', help='purge all expired runs of the project of --cloud')
    group.add_argument('--owner', action='append', default=[], metavar='NAME', help='only runs of these (repeatable)')
    group.add_argument(
        '--zuul', action='append', default=[], metavar='URL',
        help="REST API of a tenant of Zuul, whose running builds' runs are kept (repeatable)",
    )  # fmt: skip
    group.add_argument('--state', type=Path, metavar='FILE', help='what was seen by earlier calls')
    group.add_argument(
        '--look-again', type=positive, metavar='S', help='look twice in this call, S seconds apart, without --state'
    )
    group.add_argument(
        '--again-after', type=positive, metavar='S',
        help=f'least time between both sightings with --state (default: {janitor.AGAIN:g})',
    )  # fmt: skip
    group.add_argument(
        '--unmarked-hours', type=positive, metavar='H',
        help=f'age at which names of runs without any mark count as expired (default: {janitor.UNMARKED_HOURS:g})',
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """One round of the janitor, or what it would do."""
    _demand_sense(options)
    cloud, clock = connect.connect(options.cloud), SystemClock()
    say = Progress(redactor=cloud.redactor).say
    again = options.look_again or options.again_after or janitor.AGAIN
    hours = options.unmarked_hours or janitor.UNMARKED_HOURS
    rules = janitor.Rules(again, hours, tuple(options.owner), options.timeout)
    worker = janitor.Janitor(cloud, rules, say=say, running=lambda: builds.running(options.zuul), clock=clock)
    memory = None if options.look_again else (options.state or sightings.default_file())
    before = sightings.read(memory, cloud.project_id) if memory else {}
    outcome = worker.look_twice(before, again) if options.look_again else worker.look(before)
    if options.yes:
        remember(memory, cloud.project_id, outcome)
        worker.clean(outcome)
        remember(memory, cloud.project_id, outcome)
    return _told(options, cloud.name, janitor.data(outcome, clock.now()), outcome)


def _demand_sense(options: argparse.Namespace) -> None:
    if options.run or options.run_id or options.keep:
        raise UsageProblem('cannot purge', 'expired runs', 'a run is named, too', 'give --expired alone, or the run')
    if not options.cloud:
        raise UsageProblem('cannot purge', 'expired runs', '--cloud is missing', 'name a cloud of clouds.yaml')
    for other in ('state', 'again_after'):
        if options.look_again and getattr(options, other):
            answer = f'--{_spelled(other)} and --look-again'
            raise UsageProblem('cannot purge', 'expired runs', answer, 'give one of them')


def demand_unused(options: argparse.Namespace) -> None:
    """Options of the janitor without --expired would be ignored silently, and more be deleted than was meant."""
    if given := [name for name in ONLY if getattr(options, name) not in (None, [])]:
        option = f'option --{_spelled(given[0])}'
        raise UsageProblem('cannot use', option, 'it is for expired runs', 'add --expired, or leave it out')


def _spelled(name: str) -> str:
    return name.replace('_', '-')


def _told(options: argparse.Namespace, cloud: str, found: Mapping[str, Any], outcome: janitor.Outcome) -> int:
    if options.json:
        cloud_options.print_json(dict(found))
    else:
        for row in found['runs']:
            verb = _verb(row, options.yes)
            print(f'{verb} run {row["run"]} of {row["owner"]} ({counted(row["objects"])}): {row["reason"]}')
        for line in summary(found['owners']):
            print(line)
        print(f'{found["others"]} objects without a mark of a run, untouched{"" if options.yes else "; --yes deletes"}')
    if problem := janitor.problem(outcome, cloud):
        raise problem
    return Exit.PASSED


def _verb(row: Mapping[str, Any], deleting: bool) -> str:
    if not row['due']:
        return 'kept' if deleting else 'would keep'
    return ('purged' if row['deleted'] else 'not purged') if deleting else 'would purge'


def summary(owners: Mapping[str, Mapping[str, float]]) -> list[str]:
    """One line for each owner."""
    return [
        f'owner {name}: {row["runs"]} runs, {row["expired"]} expired, {row["objects"]} objects, '
        f'oldest {row["oldest_hours"]:g} h'
        for name, row in owners.items()
    ]
