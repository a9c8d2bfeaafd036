"""The life of a real plane: up, kill -9, heal, restart, down; and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from plane_host import PlaneHost

from scs_ci.core import clock, records
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory

pytestmark = pytest.mark.integration

PROCESSES = {'etcd', 'apiserver', 'registry', 'kcm', 'capi', 'cabpk', 'kcp', 'capo', 'orc', 'cso'}


@pytest.fixture(scope='module')
def up(host: PlaneHost) -> PlaneHost:
    done = host.scs_ci('up')
    assert done.returncode == 0, done.stderr
    return host


def kill(host: PlaneHost, name: str) -> None:
    os.kill(host.process(name)['pid'], signal.SIGKILL)


def test_everything_runs_and_is_told(up: PlaneHost) -> None:
    found = up.status()
    assert found['ready'] is True
    assert {row['name'] for row in found['processes']} == PROCESSES
    assert {row['state'] for row in found['processes']} == {'running'}
    assert found['versions']['cluster-stack-operator'].startswith('v')
    assert 200 < found['memory'] < 4000
    assert Path(found['ca']).is_file()


def test_kubeconfig_is_private_and_carries_no_key(up: PlaneHost) -> None:
    path = Path(up.status()['kubeconfig'])
    assert path.stat().st_mode & 0o777 == 0o600
    assert 'client-key-data' not in path.read_text()
    user = yaml.safe_load(path.read_text())['users'][0]['user']
    assert Path(user['client-key']).stat().st_mode & 0o777 == 0o600


def test_only_the_named_ports_are_open(up: PlaneHost) -> None:
    listening = subprocess.run(up.inside('ss', '-Htln'), capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[3] for line in listening.splitlines()]
    everywhere = {int(a.rpartition(':')[2]) for a in addresses if not a.startswith(('127.0.0.1:', '[::1]:'))}
    assert everywhere == set(up.status()['open_ports'])


COPY = """
import copy, time
path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
def essence(crd):
    found = copy.deepcopy({'spec': crd['spec'], 'status': crd['status']})
    del found['spec']['group']
    for entry in found['status']['conditions']:
        del entry['lastTransitionTime']
    return found
put = api.call('GET', f'{path}/NAME')
name = f"{put['spec']['names']['plural']}.copied.example"
spec = {**put['spec'], 'group': 'copied.example'}
api.call('POST', path, {'apiVersion': put['apiVersion'], 'kind': put['kind'], 'metadata': {'name': name}, 'spec': spec})
for _ in range(300):
    created = api.call('GET', f'{path}/{name}')
    if is_true(created, 'Established'):
        break
    time.sleep(0.1)
