"""Where what can be made again is kept. No pathlib: this is loaded before anything else, at every start."""

from __future__ import annotations

import os
from collections.abc import Mapping


def directory(environment: Mapping[str, str]) -> str:
    """${XDG_CACHE_HOME:-~/.cache}/scs-ci, not created; begins with ~ where no home is known."""
    base = environment.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')  # noqa: PTH111 - HOME may be unset
    return os.path.join(base, 'scs-ci')  # noqa: PTH118 - see above
