"""A real management plane in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(Path(__file__).parent))

from plane_host import PlaneHost  # noqa: E402 -- its folder is not on the path under import mode importlib


@pytest.fixture(scope='session')
def plane_tools() -> Path:
    """The Go programs, built when they are not there yet."""
    named = os.environ.get('SCS_CI_TOOLS')
    if named:
        return Path(named)
    script = [sys.executable, ROOT / 'setup/main.py', 'tools']
    done = subprocess.run(script, capture_output=True, text=True, timeout=3600, check=True)
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope='module')
def host(tmp_path_factory: pytest.TempPathFactory, plane_tools: Path) -> Iterator[PlaneHost]:
    """A network namespace that stands for a host, without a plane; nothing of it stays, whatever happens."""
    host = PlaneHost(f'scs-ci-test-plane-{os.getpid()}', tmp_path_factory.mktemp('plane') / 'state', plane_tools)
    host.create()
    try:
        yield host
    finally:
        host.remove()