api.call('DELETE', f'{path}/{name}')
answer = {'managers': put['metadata'].get('managedFields'), 'put': essence(put), 'created': essence(created)}
"""


@pytest.mark.parametrize('name', ['clusters.cluster.x-k8s.io', 'clusterstacks.clusterstack.x-k8s.io'])
def test_a_definition_put_into_the_store_is_like_a_created_one(up: PlaneHost, name: str) -> None:
    found = up.ask(COPY.replace('NAME', name))
    assert found['managers'] is None  # the API server did not write it
    assert found['put'] == found['created']


def test_up_again_changes_nothing(up: PlaneHost) -> None:
    before = {row['name']: row['pid'] for row in up.status()['processes']}
    done = up.scs_ci('up')
    assert done.returncode == 0, done.stderr
    assert ': started' not in done.stderr
    assert '0 of 51 definitions written' in done.stderr
    assert {row['name']: row['pid'] for row in up.status()['processes']} == before


@pytest.mark.parametrize('name', ['cso', 'apiserver', 'etcd'])
def test_a_killed_process_is_named_and_healed(up: PlaneHost, name: str) -> None:
    kill(up, name)
    seen = up.scs_ci('status')
    assert seen.returncode == 3
    assert f'{name:10} dead' in seen.stdout
    assert 'NOT READY' in seen.stdout
    assert up.process(name)['last_lines']
    healed = up.scs_ci('up')
    assert healed.returncode == 0, healed.stderr
    assert f'{name}: started' in healed.stderr
    assert up.status()['ready'] is True


def test_everything_killed(up: PlaneHost) -> None:
    for row in up.status()['processes']:
        os.kill(row['pid'], signal.SIGKILL)
    healed = up.scs_ci('up')
    assert healed.returncode == 0, healed.stderr
    assert up.status()['ready'] is True


def test_changed_settings_restart_only_what_they_change(up: PlaneHost) -> None:
    before = {row['name']: row['pid'] for row in up.status()['processes']}
    done = up.scs_ci('up', '--https-proxy', 'http://127.0.0.1:5480', '--no-proxy', '198.18.0.0/15')
    assert done.returncode == 0, done.stderr
    after = {row['name']: row['pid'] for row in up.status()['processes']}
    assert {name for name in PROCESSES if before[name] != after[name]} == {'cso'}
    environment = Path(f'/proc/{after["cso"]}/environ').read_bytes().split(b'\0')
    assert b'NO_PROXY=localhost,127.0.0.1,198.18.0.0/15' in environment


def test_no_proxy_of_the_caller_reaches_a_service(up: PlaneHost) -> None:
    kill(up, 'capo')
    assert up.scs_ci('up', HTTPS_PROXY='http://192.0.2.1:1', SSL_CERT_FILE='').returncode == 0
    environment = Path(f'/proc/{up.process("capo")["pid"]}/environ').read_bytes()
    assert b'192.0.2.1' not in environment


def test_objects_survive_a_restart(up: PlaneHost) -> None:
    up.ask("answer = api.apply({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'kept'}})['kind']")
    done = up.scs_ci('restart')
    assert done.returncode == 0, done.stderr
    assert up.ask("answer = api.get('v1', 'Namespace', 'kept')['metadata']['name']") == 'kept'


def test_record_of_the_stage(up: PlaneHost, tmp_path: Path) -> None:
    info = RunInfo('run-of-plane-test', 'tester', '2026-11-25T00:00:00Z', '2026-11-26T00:00:00Z', 'e2e', '/c', 'x', 'c')
    run = RunDirectory.create(tmp_path / 'run', info, clock=clock.SystemClock())
    done = up.scs_ci('up', '--run', run.path)
    assert done.returncode == 0, done.stderr
    record = run.record('plane')
    assert isinstance(record, records.Record)
    assert record.outcome == 'passed'
    assert record.facts['versions']['cluster-api'].startswith('v1.12.')
    assert record.facts['registry'].startswith('127.0.0.1:5443/')


def test_failed_stage_is_a_record_too(up: PlaneHost, tmp_path: Path) -> None:
    info = RunInfo('run-of-plane-test', 'tester', '2026-11-25T00:00:00Z', '2026-11-26T00:00:00Z', 'e2e', '/c', 'x', 'c')
    run = RunDirectory.create(tmp_path / 'run', info)
    (tmp_path / 'empty').mkdir()
    done = up.scs_ci('up', '--run', run.path, '--tools', tmp_path / 'empty')
    assert done.returncode == 3
    record = run.record('plane')
    assert record is not None
    assert (record.outcome, record.verdict) == ('error', 'tool')
    assert 'cannot use program' in record.reason


def test_logs(up: PlaneHost) -> None:
    done = up.scs_ci('logs', 'capi', '-n', '3')
    assert done.returncode == 0
    assert len(done.stdout.strip().splitlines()) == 4
    unknown = up.scs_ci('logs', 'capj')
    assert unknown.returncode == 2
    assert 'cannot find process capj' in unknown.stderr


def test_existing_management_cluster(up: PlaneHost, tmp_path: Path) -> None:
    """The plane itself stands for a cluster that somebody else runs; of this one only the registry may be started."""
    beside = PlaneHost(up.name, tmp_path / 'beside', up.tools)
    kubeconfig = up.state / 'kubeconfig'
    taken = beside.scs_ci('up', '--kubeconfig', kubeconfig)
    assert taken.returncode == 3
    assert 'registry: port 5443 (OCI registry): in use by registry' in taken.stderr
    kill(up, 'registry')
    try:
        done = beside.scs_ci('up', '--kubeconfig', kubeconfig)
        assert done.returncode == 0, done.stderr
        found = beside.status()
        assert [row['name'] for row in found['processes']] == ['registry']
        assert found['kubeconfig'] == str(kubeconfig)
        assert found['open_ports'] == []
        assert found['versions']['kubernetes'].startswith('v1.')
    finally:
        assert beside.scs_ci('down', '--delete').returncode == 0
    assert up.status()['processes'][0]['state'] == 'running'


def test_management_cluster_without_the_operator(up: PlaneHost) -> None:
    name = 'clusterstacks.clusterstack.x-k8s.io'
    up.ask(f"answer = api.delete('apiextensions.k8s.io/v1', 'CustomResourceDefinition', '{name}')")
    beside = PlaneHost(up.name, up.state.parent / 'beside', up.tools)
    done = beside.scs_ci('up', '--kubeconfig', up.state / 'kubeconfig')
    assert done.returncode == 3
    assert 'does not serve clusterstack.x-k8s.io/v1alpha1 ClusterStack' in done.stderr
    assert 'install the missing providers' in done.stderr
    assert up.scs_ci('up').returncode == 0  # which puts the definition back


def test_an_interrupted_start_is_taken_up(up: PlaneHost) -> None:
    """kill -9 of `up` itself, at once after the first process started."""
    assert up.scs_ci('down').returncode == 0
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path), 'SCS_CI_TOOLS': str(up.tools)}
    command = up.inside(sys.executable, '-m', 'scs_ci', 'plane', 'up', '--state', up.state)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        line = child.stderr.readline()
        child.kill()
    assert 'started' in line
    done = up.scs_ci('up')
    assert done.returncode == 0, done.stderr
    assert up.status()['ready'] is True


def test_down_leaves_no_process(up: PlaneHost) -> None:
    done = up.scs_ci('down', '--json')
    assert done.returncode == 0
    assert json.loads(done.stdout)['killed'] == []
    assert up.pids() == []
    assert up.scs_ci('status').returncode == 3
    assert {row['state'] for row in up.status()['processes']} == {'stopped'}


def test_port_in_use(host: PlaneHost) -> None:
    """Runs after the plane is down; the holder and the port are named, nothing half started stays behind `down`."""
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 6443)); print('up', flush=True); sys.stdin.read()"
    )
    command = host.inside(sys.executable, '-c', script)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == 'up\n'
        done = host.scs_ci('up')
        holder.stdin.close()
    assert done.returncode == 3
    assert 'apiserver: port 6443 (Kubernetes API): in use by python' in done.stderr
    assert f'(PID {holder.pid})' in done.stderr
    assert 'next:' in done.stderr
    assert 'Traceback' not in done.stderr
    host.scs_ci('down')
    assert host.pids() == []


def test_a_process_that_ends_at_once(host: PlaneHost, tmp_path: Path) -> None:
    """A wrong program: the start ends with its last words at once, not after the limit."""
    broken = tmp_path / 'cso'
    module = '\\nmod\\tgithub.com/SovereignCloudStack/cluster-stack-operator\\tv9.9.9\\t\\n'
    broken.write_text(f'#!/bin/sh\necho out of luck >&2\nexit 1\n# {module}\n')
    broken.chmod(0o755)
    done = host.scs_ci('up', '--cso', broken)
    assert done.returncode == 3
    assert 'process ended: cso: out of luck' in done.stderr
    host.scs_ci('down')


def test_full_disk(host: PlaneHost, tmp_path: Path) -> None:
    small = tmp_path / 'small'
    small.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'scs-ci-test', small], check=True)
    try:
        done = host.python('-m', 'scs_ci', 'plane', 'up', '--state', small / 'state')
    finally:
        subprocess.run(['umount', small], check=True)
    assert done.returncode == 3
    assert 'disk full' in done.stderr
    assert 'next: free disk space' in done.stderr


def test_never_started(host: PlaneHost, tmp_path: Path) -> None:
    done = host.python('-m', 'scs_ci', 'plane', 'status', '--state', tmp_path / 'none')
    assert done.returncode == 2
    assert 'it was never started' in done.stderr
    assert host.python('-m', 'scs_ci', 'plane', 'down', '--state', tmp_path / 'none').returncode == 0


def test_delete_refuses_what_is_no_plane(host: PlaneHost, tmp_path: Path) -> None:
    (tmp_path / 'home').mkdir()
    (tmp_path / 'home' / 'letter').write_text('dear')
    done = host.python('-m', 'scs_ci', 'plane', 'down', '--delete', '--state', tmp_path / 'home')
    assert done.returncode == 2
    assert (tmp_path / 'home' / 'letter').exists()
