"""scs-ci report: turn a run directory into a verdict."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..report import read, write
from ..report.comment import comment
from ..report.verdict import verdict
from .common import add_run


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument('--exit-only', action='store_true', help='write nothing, exit with the verdict')
    parser.add_argument('--prefix', default='', metavar='PATH', help="path of the run directory below Zuul's log URL")


def run(options: argparse.Namespace) -> int:
    """The exit code is the verdict of the run."""
    path: Path = options.run
    result = read(path)
    if not options.exit_only:
        place = write(path, result, options.prefix)
        if options.json:
            json.dump(verdict(result), sys.stdout, indent=2)
            print()
        else:
            print(comment(result), end='')
            print(f'\n{place / "index.html"}')
    return int(result.exit)
