"""The main job on the example: green, red for the right reason, killed and purged; its traces hold no secret."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scs_ci.core.naming import names
from scs_ci.core.redact import secrets_of

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / 'examples/cluster-stacks'
STACK = 'providers/openstack/example'
# From the start of the playbook to the POST of the first server; a loaded machine needs a multiple of 15 s.
REQUEST_SECONDS = 240
# Takes the network from the server of that name.
UNPLUG = """
import sys, openstack
cloud = openstack.connect(cloud='sandbox')
(server,) = cloud.compute.servers(name=sys.argv[1])
(port,) = cloud.network.ports(device_id=server.id)
cloud.compute.delete_server_interface(port, server=server)
"""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


def listed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_example_passes_every_stage(green: Any) -> None:
    assert green.code == 0, green.output[-6000:]
    assert green.verdict['outcome'] == 'passed'
    assert {name: stage['outcome'] for name, stage in green.stages(STACK).items()} == dict.fromkeys(
        ('check', 'build', 'publish', 'deploy'), 'passed'
    )
    assert green.stages(STACK)['deploy']['simulated'] == ['hypervisor', 'machine']
    assert green.verdict['leftovers'] == []


def test_nothing_of_the_run_is_left_in_the_cloud(green: Any, scs_ci: Callable[..., Any]) -> None:
    """Asked anew, not read from the run's own files."""
    run_id = json.loads((green.directory / 'run.json').read_text(encoding='utf-8'))['id']
    found = listed(scs_ci('purge', '--run-id', run_id, '--cloud', 'sandbox', '--json'))
    assert found['delete'] == []
    before, after = (
        json.loads((green.directory / f'cloud-{when}.json').read_text(encoding='utf-8')) for when in ('before', 'after')
    )
    assert min(len(before['resources']), len(after['resources'])) > 0
    assert names(run_id).prefix not in json.dumps(after)


def test_the_plane_host_got_a_credential_of_the_run_which_is_gone(green: Any) -> None:
    """By default, since the login of the sandbox is a password. Its secret was beside the key of the run."""
    records = {
        name: json.loads((green.directory / f'stages/{name}.json').read_text()) for name in ('credential', 'purge')
    }
    assert records['credential']['outcome'] == 'passed', records['credential']['reason']
    made = records['credential']['facts']['credential']
    assert made['roles'] == ['load-balancer_member', 'member']
    assert not Path(made['file']).exists()
    assert records['purge']['facts']['deleted']['application_credential'] == 1


def test_no_secret_of_the_clouds_file_is_in_the_run_directory(green: Any, sandbox: Any) -> None:
    secrets = secrets_of(yaml.safe_load(sandbox.clouds.read_text(encoding='utf-8')))
    assert len(secrets) >= 3
    files = [path for path in green.directory.rglob('*') if path.is_file()]
    assert len(files) > 20
    assert [f'{path}: {len(s)} characters' for path in files for s in secrets if s.encode() in path.read_bytes()] == []
    assert [secret for secret in secrets if secret in green.output] == []
    assert b'PRIVATE KEY' not in b''.join(path.read_bytes() for path in files)


def test_a_missing_record_is_an_error(green: Any, tmp_path: Path, scs_ci: Callable[..., Any]) -> None:
    copy = shutil.copytree(green.directory, tmp_path / 'run')
    next(copy.glob('*/deploy.json')).unlink()
    done = scs_ci('report', '--run', copy)
    assert done.returncode == 3, done.stdout + done.stderr
    assert 'deploy did not run' in done.stdout


def test_broken_stack_is_red_at_the_right_stage(
    play: Callable[..., Any], here: dict[str, Any], tmp_path: Path, scs_ci: Callable[..., Any]
) -> None:
    """The defect of a real release: the class chart bears another name than the stack. With the oldest Ansible."""
    checkout = Path(shutil.copytree(EXAMPLE, tmp_path / 'checkout'))
    chart = checkout / STACK / 'cluster-class/Chart.yaml'
    content = chart.read_text(encoding='utf-8')
    chart.write_text(content.replace('name: openstack-example-1-34', 'name: openstack-other-1-34'), encoding='utf-8')
    assert content != chart.read_text(encoding='utf-8')
    played = play(tmp_path / 'run', 'ansible218', checkout=str(checkout), **here)
    assert played.code == 2, played.output[-6000:]
    stages = played.stages(STACK)
    assert stages['check']['outcome'] == 'failed', stages
    assert 'cluster-class/Chart.yaml' in stages['check']['reason']
    assert 'openstack-other-1-34' in stages['check']['reason']
    assert {stages[name]['outcome'] for name in ('build', 'publish', 'deploy')} == {'skipped'}
    assert played.verdict['outcome'] == 'failed'
    assert scs_ci('report', '--run', played.directory, '--exit-only').returncode == 1
    assert 'Traceback' not in played.output


