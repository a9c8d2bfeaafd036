"""Bad input as a table: each call ends with a message of four parts and the right code. See doc/bad-input.md, too."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_calls import EXAMPLE, ROOT, SECONDS, Call, fill

pytestmark = pytest.mark.integration

CHART = 'providers/openstack/example/cluster-class/Chart.yaml'
CLOUDS = """
clouds:
  closed:
    auth: {auth_url: 'http://127.0.0.1:9/v3', username: u, password: sesame-open, project_name: p,
           user_domain_id: default, project_domain_id: default}
"""


@pytest.fixture
def place(tmp_path: Path, run: Path) -> Path:
    """What the table speaks of: empty/, file, run/ (planned), clouds.yaml, broken.yaml, tools/ (helm is a text)."""
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').write_text('text\n')
    for name, content in (('clouds.yaml', CLOUDS), ('broken.yaml', CLOUDS.replace('sesame-', 'sesame: '))):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(content)
    helm = tmp_path / 'tools/bin/helm'
    helm.parent.mkdir(parents=True)
    helm.write_text('no program')
    helm.chmod(0o755)
    return tmp_path


DISCOVER = f'discover --checkout {EXAMPLE} --run'
TABLE = {
    'no checkout': ('discover --run new --checkout gone', 2, 'cannot search checkout'),
    'checkout is a file': ('discover --run new --checkout file', 2, 'it is not a directory'),
    'checkout without stacks': ('discover --run new --checkout empty', 2, 'found no cluster stack in checkout'),
    'unknown stack': (f'{DISCOVER} new --stacks nope', 2, "cannot find stack 'nope'"),
    'unknown reference': (f'{DISCOVER} new --changed-since nope', 2, "git reference 'nope'"),
    'unusable run id': (f'{DISCOVER} new --run-id ../x', 2, "run id '../x'"),
    'run directory of another run': (f'{DISCOVER} run --run-id another', 2, 'it holds run'),
    'run directory is a file': (f'{DISCOVER} file', 2, 'file is a file'),
    'run directory below a file': (f'{DISCOVER} file/run', 2, 'file is a file'),
    'run directory cannot be made': (f'{DISCOVER} /proc/run', 3, 'cannot write file /proc/run/run.json'),
    'no run directory': ('build --run gone', 2, 'there is no run.json'),
    'stage of a file': ('check --run file', 2, 'it is a file'),
    'report of nothing': ('report --run gone', 2, 'cannot report on run directory gone'),
    'unknown version': ('check --run run --version nope', 2, 'the plan has openstack-example-1-34'),
    'stage before its turn': ('publish --run run --registry 127.0.0.1:9/x', 3, 'check did not run'),
    'no CA': ('publish --run run --registry 127.0.0.1:9/x --ca gone', 2, 'cannot read CA file gone'),
    'no charts': (f'check {EXAMPLE} --charts gone', 2, 'cannot read charts directory gone'),
    'no tools': (f'check {EXAMPLE} --tools gone', 3, 'cannot find program helm in gone'),
    'helm is no program': (f'check {EXAMPLE} --tools tools', 3, 'Exec format error'),
    'no programs for the plane': ('plane up --state plane --tools gone', 3, 'not executable'),
    'plane in a file': ('plane up --state file', 3, 'cannot use state directory'),
    'no plane': ('plane status --state gone', 2, 'it was never started'),
    'delete what is no plane': ('plane down --delete --state empty', 2, 'will not delete directory'),
    'kubeconfig is none': ('plane up --state plane --kubeconfig file', 2, 'cannot use kubeconfig'),
    'clusters without clouds.yaml': ('deploy --run run --clouds gone', 2, 'cannot read clouds file gone'),
    'clusters in an unknown cloud': ('deploy --run run --clouds clouds.yaml', 2, "cannot find cloud 'nowhere'"),
    'no cloud named': ('preflight', 2, 'neither --cloud nor --run given'),
    'closed endpoint': ('preflight --cloud closed', 3, 'cannot reach cloud closed (http://127.0.0.1:9/v3)'),
    'unknown cloud': ('preflight --cloud nope', 2, 'clouds.yaml has closed'),
    'unknown cloud of a run': ('preflight --run run', 3, "cannot find cloud 'nowhere'"),
    'unknown cloud of a run to purge': ('purge --run run', 3, "cannot find cloud 'nowhere'"),
    'purge of nothing': ('purge', 2, 'give --run DIR'),
    'no group of nodes': ('nodes up --cloud closed --topology none.yaml --count 1', 2, 'cannot read topology'),
}


@pytest.mark.parametrize('row', TABLE)
def test_a_message_and_an_exit_code(row: str, place: Path, scs_ci: Call) -> None:
    words, code, said = TABLE[row]
    done = scs_ci(*words.split())
    assert (done.code, said in done.text) == (code, True), done.text
    assert done.is_clean(), done.text
    assert 'sesame' not in done.text
    assert not (place / 'new').exists(), 'a refused call must not leave a half-made run directory'


@pytest.mark.parametrize('option', ['nodes up --hours nan', 'nodes up --timeout inf', 'nodes up --timeout -1'])
def test_numbers_that_are_no_limits(option: str, place: Path, scs_ci: Call) -> None:
    done = scs_ci(*option.split(), '--cloud', 'closed')
    assert done.code == 2, done.text
    assert 'is no number between 0 and' in done.text


@pytest.mark.parametrize(('named', 'said'), [('gone.yaml', 'names no file'), ('broken.yaml', 'line 4, column')])
def test_clouds_file_that_is_missing_or_broken(named: str, said: str, place: Path, scs_ci: Call) -> None:
    done = scs_ci('preflight', '--cloud', 'closed', env={'OS_CLIENT_CONFIG_FILE': str(place / named)})
    assert done.code == 2, done.text
    assert said in done.text
    assert done.is_clean(), done.text
    assert 'sesame' not in done.text


def test_a_stack_that_does_not_parse(tmp_path: Path, scs_ci: Call) -> None:
    """The plan has it, the check fails it, and what follows is left out: the stack is at fault, not the tool."""
    checkout = Path(shutil.copytree(EXAMPLE, tmp_path / 'checkout'))
    (checkout / CHART).write_text('apiVersion: [v2\n')
    assert scs_ci('discover', '--run', 'run', '--checkout', checkout, '--tier', 'check').code == 0
    done = scs_ci('check', '--run', 'run')
    assert done.code == 1, done.text
    assert 'Chart.yaml' in done.text
    assert done.is_clean(), done.text
    assert 'skipped: check failed' in scs_ci('build', '--run', 'run').text
    assert scs_ci('report', '--run', 'run', '--exit-only').code == 1


def test_full_disk(small: Path, scs_ci: Call) -> None:
    """Every stage says that the disk is full; none claims to have passed."""
    fill(small)
    run = small / 'run'
    done = scs_ci('discover', '--run', run, '--checkout', EXAMPLE)
    assert (done.code, 'No space left on device' in done.text, done.is_clean()) == (3, True, True), done.text
    (small / 'filler').unlink()
    assert scs_ci('discover', '--run', run, '--checkout', EXAMPLE, '--cloud', 'nowhere').code == 0
    fill(small)
    for words in ('check', 'build', 'preflight', 'purge', 'report'):
        done = scs_ci(words, '--run', run)
        assert (done.code, 'No space left on device' in done.text, done.is_clean()) == (3, True, True), done.text
    done = scs_ci('plane', 'up', '--state', small / 'plane')
    assert (done.code, 'disk full' in done.text, done.is_clean()) == (3, True, True), done.text


def test_read_only_run_directory(small: Path, scs_ci: Call) -> None:
    run = small / 'run'
    assert scs_ci('discover', '--run', run, '--checkout', EXAMPLE).code == 0
    subprocess.run(['mount', '-o', 'remount,ro', small], check=True, timeout=SECONDS)
    for words in ('check', 'purge', 'report'):
        done = scs_ci(words, '--run', run)
        assert (done.code, 'Read-only file system' in done.text, done.is_clean()) == (3, True, True), done.text


@pytest.mark.parametrize('damage', ['', '{"format": 1}', '{"format": 99}', '[]', '\x00'])
def test_damaged_run_directory(damage: str, run: Path, scs_ci: Call) -> None:
    (run / 'plan.json').write_text(damage)
    done = scs_ci('check', '--run', run)
    assert (done.code, 'plan.json' in done.text, done.is_clean()) == (3, True, True), done.text
    assert scs_ci('report', '--run', run, '--exit-only').code == 3


def test_interrupt_is_told_and_recorded(run: Path, environment: dict[str, str]) -> None:
    """Ctrl-C while a child works: helm's process group is ended, the record says interrupted."""
    argv = [sys.executable, '-m', 'scs_ci', 'check', '--run', str(run)]
    child = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stderr is not None
    assert 'check: started' in child.stderr.readline()
    os.killpg(child.pid, signal.SIGINT)
    _, text = child.communicate(timeout=SECONDS)
    assert child.returncode == 3, text
    assert text.endswith("scs-ci check: interrupted\n  next: run it again, or 'scs-ci purge'\n"), text
    record = json.loads((run / 'openstack-example-1-34/check.json').read_text())
    assert (record['outcome'], record['reason']) == ('error', 'interrupted')


