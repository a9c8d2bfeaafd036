"""What each command of scs-ci loads: a library that takes long to load is loaded by commands that use it alone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPT = 'import sys; from scs_ci import cli; cli.main(sys.argv[1:]); print("loaded:", *sys.modules)'
SLOW = {'kubernetes', 'cryptography', 'openstack', 'oras', 'rich', 'ansible', 'jinja2', 'requests'}


def loaded(*words: str | Path) -> set[str]:
    """Modules after the command has ended, well or not."""
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, *map(str, words)],
        env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(done.stdout.rpartition('loaded:')[2].split())


@pytest.mark.parametrize(
    'words',
    [
        ('rules',),
        ('plane', 'status', '--state', 'nowhere'),
        ('plane', 'down', '--state', 'nowhere'),
        ('purge', '--run', 'nowhere'),
        ('nodes', 'list', '--run', 'nowhere'),
        ('check', 'nowhere'),
        ('discover', '--run', 'nowhere', '--checkout', 'nowhere'),
        ('deploy', '--run', 'nowhere'),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_use(words: tuple[str, ...], tmp_path: Path) -> None:
    found = loaded(*(tmp_path / word if word == 'nowhere' else word for word in words))
    assert f'scs_ci.cli.{words[0]}' in found
    assert not SLOW & found


def test_what_is_slow_is_known_by_its_name() -> None:
    """A library that is called otherwise would be missed by the other test for ever."""
    assert [name for name in SLOW if importlib.util.find_spec(name) is None] == []