def test_refused_credential_is_an_error_of_the_infrastructure(
    play: Callable[..., Any], here: dict[str, Any], tmp_path: Path, scs_ci: Callable[..., Any], sandbox: Any
) -> None:
    """Plan and report work without a cloud; what could not run is told, and why."""
    clouds = yaml.safe_load(sandbox.clouds.read_text(encoding='utf-8'))
    clouds['clouds']['sandbox']['auth']['password'] = 'not-the-password'
    file = tmp_path / 'clouds.yaml'
    file.touch(0o600)
    file.write_text(yaml.safe_dump(clouds), encoding='utf-8')
    played = play(tmp_path / 'run', clouds_file=str(file), **here)
    assert played.code == 2
    assert scs_ci('report', '--run', played.directory, '--exit-only').returncode == 3
    assert 'not-the-password' not in played.output
    stages = {stage['stage']: stage for stage in played.verdict['stages']}
    assert stages['preflight']['outcome'] == 'error'
    assert 'cannot log in to cloud sandbox' in stages['preflight']['reason']


def test_killed_run_is_purged(
    command: Callable[..., list[str]], environment: dict[str, str], tmp_path: Path, scs_ci: Callable[..., Any]
) -> None:
    """Nobody can clean up after SIGKILL; the purge needs nothing but the run directory."""
    run = tmp_path / 'run'
    with started(command(run), environment, tmp_path / 'output') as child:
        wait_for(run / 'progress.log', ': requested', child)
    run_id = json.loads((run / 'run.json').read_text(encoding='utf-8'))['id']
    assert listed(scs_ci('purge', '--run-id', run_id, '--cloud', 'sandbox', '--json'))['delete'] != []
    done = scs_ci('purge', '--run', run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert listed(scs_ci('purge', '--run-id', run_id, '--cloud', 'sandbox', '--json'))['delete'] == []
    assert scs_ci('report', '--run', run, '--exit-only').returncode == 3


def test_a_plane_host_that_falls_silent(
    command: Callable[..., list[str]],
    environment: dict[str, str],
    tmp_path: Path,
    sandbox: Any,
    programs: Callable[[str], Path],
) -> None:
    """In the middle of a stage it loses its network, and no connection ends. Its records are lost, nothing else is."""
    run, output = tmp_path / 'run', tmp_path / 'output'
    with started(command(run, use_nodes_silence=10), environment, output) as child:
        wait_for(output, 'Show stage publish', child)  # so deploy runs
        prefix = names(json.loads((run / 'run.json').read_text(encoding='utf-8'))['id']).prefix
        done = sandbox.run(programs('product') / 'python', '-c', UNPLUG, f'{prefix}-node-0', timeout=60)
        assert done.returncode == 0, done.stderr
        assert child.wait(timeout=REQUEST_SECONDS) == 2
    told = output.read_text(encoding='utf-8')
    assert f'cannot reach {prefix}-node-0 in stage deploy: ' in told
    assert 'has no attribute' not in told
    verdict = json.loads((run / 'report/verdict.json').read_text(encoding='utf-8'))
    (version,) = verdict['versions']
    assert (verdict['outcome'], verdict['leftovers']) == ('error', [])
    for stage in version['stages']:
        assert stage['reason'].startswith(f'no record of {stage["stage"]}: cannot pack '), stage
    assert version['stages'][-1]['reason'].endswith('next: look at its console')
    assert {stage['stage']: stage['outcome'] for stage in verdict['stages']}['purge'] == 'passed'


@contextlib.contextmanager
def started(argv: list[str], environment: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs; afterwards it is killed with all that it has started."""
    with output.open('wb') as log:
        child = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and all others with it
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(timeout=10)  # a killed process ends at once


def wait_for(file: Path, text: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + REQUEST_SECONDS
    while time.monotonic() < deadline:
        if file.exists() and text in file.read_text(encoding='utf-8'):
            return
        assert child.poll() is None, f'the playbook ended with {child.returncode}'
        time.sleep(0.2)
    raise AssertionError(f'{text!r} is not in {file} after {REQUEST_SECONDS} s')
