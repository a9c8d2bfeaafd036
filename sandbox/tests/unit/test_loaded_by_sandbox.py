"""What each command of scs-sandbox loads: `exec` and `faults` run all the time and must not load what `up` needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPT = 'import sys; from scs_sandbox import cli; cli.main(sys.argv[1:]); print("loaded:", *sys.modules)'
SLOW = {'yaml', 'cryptography', 'asyncio', 'tarfile', 'scs_sandbox.lifecycle', 'scs_sandbox.images'}


def loaded(home: Path, *words: str) -> set[str]:
    """Modules after a command about a sandbox that is not up; the directory shall be that of all sandboxes."""
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path), 'SCS_SANDBOX_HOME': str(home)}
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, '--name', 'none', *words],
        env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(done.stdout.rpartition('loaded:')[2].split())


@pytest.mark.parametrize(
    ('words', 'needed'),
    [
        (('exec', 'true'), {'scs_sandbox.lab'}),
        (('status',), {'scs_sandbox.status'}),
        (('logs',), {'scs_sandbox.status'}),
        (('faults', 'show'), {'scs_sandbox.faults'}),
    ],
)
def test_a_command_loads_what_it_needs(words: tuple[str, ...], needed: set[str], tmp_path: Path) -> None:
    found = loaded(tmp_path, *words)
    assert needed <= found
    assert not SLOW & found


def test_what_is_slow_is_known_by_its_name(tmp_path: Path) -> None:
    """A module that was renamed would be missed by the other test for ever."""
    assert loaded(tmp_path, 'image', 'list') | loaded(tmp_path, 'relay', 'nonsense') >= SLOW
