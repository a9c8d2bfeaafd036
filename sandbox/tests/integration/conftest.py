"""A whole sandbox for the tests of the cloud: one per session, driven by its own command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode `importlib` does not

from cloud_world import CloudWorld


@pytest.fixture(scope='session')
def cloud() -> Iterator[CloudWorld]:
    """A running sandbox; gone afterwards. SCS_CI_TEST_SANDBOX names one that runs already and stays."""
    given = os.environ.get('SCS_CI_TEST_SANDBOX')
    world = CloudWorld(given or f'c{os.getpid()}')
    try:
        if not given:
            world.demand('up')
        yield world
    finally:
        if not given:
            world.demand('down')
