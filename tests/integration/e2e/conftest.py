"""Runs of the main job in the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / 'examples/cluster-stacks'
# A run takes a minute and a half on an idle machine; the machine of a test is not idle.
RUN_SECONDS = 1500
ENV_SECONDS = 600


@dataclass(frozen=True)
class Played:
    """A finished run. code: of ansible-playbook."""

    directory: Path
    code: int
    output: str

    @property
    def verdict(self) -> dict[str, Any]:
        return dict(json.loads((self.directory / 'report/verdict.json').read_text(encoding='utf-8')))

    def stages(self, key: str) -> dict[str, dict[str, Any]]:
        """The stages of the version of that stack path, by name."""
        version = next(version for version in self.verdict['versions'] if version['stack'] == key)
        return {stage['stage']: stage for stage in version['stages']}


@pytest.fixture(scope='session')
def programs() -> Callable[[str], Path]:
    """Directory of the programs of an environment, which is made when it is missing."""

    def directory(name: str) -> Path:
        argv = [sys.executable, str(ROOT / 'setup/main.py'), 'env', name]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=ENV_SECONDS, check=True)
        return Path(done.stdout.strip().splitlines()[-1]) / 'bin'

    return directory


@pytest.fixture(scope='session')
def environment(tools: Path) -> dict[str, str]:
    """What ansible-playbook needs beside the sandbox's own variables."""
    return {
        **os.environ,
        'SCS_CI_TOOLS': str(tools),
        'ANSIBLE_CONFIG': str(ROOT / 'ansible.cfg'),
        'ANSIBLE_NOCOLOR': '1',
    }


@pytest.fixture(scope='session')
def command(sandbox: Any, programs: Callable[[str], Path]) -> Callable[..., list[str]]:
    """argv of a run inside the sandbox."""

    def words(directory: Path, ansible: str = 'product', **variables: Any) -> list[str]:
        extra = json.dumps({'cloud': 'sandbox', 'run_dir': str(directory), **variables})
        return sandbox.command(programs(ansible) / 'ansible-playbook', 'playbooks/e2e.yaml', '--extra-vars', extra)

    return words


@pytest.fixture(scope='session')
def play(command: Callable[..., list[str]], environment: dict[str, str]) -> Callable[..., Played]:
    """Runs the main job to its end."""

    def run(directory: Path, ansible: str = 'product', **variables: Any) -> Played:
        argv = command(directory, ansible, **variables)
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        return Played(directory, done.returncode, done.stdout + done.stderr)

    return run


@pytest.fixture(scope='session')
def scs_ci(sandbox: Any, programs: Callable[[str], Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command scs-ci inside the sandbox."""

    def run(*words: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        argv = [programs('product') / 'python', '-m', 'scs_ci', *words]
        done: subprocess.CompletedProcess[str] = sandbox.run(
            *argv, timeout=timeout, env={'PYTHONPATH': str(ROOT / 'module_utils')}
        )
        return done

    return run


@pytest.fixture(scope='session')
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Variables of a run without nodes: the management plane runs in the lab itself, which saves a minute."""
    state = tmp_path_factory.mktemp('plane')
    return {'plane_host': 'localhost', 'plane_state': str(state), 'topology': {'groups': []}}


@pytest.fixture(scope='session')
def green(play: Callable[..., Played], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The example stack, all the way."""
    return play(tmp_path_factory.mktemp('green') / 'run')