def test_purge_deletes_on_a_full_disk(small: Path, sandbox: Any, faults: Callable[[Any], None]) -> None:
    """What the cloud has must go even when nothing can be written about it; the exit code says that the proof lacks."""
    run = small / 'run'
    python = ['env', f'PYTHONPATH={ROOT / "module_utils"}', f'XDG_STATE_HOME={small}', sys.executable, '-m', 'scs_ci']

    def lab(*words: str | Path) -> tuple[int, str]:
        done = sandbox.run(*python, *words, timeout=SECONDS)
        return done.returncode, done.stdout + done.stderr

    assert lab('discover', '--run', run, '--checkout', EXAMPLE, '--cloud', 'sandbox')[0] == 0
    faults({'nova': {'spawn_error': '^scs-ci'}})  # what is made is left for the purge
    code, text = lab('nodes', 'up', '--run', run)
    assert (code, 'cannot boot node' in text) == (3, True), text
    fill(small)
    code, text = lab('purge', '--run', run)
    assert (code, 'No space left on device' in text, ' 0 left' in text) == (3, True, True), text
    (small / 'filler').unlink()
    code, text = lab('purge', '--run', run)
    assert (code, '0 deleted, 0 left' in text) == (0, True), text


@pytest.mark.parametrize(
    ('variables', 'said'),
    [
        ({}, 'no cloud; next: give -e cloud='),
        ({'cloud': 'sandbox', 'checkout': '/proc/self/task'}, 'found no cluster stack'),
        ({'cloud': 'sandbox', 'tier': 'frob'}, 'must be one of: check, e2e, nightly'),
    ],
)
def test_variables_of_the_playbook(variables: dict[str, str], said: str, sandbox: Any, tmp_path: Path) -> None:
    """Nothing has been made and nothing is purged; the first message is the cause."""
    extra = json.dumps({'run_dir': str(tmp_path / 'run'), **variables})
    words = ['env', f'ANSIBLE_CONFIG={ROOT / "ansible.cfg"}', 'ANSIBLE_NOCOLOR=1']
    playbook = Path(sys.executable).parent / 'ansible-playbook'
    done = sandbox.run(*words, playbook, ROOT / 'playbooks/e2e.yaml', '-e', extra, timeout=SECONDS)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr
