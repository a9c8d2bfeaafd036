"""scs-ci release diff: compare two releases."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..core import shape
from ..core.outcome import Exit
from ..stack import pulling
from ..stack.charts import ChartSource, chart_source
from ..stack.helm import Helm, helm
from ..stack.leaves import Change
from ..stack.registry import Credentials
from ..stack.release_diff import Difference, Side, difference
from ..stack.unpacked import rendered
from .common import add_json
from .each import print_json
from .publish import add_ca

PARTS = ('versions', 'objects', 'values', 'images')
SIGNS = {'added': '+', 'removed': '-', 'changed': '~'}


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, text in (('before', 'the release to compare with'), ('after', 'the other one')):
        parser.add_argument(name, metavar=name.upper(), help=f'{text}: directory, tar.gz or HOST[:PORT]/REPOSITORY:TAG')
    parser.add_argument('--exit-code', action='store_true', help='end with 1 when they differ')
    parser.add_argument('--offline', action='store_true', help='fetch no chart: what it would need is not compared')
    parser.add_argument(
        '--charts', type=Path, metavar='DIR', help='charts as <host>/<path>/index.yaml (or SCS_CI_CHARTS)'
    )
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )
    add_ca(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Exit:
    """Print what differs. 0 also when something does, unless --exit-code; 3 when a chart was not to be had."""
    source = replace(chart_source(options.charts, os.environ), offline=options.offline)
    with helm(options.tools) as program:
        found = difference(*(_side(name, options, program, source) for name in (options.before, options.after)))
    if options.json:
        print_json(shape.dump(found))
    else:
        print('\n'.join(_text(found)) or 'no difference')
    if found.incomplete and not options.offline:
        return Exit.ERROR
    return Exit.FAILED if options.exit_code and not found.empty else Exit.PASSED


def _side(name: str, options: argparse.Namespace, program: Helm, source: ChartSource) -> Side:
    release = pulling.load(name, options.ca, Credentials.of(os.environ))
    return Side(release, rendered(release, program, source), rendered(release, program, source))


def _text(found: Difference) -> Iterator[str]:
    for part in PARTS:
        changes: Sequence[Change] = getattr(found, part)
        if changes:
            yield f'{part}:'
        for change in changes:
            yield from _lines(change)
    if found.incomplete:
        yield 'not compared:'
        yield from (f'  {line}' for line in found.incomplete)


def _lines(change: Change) -> Iterator[str]:
    head = f'  {SIGNS[change.what]} {change.subject}{" " if change.subject and change.place else ""}{change.place}'
    old, new = change.before.splitlines(), change.after.splitlines()
    if len(old) > 1 or len(new) > 1:
        yield head
        changed = list(difflib.unified_diff(old, new, n=1, lineterm=''))[2:]
        yield from (f'      {line}' for line in changed)
    elif change.what == 'changed':
        yield f'{head}: {change.before!r} -> {change.after!r}'
    elif change.before or change.after:
        yield f'{head}: {(change.before or change.after)!r}'
    else:
        yield head
