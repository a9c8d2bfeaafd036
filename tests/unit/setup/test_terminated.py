"""A run of pytest that is ended from outside leaves nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scs_setup import paths

pytestmark = pytest.mark.unit
SECONDS = 60.0  # pytest starts within two; a busy machine needs a multiple

INTERRUPTED = """
import pathlib, time, pytest

@pytest.fixture
def thing():
    pathlib.Path('made').touch()
    yield
    pathlib.Path('made').unlink()
    pathlib.Path('gone').touch()

def test_long(thing):
    time.sleep(600)
"""


def test_fixtures_are_torn_down_after_sigterm(tmp_path: Path) -> None:
    shutil.copy(paths.CHECKOUT / 'conftest.py', tmp_path)
    (tmp_path / 'test_long.py').write_text(INTERRUPTED)
    with subprocess.Popen([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider'], cwd=tmp_path) as process:
        try:
            limit = time.monotonic() + SECONDS
            while not (tmp_path / 'made').exists():
                assert process.poll() is None, 'pytest ended by itself'
                assert time.monotonic() < limit, 'the test did not start'
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == pytest.ExitCode.INTERRUPTED
        finally:
            process.kill()
    assert (tmp_path / 'gone').exists()
    assert not (tmp_path / 'made').exists()
