"""A live cluster goes to the next Kubernetes minor. A quarter of an hour on a machine with little else to do:

python3 setup/main.py test -m long tests/integration/cluster
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
STACK = 'providers/openstack/example'
# Five minutes when nothing else runs; the first time it builds programs and images of machines of two minors.
SECONDS = 7200
# What a workload of two replicas may be without an answer while every machine below it is replaced.
LONGEST_GAP = 5.0

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(SECONDS + 300),
]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run directory of a main job that passed, with one control plane and two workers."""
    directory, name = tmp_path_factory.mktemp('upgrade') / 'run', f'upgrade{os.getpid()}'
    env = {key: value for key, value in os.environ.items() if key != 'SCS_CI_TOOLS'}
    env |= {'UPGRADE': 'minor', 'CONFORMANCE': 'none', 'SANDBOX': name, 'RUN_DIR': str(directory)}
    argv = [sys.executable, str(ROOT / 'setup/main.py'), 'e2e']
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
        yield directory
    finally:
        subprocess.run([ROOT / 'bin/scs-sandbox', '--name', name, 'down'], timeout=300, check=True)


def record(run: Path, stage: str) -> dict[str, Any]:
    (path,) = run.glob(f'openstack-*/{stage}.json')
    return dict(json.loads(path.read_text(encoding='utf-8')))


def test_all_machines_are_of_the_next_minor(run: Path) -> None:
    deployed, upgraded = record(run, 'deploy'), record(run, 'upgrade')
    assert (deployed['outcome'], upgraded['outcome']) == ('passed', 'passed')
    old, new = upgraded['facts']['from'], upgraded['facts']['to']
    assert new['how'] == 'next minor'
    assert old['kubernetes'].startswith('v1.33.')
    assert new['kubernetes'] in (ROOT / 'examples/cluster-stacks' / STACK / 'csctl.yaml').read_text(encoding='utf-8')
    assert upgraded['facts']['replaced'] == 3
    assert upgraded['facts']['until'] == 'cluster upgraded'


def test_the_workload_kept_answering(run: Path) -> None:
    (found,) = (probe for probe in record(run, 'upgrade')['facts']['probes'] if probe['name'] == 'workload')
    assert found['sent'] > 100
    assert found['longest_gap'] <= LONGEST_GAP, found


def test_nothing_is_left(run: Path) -> None:
    told = json.loads((run / 'leftovers.json').read_text(encoding='utf-8'))
    assert (told['checked'], told['resources']) == (True, [])
