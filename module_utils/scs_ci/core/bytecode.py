"""Where compiled modules are kept when nothing may be written beside their sources, as images of CI often demand.

Compiling all modules of a check anew takes 0.3 s of each start on slow cores.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress

from . import caching

# Whoever may write there decides what we run.
OTHERS = stat.S_IWGRP | stat.S_IWOTH


def keep(environment: Mapping[str, str]) -> None:
    """From now on compiled modules go into the cache, if they would go nowhere. A directory of others is not used."""
    if not sys.dont_write_bytecode or sys.pycache_prefix:
        return
    place = os.path.join(caching.directory(environment), 'bytecode')  # noqa: PTH118 - pathlib is not loaded yet
    with suppress(OSError):
        os.makedirs(place, mode=0o700, exist_ok=True)  # noqa: PTH103 - the same
        state = os.stat(place)  # noqa: PTH116 - the same
        if os.path.isabs(place) and state.st_uid == os.geteuid() and not state.st_mode & OTHERS:  # noqa: PTH117
            sys.pycache_prefix, sys.dont_write_bytecode = place, False
