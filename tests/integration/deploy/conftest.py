"""A management plane in a network namespace of its own, and a small cluster stack to break in every way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode `importlib` does not

from deploy_runs import ROOT, Place, Run

# The plane is ready within 12 s; a machine that runs other tests at the same time needs a multiple.
PLANE_SECONDS = 180


@pytest.fixture(scope='session')
def plane(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Place]:
    """A running plane; gone afterwards with its namespace, whatever happens."""
    name = f'scs-ci-test-deploy-{os.getpid()}'
    place = Place(name, tmp_path_factory.mktemp('plane') / 'state')
    os.environ['SCS_CI_TOOLS'] = str(tools)
    subprocess.run(['ip', 'netns', 'add', name], check=True)
    try:
        subprocess.run(['ip', '-n', name, 'link', 'set', 'lo', 'up'], check=True)
        place.done('plane', 'up', '--state', place.state, '--tools', tools, seconds=PLANE_SECONDS)
        yield place
    finally:
        place.run('plane', 'down', '--state', place.state, '--delete', seconds=PLANE_SECONDS)
        subprocess.run(['ip', 'netns', 'delete', name], check=False)


@pytest.fixture
def new_run(plane: Place, tools: Path, tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Makes a run; its clusters are deleted afterwards."""
    made: list[Run] = []

    def make() -> Run:
        checkout = tmp_path / f'checkout-{len(made)}'
        shutil.copytree(ROOT / 'examples/cluster-stacks', checkout)
        made.append(Run(plane, tmp_path / f'run-{len(made)}', checkout, tools))
        return made[-1]

    yield make
    for run in made:
        if (run.directory / 'run.json').exists():
            run.deploy('--delete')
