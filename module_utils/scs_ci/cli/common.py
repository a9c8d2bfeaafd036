"""Options and output that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core import shape
from ..core.outcome import Exit, exit_code, worst
from ..core.records import Record
from ..core.run import RunDirectory

# Of an option that counts hours or seconds: a century in hours, and what dates can hold.
LARGEST = 1e6


def add_run(parser: argparse.ArgumentParser) -> None:
    """--run DIR and --json, which every stage has."""
    parser.add_argument('--run', type=Path, required=True, metavar='DIR', help='run directory')
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', action='store_true', help='print the result as JSON on standard output')


def add_versions(parser: argparse.ArgumentParser) -> None:
    """--version KEY, for stages that run once per version."""
    parser.add_argument(
        '--version',
        action='append',
        default=[],
        metavar='KEY',
        help='only this version of the plan (repeatable), e.g. openstack-scs2-1-34',
    )


def positive(text: str) -> float:
    """Type of an option: a number above 0, and finite: no limit of a wait is endless."""
    number = float(text)
    if not 0 < number < LARGEST:
        raise argparse.ArgumentTypeError(f'{text} is no number between 0 and {LARGEST:g}')
    return number


def count(text: str) -> int:
    """Type of an option: a whole number from 1."""
    number = int(text)
    if not 1 <= number < LARGEST:
        raise argparse.ArgumentTypeError(f'{text} is no number from 1')
    return number


def open_run(options: argparse.Namespace) -> RunDirectory:
    return RunDirectory.open(options.run)


def is_planned(stage: str, options: argparse.Namespace, directory: RunDirectory) -> bool:
    """Whether a chosen version, one of --version or any, has the stage in the plan: else its inputs are not needed."""
    chosen = [directory.version(key) for key in options.version] or directory.plan().versions
    return any(stage in version.stages for version in chosen)


def show(records: Sequence[Record], as_json: bool) -> Exit:
    """Print one line per record and what to do, or all of them as JSON; return the exit code of the worst."""
    if as_json:
        json.dump(shape.dump(records), sys.stdout, indent=2)
        print()
    else:
        for record in records:
            head = f'{record.version} {record.stage}' if record.version else record.stage
            print(f'{head}: {record.outcome}{": " + record.reason if record.reason else ""}')
            if record.advice:
                print(f'  next: {record.advice}')
    return exit_code(worst(record.outcome for record in records))
