"""`scs-ci parcel`: what a run needs on its plane host; what the role push-run brings there."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..core.run import RunDirectory
from ..plane import carrier, parcel


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--run', type=Path, required=True, metavar='DIR', help='run directory')
    parser.add_argument('--checkout', type=Path, required=True, metavar='DIR', help='checkout of cluster stacks')
    parser.add_argument('--place', required=True, metavar='DIR', help='where everything is to be on the plane host')
    parser.add_argument('--clouds', type=Path, required=True, metavar='FILE', help='clouds.yaml')
    parser.add_argument('--cloud', required=True, metavar='NAME', help='the only cloud whose credential is packed')
    parser.add_argument('--charts', type=Path, metavar='DIR', help='charts of upstream')
    parser.add_argument('--next', type=Path, metavar='DIR', help='checkout with the next release')
    parser.add_argument('--proxy-ca', type=Path, metavar='FILE', help='CA of the proxy')
    parser.add_argument('--waivers', type=Path, metavar='FILE', help='specs that may fail')
    parser.add_argument('--baseline', type=Path, metavar='FILE', help='JSON of an earlier check')
    parser.add_argument(
        '--variables',
        action='store_true',
        help='read cluster variables from standard input, as JSON: they may be secret',
    )
    parser.add_argument(
        '--script', type=Path, metavar='FILE', help='shell script that unpacks there (default: write onto this host)'
    )


def run(options: argparse.Namespace) -> int:
    """Print the path of the script that carries everything; its directory is the caller's to remove."""
    contents = _contents(options)
    if not options.script:
        parcel.lay(contents, Path(options.place))
        return Exit.PASSED
    with carrier.fresh('scs-ci-parcel-') as directory:
        made = directory / 'parcel.sh'
        with carrier.written(made, options.script, {'place': options.place}) as file:
            parcel.pack(contents, options.place, file)
        print(made, flush=True)  # it must not stay where nobody hears of it
    return Exit.PASSED


def _contents(options: argparse.Namespace) -> parcel.Contents:
    RunDirectory.open(options.run)
    return parcel.Contents(
        run=options.run,
        checkout=options.checkout,
        cloud=options.cloud,
        entry=parcel.entry(options.clouds, _secure(options.clouds), options.cloud),
        variables=_variables() if options.variables else {},
        charts=options.charts,
        next=options.next,
        proxy_ca=options.proxy_ca,
        waivers=options.waivers,
        baseline=options.baseline,
    )


def _secure(clouds: Path) -> Path:
    """Which may not exist. openstacksdk looks there wherever clouds.yaml is, which may have been found by a link."""
    named = os.environ.get('OS_CLIENT_SECURE_FILE')
    places = [clouds.parent, Path(), Path(os.path.expanduser('~/.config/openstack')), Path('/etc/openstack')]  # noqa: PTH111 - HOME may be unset
    found = (place / 'secure.yaml' for place in places if (place / 'secure.yaml').is_file())
    return Path(named) if named else next(found, clouds.parent / 'secure.yaml')


def _variables() -> dict[str, Any]:
    try:
        found = json.load(sys.stdin)
    except ValueError:
        found = None
    if not isinstance(found, dict):  # without quoting them: they may be secret
        raise UsageProblem(
            'cannot read', 'cluster variables on standard input', 'they are no JSON object', 'correct them'
        )
    return found
