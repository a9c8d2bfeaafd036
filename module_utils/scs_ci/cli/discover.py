"""scs-ci discover: find the versions in a checkout and write the plan of a run."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.clock import SystemClock
from ..core.errors import Problem, ProductProblem, UsageProblem
from ..core.naming import names, new_run_id
from ..core.outcome import Exit
from ..core.records import RunInfo
from ..core.run import RunDirectory, StageRun, run_stage, timestamp
from ..deploy import target
from ..stack import changes, discover, gitread, planning, treehash
from ..stack.model import Stack
from .common import add_run, positive, show

# Long enough for the slowest tier, short enough that a janitor frees a forgotten run within a day.
EXPIRES_HOURS = 12
COMMIT_DIGITS = 12


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument('--checkout', type=Path, required=True, metavar='PATH', help='checkout of cluster stacks')
    parser.add_argument('--stacks', default='', metavar='LIST', help='only these: paths or globs, separated by commas')
    parser.add_argument(
        '--changed-since', default='', metavar='REF', help='only versions whose content differs from REF'
    )
    parser.add_argument('--cloud', default='', metavar='NAME', help='name in clouds.yaml')
    parser.add_argument('--tier', default='e2e', choices=sorted(planning.TIERS), help='how much to test (default e2e)')
    parser.add_argument('--conformance', action='store_true', help='plan conformance after deploy, too')
    parser.add_argument('--upgrade', action='store_true', help='plan an upgrade to the next release after all that')
    parser.add_argument('--to', type=Path, metavar='PATH', help='checkout with the next release, for --upgrade')
    parser.add_argument(
        '--owner', default=os.environ.get('USER', 'unknown'), metavar='NAME', help='who pays for the run'
    )
    parser.add_argument('--run-id', default='', metavar='ID', help='default: that of the run directory, or a new one')
    parser.add_argument(
        '--expires-hours', type=positive, default=EXPIRES_HOURS, metavar='N', help=f'default {EXPIRES_HOURS}'
    )
    parser.add_argument(
        '--repeat', default='', metavar='COMMAND', help='the command that repeats the run, for the report'
    )


def run(options: argparse.Namespace) -> Exit:
    checkout = Path(options.checkout).absolute()
    # Before anything is written: a wrong path or name must not leave a half-made run directory.
    places = discover.choose(discover.find(checkout), options.stacks.split(','))
    chosen = _reasons(options, checkout, places)
    stacks = [_load(checkout, place) for place in places if place.path in chosen]
    more = [stage for stage in planning.MORE_STAGES if getattr(options, stage)]
    upgraded = _upgraded(stacks, (options.to or checkout).absolute()) if options.upgrade else {}
    plan = planning.make_plan(stacks, chosen, options.tier, more=more, upgraded=upgraded)
    directory = RunDirectory.create(options.run, _info(options, checkout, stacks))
    directory.write_plan(plan)

    def body(state: StageRun) -> None:
        state.facts['versions'] = [f'{v.key} {v.kubernetes} ({v.reason})' for v in plan.versions]
        for version in plan.versions:
            state.say(f'{version.key}: {version.path}, {version.kubernetes or "no version"}, {version.reason}')

    return show([run_stage(directory, 'discover', body)], options.json)


def _upgraded(stacks: Sequence[Stack], checkout: Path) -> dict[str, str]:
    """Kubernetes of the release that follows each stack, by the stack's path; the stage tells of one that has none."""
    offered, found = discover.readable(checkout), {}
    for stack in stacks:
        with contextlib.suppress(Problem):
            found[stack.path] = str(target.choose(stack, offered).stack.version)
    return found


def _reasons(options: argparse.Namespace, checkout: Path, places: tuple[discover.Place, ...]) -> dict[str, str]:
    if not options.changed_since:
        return dict.fromkeys((p.path for p in places), 'asked for' if options.stacks else 'all')
    reasons = changes.changed(checkout, options.changed_since, places)
    if not reasons:
        raise UsageProblem(
            'found no changed version in',
            f'checkout {checkout}',
            f'{len(places)} stacks equal those of {options.changed_since}',
            'compare with an older reference, or leave --changed-since out',
        )
    return reasons


def _load(checkout: Path, place: discover.Place) -> Stack:
    try:
        return discover.load(checkout, place)
    except ProductProblem as problem:
        print(f'scs-ci discover: {problem}', file=sys.stderr)
        return discover.unreadable(place)


def _info(options: argparse.Namespace, checkout: Path, stacks: list[Stack]) -> RunInfo:
    clock = SystemClock()
    existing = RunDirectory.open(options.run).info.id if (options.run / 'run.json').exists() else ''
    identity = options.run_id or existing or new_run_id()
    names(identity)  # refuses an unusable id
    now = clock.now()
    return RunInfo(
        id=identity,
        owner=options.owner,
        created=timestamp(now),
        expires=timestamp(now + datetime.timedelta(hours=options.expires_hours)),
        tier=options.tier,
        checkout=str(checkout),
        commit=gitread.commit(checkout) or _content(stacks),
        cloud=options.cloud,
        repeat=options.repeat or shlex.join(['scs-ci', *sys.argv[1:]]),
    )


def _content(stacks: list[Stack]) -> str:
    """What stands for a commit where there is none: a hash of the chosen stacks."""
    parts = {f'{s.path}/{name}': content for s in stacks for name, content in s.files.items()}
    return f'content-{treehash.tree(parts)[:COMMIT_DIGITS]}'
