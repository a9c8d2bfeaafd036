"""Where a service of the sandbox finds its files: handed over in the environment by scs_sandbox.cloud.start.
Standard library only."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

STATE = 'SCS_SANDBOX_STATE'
REGION = 'SCS_SANDBOX_REGION'
HOLD = 3600.0  # seconds that an injected hang lasts at most, when the fault itself says nothing


def state(environ: Mapping[str, str] = os.environ) -> Path:
    """Directory of the sandbox. A service without it was not started by the sandbox: KeyError."""
    return Path(environ[STATE])


def agent_socket() -> str:
    """The unix socket of the agent."""
    return str(state() / 'agent.sock')


def console_log(server: str) -> Path:
    """The console of a server, written by the agent's side."""
    return state() / 'servers' / server / 'console.log'


def hosts_record() -> Path:
    """The compute hosts of this region that are down, with the servers that lost power."""
    return state() / 'hosts' / f'{os.environ[REGION]}.json'


def faults(section: str, host: str | None = None, path: Path | None = None) -> dict[str, Any]:
    """One section of faults.json; a host's own entries win. No file: no faults.

    The file is written by `scs-sandbox faults set`, which validates it and renames it into place, so it is whole.
    """
    try:
        document = json.loads((path or state() / 'faults.json').read_text())
    except FileNotFoundError:
        return {}
    found = dict(document.get(section, {}))
    return {**found, **found.pop('hosts', {}).get(host, {})}


def hits(pattern: object, name: str | None) -> bool:
    """Whether a fault with this pattern is meant for an object of that name. No or empty pattern: for none."""
    return bool(pattern) and re.search(str(pattern), name or '') is not None


def hold(still: Callable[[], bool], seconds: float = HOLD) -> None:
    """Hang as long as still() says so, at most seconds: an injected hang ends when its fault is cleared."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and still():
        time.sleep(0.5)
