"""A plane in a sandbox for the session, and runs that leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode `importlib` does not

from fault_runs import ROOT, Lab, Run, new_run

# With Kubernetes machines; the first one on a host builds their images, which takes minutes.
UP_SECONDS = 2400
DOWN_SECONDS = 120
MINOR = '1.34'


def _in(name: str, state: Path, tools: Path) -> Iterator[Lab]:
    lab = Lab(name, state, tools)
    try:
        lab.plane_up()
        yield lab
    finally:
        lab.call('plane', 'down', '--state', state, '--delete')


@pytest.fixture(scope='module')
def lab(sandbox: Any, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A plane in the session's sandbox, whose machines are simulated; others have planes in that sandbox afterwards."""
    yield from _in(sandbox.name, tmp_path_factory.mktemp('plane') / 'state', tools)


@pytest.fixture(scope='session')
def machines(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A plane in a sandbox with Kubernetes machines; SCS_CI_TEST_MACHINES names a running one to use instead, and
    SCS_CI_TEST_PLANE the state of the plane that runs in it, which stays."""
    named, plane = os.environ.get('SCS_CI_TEST_MACHINES'), os.environ.get('SCS_CI_TEST_PLANE')
    if named and plane:
        yield Lab(named, Path(plane), tools)
        return
    name = named or f'faults{os.getpid()}'
    program = [str(ROOT / 'bin/scs-sandbox'), '--name', name]
    try:
        if not named:
            subprocess.run([*program, 'up', '--machines', MINOR], check=True, timeout=UP_SECONDS)
        yield from _in(name, tmp_path_factory.mktemp('plane') / 'state', tools)
    finally:
        if not named:
            subprocess.run([*program, 'down'], check=True, timeout=DOWN_SECONDS)


@pytest.fixture
def of(tmp_path: Path) -> Iterator[Callable[[Lab], Run]]:
    """Makes a run in a lab; afterwards its cluster is gone, and the cloud has nothing of it."""
    made: list[Run] = []

    def make(lab: Lab) -> Run:
        made.append(new_run(lab, tmp_path / f'run-{len(made)}'))
        return made[-1]

    yield make
    for run in made:
        if (run.directory / 'run.json').exists():
            run.end()


def _up(lab: Lab, place: Path, *topology: str, **variables: str) -> Iterator[Run]:
    run = new_run(lab, place)
    try:
        run.publish()
        done = run.deploy(*topology, *run.variables(**variables))
        assert done.returncode == 0, done.stderr
        yield run
    finally:
        if (run.directory / 'run.json').exists():
            run.end()


@pytest.fixture(scope='module')
def usable(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A cluster of one control plane and one worker that has come up."""
    yield from _up(machines, tmp_path_factory.mktemp('usable'))


@pytest.fixture(scope='module')
def three(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A cluster of three control planes behind a load balancer, and one worker, that has come up."""
    place = tmp_path_factory.mktemp('three')
    yield from _up(machines, place, '--control-planes', '3', apiServerLoadBalancer='octavia-ovn')
