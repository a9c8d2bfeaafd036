"""`python3 -m scs_sandbox.charts`: the chart mirror as a process."""

from __future__ import annotations

import sys

from .. import serving
from .server import serve

if __name__ == '__main__':
    sys.exit(serving.main('charts', __doc__, 'charts as <host>/<path>', serve))
