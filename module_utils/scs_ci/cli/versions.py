"""scs-ci versions: which versions can be used together, and stating them in stacks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..stack import resolved
from ..stack.resolved import Resolved
from . import version_changes
from .common import add_json
from .version_sources import (
    NEWEST,
    add_archives,
    add_sources,
    add_stacks,
    choose,
    minor,
    minor_of,
    minor_or_newest,
    resolution,
    sources,
    tied_charts,
    usual_charts,
)


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    asking = commands.add_parser(
        'resolve',
        help='the newest usable Kubernetes patch, charts and node image, and why no newer ones are',
        epilog=f'--minor {NEWEST}: the newest minor that has usable versions; without --minor the declared one',
    )
    add_stacks(asking, '*')
    asking.add_argument(
        '--minor', action='append', type=minor_or_newest, metavar='MINOR', help='e.g. 1.34 (repeatable)'
    )
    add_sources(asking)
    add_json(asking)
    asking.set_defaults(act=_resolve)
    _update(commands.add_parser('update', help='state the newest usable versions in stacks, print the difference'))
    _generate(commands.add_parser('generate', help="write a stack per entry of a stack's versions.yaml"))


def _update(parser: argparse.ArgumentParser) -> None:
    add_stacks(parser, '+')
    parser.add_argument('--minor', type=minor, metavar='MINOR', help='go to this minor (default: the declared one)')
    parser.add_argument('--check', action='store_true', help='write nothing; exit code 1 when something would change')
    add_sources(parser)
    add_archives(parser)
    add_json(parser)
    parser.set_defaults(act=version_changes.update)


def _generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('path', type=Path, metavar='PATH', help='the stack, or a checkout with --stack')
    parser.add_argument('--stack', action='append', default=[], metavar='GLOB', help='the stack of a checkout')
    parser.add_argument(
        '--target', action='append', default=[], metavar='VERSION', help='only this version or minor (repeatable)'
    )
    parser.add_argument('--output', type=Path, required=True, metavar='DIR', help='gets a directory for each minor')
    parser.add_argument('--replace', action='store_true', help='replace directories that have another content')
    add_sources(parser)
    add_archives(parser)
    add_json(parser)
    parser.set_defaults(act=version_changes.make)


def run(options: argparse.Namespace) -> Exit:
    code: Exit = options.act(options)
    return code


def _resolve(options: argparse.Namespace) -> Exit:
    """Exit code 1 when one of the minors has no usable versions."""
    if not options.paths and not options.minor:
        advice = 'give --minor 1.34, or the path of a stack'
        raise UsageProblem('cannot resolve versions', 'of nothing', 'neither PATH nor --minor', advice)
    stacks = choose(options)
    wanted = {one.name: tied_charts(one.stack) for one in stacks} or {'': usual_charts()}
    asked = sources(options, [repository for charts in wanted.values() for repository in charts.values()])
    found = [
        Resolved(resolution(of, wanted[one.name], asked), one.name, str(one.stack.version))
        for one in stacks
        for of in options.minor or [minor_of(one.stack)]
    ]
    found += [Resolved(resolution(of, wanted[''], asked)) for of in (options.minor if not stacks else ())]
    print(json.dumps(resolved.document(found), indent=2) if options.json else resolved.text(found))
    return Exit.PASSED if all(one.resolution.usable for one in found) else Exit.FAILED
