"""The main job with real machines: from a checkout to a usable cluster, conformance, and nothing left."""

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
# Three to four minutes when nothing else runs; the first time it builds programs and images of machines.
SECONDS = 5400

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(SECONDS + 300)]


@pytest.fixture(scope='module')
def name() -> str:
    return f'cluster{os.getpid()}'


@pytest.fixture(scope='module')
def made(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, Path]]:
    """`make e2e` as a pull request has it, but with one worker and without the upgrade, which takes minutes."""
    run = tmp_path_factory.mktemp('cluster') / 'run'
    # the environment of the tests has the programs of the plane only
    env = {key: value for key, value in os.environ.items() if key != 'SCS_CI_TOOLS'}
    env |= {'E2E': 'cluster', 'WORKERS': '1', 'UPGRADE': '0', 'SANDBOX': name, 'RUN_DIR': str(run)}
    argv = [sys.executable, str(ROOT / 'setup/main.py'), 'e2e']
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
        yield done.returncode, done.stdout + done.stderr, run
    finally:
        subprocess.run([ROOT / 'bin/scs-sandbox', '--name', name, 'down'], timeout=300, check=True)


def stages(run: Path) -> dict[str, dict[str, Any]]:
    verdict = json.loads((run / 'report/verdict.json').read_text(encoding='utf-8'))
    return {stage['stage']: stage for stage in verdict['versions'][0]['stages']}


def test_cluster_becomes_usable_and_conforms(made: tuple[int, str, Path]) -> None:
    code, output, run = made
    assert code == 0, output[-8000:]
    found = stages(run)
    wanted = dict.fromkeys(('check', 'build', 'publish', 'deploy', 'conformance'), 'passed')
    assert {stage: found[stage]['outcome'] for stage in found} == wanted
    place = next(run.glob('*/conformance.json'))
    facts = json.loads(place.read_text(encoding='utf-8'))['facts']
    assert facts['counts']['passed'] == facts['counts']['total'] == facts['selected'] > 30
    assert facts['stand_ins'] != [], 'images that are not the real ones are named'
    assert 'a test, never a certification' in found['conformance']['reason']


def test_machines_were_real_and_the_record_says_what_was_not(made: tuple[int, str, Path]) -> None:
    run = made[2]
    deploy = json.loads(next(run.glob('*/deploy.json')).read_text(encoding='utf-8'))
    assert deploy['facts']['until'] == 'cluster usable'
    assert 'machine' not in deploy['simulated']
    assert 'hypervisor' in deploy['simulated']


def test_nothing_is_left(made: tuple[int, str, Path], name: str) -> None:
    run = made[2]
    verdict = json.loads((run / 'report/verdict.json').read_text(encoding='utf-8'))
    assert verdict['leftovers'] == []
    told = json.loads((run / 'leftovers.json').read_text(encoding='utf-8'))
    assert (told['checked'], told['resources']) == (True, [])
    spaces = [path.name for path in Path('/run/netns').glob(f'scs-sandbox-{name}*')]
    assert spaces == []
