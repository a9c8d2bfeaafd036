"""`python3 -m scs_sandbox.registries`: the mirror of registries as a process."""

from __future__ import annotations

import sys

from .. import serving
from .server import serve

if __name__ == '__main__':
    sys.exit(serving.main('registries', __doc__, 'OCI layouts as <registry>/<repository>', serve))
