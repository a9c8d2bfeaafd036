"""Programs for the tests of the stack room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stack_tools import ROOT, Registry
from stack_tools import registry as start_registry

from scs_ci.stack.helm import Helm
from scs_ci.stack.helm import helm as open_helm


@pytest.fixture(scope='session')
def tools() -> Path:
    """The Go programs, built when they are not there yet."""
    named = os.environ.get('SCS_CI_TOOLS')
    if named:
        return Path(named)
    script = [sys.executable, ROOT / 'setup/main.py', 'tools']
    done = subprocess.run(script, capture_output=True, text=True, timeout=3600, check=True)
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope='session')
def helm(tools: Path) -> Iterator[Helm]:
    with open_helm(tools) as program:
        yield program


@pytest.fixture(scope='session')
def registry(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets everybody in."""
    with start_registry(tools / 'bin/registry', tmp_path_factory.mktemp('registry')) as running:
        yield running
