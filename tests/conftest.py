"""What all tests of the product share: one import name for the package, the Go programs, a sandbox."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# An example may take any time on a machine that is busy; what hangs is ended by pytest's own limit.
settings.register_profile('scs-ci', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('scs-ci')

ROOT = Path(__file__).resolve().parents[1]
OUTER = 'ansible.module_utils.'
# The Go programs take 15 minutes on two cores when nothing is cached; others may build at the same time.
TOOLS_SECONDS = 3600
# A sandbox starts within 12 s; the first one on a machine builds image and template (minutes).
UP_SECONDS = 1200
DOWN_SECONDS = 120


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Let ansible.module_utils.scs_ci[.x] be the one imported scs_ci[.x], or classes would exist twice."""

    real_spec: importlib.machinery.ModuleSpec | None = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        ours = name == OUTER + 'scs_ci' or name.startswith(OUTER + 'scs_ci.')
        return importlib.machinery.ModuleSpec(name, self) if ours else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(spec.name.removeprefix(OUTER))
        self.real_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.real_spec  # importlib replaced it by the alias


sys.meta_path.insert(0, Alias())


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. clouds: its clouds.yaml; state: its directory."""

    name: str
    state: Path

    @property
    def clouds(self) -> Path:
        return self.state / 'clouds.yaml'

    def program(self, *words: str | Path) -> list[str]:
        """argv of scs-sandbox about this sandbox.

        Not by bin/scs-sandbox: to look for the environment, in which we are, takes longer than the command itself.
        """
        path = f'PYTHONPATH={ROOT / "module_utils"}:{ROOT / "sandbox"}'
        return ['env', path, sys.executable, '-m', 'scs_sandbox', '--name', self.name, *map(str, words)]

    def command(self, *words: str | Path) -> list[str]:
        """argv that runs `words` inside the lab."""
        return self.program('exec', '--', *words)

    def run(
        self, *words: str | Path, timeout: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside the lab to its end; the exit code is for the caller to judge."""
        return _run(self.command(*words), timeout, {**os.environ, **(env or {})})


def _run(argv: Sequence[str], timeout: float, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
    )


def _demand(done: subprocess.CompletedProcess[str], what: str) -> str:
    assert done.returncode == 0, f'{what}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
    return done.stdout.strip()


@pytest.fixture(scope='session')
def tools() -> Path:
    """Directory of the Go programs, built when they are not there yet."""
    named = os.environ.get('SCS_CI_TOOLS')
    if named:
        return Path(named)
    done = _run([sys.executable, str(ROOT / 'setup/main.py'), 'tools'], TOOLS_SECONDS)
    return Path(_demand(done, 'setup tools').splitlines()[-1])


@pytest.fixture(scope='session')
def sandbox(tools: Path) -> Iterator[Sandbox]:
    """One sandbox for the session; gone afterwards. SCS_CI_TEST_SANDBOX names a running one to use instead."""
    named = os.environ.get('SCS_CI_TEST_SANDBOX')
    name = named or f'test{os.getpid()}'
    home = Path(os.environ.get('SCS_SANDBOX_HOME', '/var/lib/scs-sandbox'))
    program = str(ROOT / 'bin/scs-sandbox')
    try:
        if not named:
            _demand(_run([program, '--name', name, 'up'], UP_SECONDS), 'scs-sandbox up')
        yield Sandbox(name, home / name)
    finally:
        if not named:
            _demand(_run([program, '--name', name, 'down'], DOWN_SECONDS), 'scs-sandbox down')


@pytest.fixture
def faults(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Sets faults of the sandbox's cloud; none are left afterwards."""

    def change(*words: str) -> None:
        _demand(_run(sandbox.program('faults', *words), DOWN_SECONDS), 'scs-sandbox faults')

    def inject(wanted: dict[str, Any]) -> None:
        path = tmp_path / 'faults.json'
        path.write_text(json.dumps(wanted))
        change('set', str(path))

    try:
        yield inject
    finally:
        change('clear')
