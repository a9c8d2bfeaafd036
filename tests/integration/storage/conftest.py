"""A cluster of the real stack scs2, in a sandbox whose machines have a pod network, and nothing left afterwards."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# pytest's import mode `importlib` does not; the lab and its runs are those of the tests of faults
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / 'faults'))

from fault_runs import ROOT, Lab, Run, new_run

DATA = Path(os.environ.get('SCS_CI_TESTDATA') or ROOT.parent / 'shared/testdata')
CHECKOUT, CHARTS = DATA / 'cluster-stacks/main-2026-05-04', DATA / 'charts/mirror'
# The first sandbox with machines on a host builds their images, which takes minutes.
UP_SECONDS = 2400
DOWN_SECONDS = 120
MINOR = '1.34'
STACK = 'providers/openstack/scs2'


@pytest.fixture(scope='session')
def lab(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if not CHECKOUT.is_dir():
        pytest.skip('the public stacks are not here: set SCS_CI_TESTDATA')
    name = f'storage{os.getpid()}'
    program = [str(ROOT / 'bin/scs-sandbox'), '--name', name]
    wish = ['--machines', MINOR, '--cni', 'provided', '--charts', str(CHARTS)]
    made = Lab(name, tmp_path_factory.mktemp('plane') / 'state', tools)
    try:
        subprocess.run([*program, 'up', *wish], check=True, timeout=UP_SECONDS)
        ask = 'import os; print(os.environ["SCS_SANDBOX_CHARTS_PROXY"], os.environ["SCS_SANDBOX_CHARTS_CA"])'
        proxy, ca = made.run(sys.executable, '-c', ask, seconds=60).stdout.split()
        proxied = ('--https-proxy', proxy, '--proxy-ca', ca, '--no-proxy', '10.0.0.0/8,198.18.0.0/15')
        made = dataclasses.replace(made, wish=proxied)
        made.plane_up()
        yield made
    finally:
        made.call('plane', 'down', '--state', made.state, '--delete')
        subprocess.run([*program, 'down'], check=True, timeout=DOWN_SECONDS)


@pytest.fixture(scope='module')
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One control plane and two workers, so that a volume can go from one to the other."""
    run = new_run(lab, tmp_path_factory.mktemp('cluster'), CHECKOUT)
    try:
        # a patch of it is wrong where a certain variable is set, which it is not here
        run.publish('--stacks', STACK, charts=CHARTS, known=True)
        done = run.deploy('--workers', '2', '--charts', CHARTS, '--without-images', 'quay.io/cilium/')
        assert done.returncode == 0, done.stderr
        yield run
    finally:
        if (run.directory / 'run.json').exists():
            run.end()
