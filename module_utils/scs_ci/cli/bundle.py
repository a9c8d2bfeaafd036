"""`scs-ci bundle`: archives that bring scs-ci to a plane host; what the role ensure-scs-ci pushes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..core import shape
from ..core.outcome import Exit
from ..plane import bundle
from .common import add_json

CHECKOUT = Path(__file__).resolve().parents[3]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--python', required=True, metavar='X.Y', help="the host's Python, e.g. 3.11")
    parser.add_argument('--machine', required=True, metavar='NAME', help="the host's machine, e.g. x86_64")
    parser.add_argument('--tools', type=Path, metavar='DIR', help='bundle the programs of this directory, too')
    parser.add_argument('--checkout', type=Path, default=CHECKOUT, metavar='DIR', help='scs-ci (default: this one)')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print where the archives are."""
    cache = bundle.cache_root()
    found = {
        'packages': bundle.packages(options.checkout, options.python, options.machine, cache),
        'code': bundle.code(options.checkout, cache),
    }
    if options.tools:
        found['tools'] = bundle.tools(options.tools.absolute(), cache)
    if options.json:
        json.dump(shape.dump(found), sys.stdout, indent=2)
        print()
    else:
        for made in found.values():
            print(f'{made.name}: {made.path}')
    return Exit.PASSED
