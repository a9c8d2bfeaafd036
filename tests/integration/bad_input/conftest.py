"""scs-ci as a user calls it, and places that are full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bad_calls import EXAMPLE, ROOT, SECONDS, Call, Said


@pytest.fixture(scope='session')
def environment(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Without a cloud of the caller: no clouds.yaml at home, none named."""
    home = str(tmp_path_factory.mktemp('home'))
    cloudless = {name: value for name, value in os.environ.items() if not name.startswith('OS_')}
    return {**cloudless, 'HOME': home, 'SCS_CI_TOOLS': str(tools), 'PYTHONPATH': str(ROOT / 'module_utils')}


@pytest.fixture
def scs_ci(environment: dict[str, str], tmp_path: Path) -> Call:
    """scs-ci in a directory of its own, without a sandbox."""

    def call(*words: str | Path, env: dict[str, str] | None = None) -> Said:
        done = subprocess.run(
            [sys.executable, '-m', 'scs_ci', *map(str, words)],
            cwd=tmp_path,
            env=environment | (env or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout + done.stderr)

    return call


@pytest.fixture
def run(scs_ci: Call, tmp_path: Path) -> Path:
    """A planned run of the example, of a cloud that is in no file."""
    directory = tmp_path / 'run'
    done = scs_ci('discover', '--run', directory, '--checkout', EXAMPLE, '--cloud', 'nowhere')
    assert done.code == 0, done.text
    return directory


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 256 KiB."""
    place = tmp_path / 'small'
    place.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', place], check=True, timeout=SECONDS)
    try:
        yield place
    finally:
        subprocess.run(['umount', place], check=True, timeout=SECONDS)
