"""A real management plane in a network namespace of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plane_host import PlaneHost


@pytest.fixture(scope='session')
def host(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[PlaneHost]:
    """A network namespace that stands for a host; nothing of it stays, whatever happens.

    Each file begins and ends without a running plane. The state of the first one is that of all, for a plane starts
    with half the processor time where its definitions are already.
    """
    host = PlaneHost(f'scs-ci-test-plane-{os.getpid()}', tmp_path_factory.mktemp('plane') / 'state', tools)
    host.create()
    try:
        yield host
    finally:
        host.remove()
