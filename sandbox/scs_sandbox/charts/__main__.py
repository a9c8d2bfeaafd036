"""`python3 -m scs_sandbox.charts`: the chart mirror as a process."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..cache import cache_home
from ..errors import SandboxError
from .server import serve


def main() -> int:
    """Serve until told to end; 3 with a message when that is impossible."""
    parser = argparse.ArgumentParser(prog='python3 -m scs_sandbox.charts', description=__doc__)
    parser.add_argument('--state', type=Path, required=True, metavar='DIR', help='CA and access log')
    parser.add_argument('--listen', required=True, metavar='ADDRESS:PORT')
    parser.add_argument('--namespace', type=Path, metavar='PATH', help='network namespace to listen in')
    parser.add_argument(
        '--directory', type=Path, metavar='DIR', help='charts as <host>/<path>; default: the real hosts'
    )
    parser.add_argument('--cache', type=Path, default=cache_home() / 'charts', metavar='DIR', help='of the real hosts')
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(':')
    try:
        if options.directory and not options.directory.is_dir():
            raise SandboxError(
                'cannot mirror charts from', str(options.directory), 'no such directory', 'correct --directory'
            )
        serve(options.state, (host, int(port)), options.namespace, options.cache, options.directory)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == '__main__':
    sys.exit(main())
