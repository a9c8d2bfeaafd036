"""`scs-ci bundle`: archives that bring scs-ci to a plane host; what the role ensure-scs-ci pushes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..plane import bundle, carrier
from .common import add_json

INSTALLER = '.bundle-installer-'
CHECKOUT = Path(__file__).resolve().parents[3]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--python', required=True, metavar='X.Y', help="the host's Python, e.g. 3.11")
    parser.add_argument('--machine', required=True, metavar='NAME', help="the host's machine, e.g. x86_64")
    parser.add_argument('--tools', type=Path, metavar='DIR', help='bundle the programs of this directory, too')
    parser.add_argument('--checkout', type=Path, default=CHECKOUT, metavar='DIR', help='scs-ci (default: this one)')
    install = parser.add_argument_group('for an installer, unless the host has everything')
    install.add_argument('--script', type=Path, metavar='FILE', help='shell script that installs')
    install.add_argument('--prefix', metavar='DIR', help='where the archives are to be on the host')
    install.add_argument('--bin', metavar='DIR', help='where the command is to be on the host')
    install.add_argument('--host-tools', metavar='DIR', help='where the host has programs of its own')
    install.add_argument(
        '--have', metavar='JSON', default='{}', help='what it has: {"names": [...] below the prefix, "command": text}'
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print where the archives are, and the installer; its directory is the caller's to remove."""
    cache = bundle.cache_root()
    found = {
        'packages': bundle.packages(options.checkout, options.python, options.machine, cache),
        'code': bundle.code(options.checkout, options.python, cache),
    }
    if options.tools:
        found['tools'] = bundle.tools(options.tools.absolute(), cache)
    told: dict[str, Any] = shape.dump(found)
    if options.script:
        told['installer'] = _installer(options, found, cache)
    if options.json:
        json.dump(told, sys.stdout, indent=2)
        print()
    else:
        for made in found.values():
            print(f'{made.name}: {made.path}')
        if told.get('installer'):
            print(f'installer: {told["installer"]}')
    return Exit.PASSED


def _installer(options: argparse.Namespace, found: Mapping[str, bundle.Bundle], cache: Path) -> str:
    """Path of a new file; empty when the host has everything as it is to be."""
    place = bundle.Place(options.prefix, options.bin, options.host_tools)
    try:
        have = json.loads(options.have)
        names, command = set(have.get('names', ())), have.get('command', '')
    except (ValueError, AttributeError, TypeError):
        raise UsageProblem('cannot read', f'--have {options.have}', 'it is no such JSON', 'see --help') from None
    if all(made.name in names for made in found.values()) and command == bundle.command(place, found):
        return ''
    bundle.forget(cache, INSTALLER)
    with carrier.fresh(INSTALLER, cache) as directory:
        made = directory / 'install.sh'
        bundle.installer(made, options.script, place, found, names)
    return str(made)
