"""Where things are: the checkout and the cache outside of it."""

import os
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / 'requirements'
TOOLS = CHECKOUT / 'tools'


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache directory; the XDG rule says that a relative XDG_CACHE_HOME is to be ignored."""
    home = environ.get('XDG_CACHE_HOME', '')
    base = Path(home) if home.startswith('/') else Path(environ.get('HOME', '/root')) / '.cache'
    return base / 'scs-ci'
