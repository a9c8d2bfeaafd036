"""The Ansible modules: parameters in, results out, check and diff mode, failures with a verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from fake_cloud import FakeCloud, Fault
from test_cloud_nodes import FakeProbe

import scs_credential
import scs_janitor
import scs_nodes
import scs_preflight
import scs_purge
from scs_ci.cloud import connect, nodes
from scs_ci.cloud.marks import Mark
from scs_ci.core.errors import CredentialProblem
from scs_ci.core.files import read_json
from scs_ci.core.records import Plan, PlannedVersion, RunInfo
from scs_ci.core.run import RunDirectory

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
OTHER = '0b51aa7e-5d6e-4000-8000-000000000002'
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """Behind every module: the stand-in, its clock, and nodes that answer."""
    fake = FakeCloud(boot=3)
    monkeypatch.setattr(connect, 'connect', lambda name: fake.cloud)
    original = nodes.Request

    def request(**given: Any) -> nodes.Request:
        return original(**{**given, 'clock': fake.clock, 'probe': FakeProbe()})

    monkeypatch.setattr(nodes, 'Request', request)
    return fake


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a module's main() and returns what it printed."""

    def run(module: Any, check: bool = False, **parameters: Any) -> dict[str, Any]:
        given = {**parameters, '_ansible_check_mode': check, '_ansible_diff': True}
        monkeypatch.setattr(basic, '_ANSIBLE_ARGS', json.dumps({'ANSIBLE_MODULE_ARGS': given}).encode())
        # newer versions of ansible-core want to know how the arguments were written
        monkeypatch.setattr(basic, '_ANSIBLE_PROFILE', 'legacy', raising=False)
        with pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(capsys.readouterr().out))

    return run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run whose plan has one cluster."""
    stages = ('check', 'build', 'publish', 'deploy')
    info = RunInfo(RUN, 'ci', '2026-11-25T00:00:00Z', '2026-11-25T12:00:00Z', 'e2e', 'x', 'y', 'fake')
    run = RunDirectory.create(tmp_path / 'run', info)
    run.write_plan(Plan((PlannedVersion('k', 'p', 'openstack', 's', 'v1.34.7', 'A', 'all', stages),)))
    return tmp_path / 'run'


def test_nodes_present_again_and_absent(fake: FakeCloud, call: Call, tmp_path: Path) -> None:
    wanted = {'cloud': 'fake', 'run_id': RUN, 'key_dir': str(tmp_path / 'key'), 'topology': {'groups': [{'count': 2}]}}
    preview = call(scs_nodes, check=True, **wanted)
    assert preview['changed']
    assert [step['action'] for step in preview['plan']] == ['create', 'create']
    assert not fake.kinds['server']
    first = call(scs_nodes, **wanted)
    assert first['changed']
    assert len(first['nodes']) == 2
    assert list(first['diff']['after'].values()) == ['ACTIVE', 'ACTIVE']
    assert not call(scs_nodes, **wanted)['changed']
    going = call(scs_nodes, check=True, state='absent', **wanted)
    assert going['changed']
    assert len(fake.kinds['server']) == 2
    assert call(scs_nodes, state='absent', **wanted)['deleted']['server'] == 2
    assert not call(scs_nodes, state='absent', **wanted)['changed']


def test_host_keys_may_only_be_scanned(fake: FakeCloud, call: Call, run_dir: Path, tmp_path: Path) -> None:
    for number, place in enumerate(({'cloud': 'fake', 'run_id': OTHER}, {'run_dir': str(run_dir)})):
        made = call(scs_nodes, host_keys='scan', key_dir=str(tmp_path / f'key-{number}'), **place)
        assert [node['host_keys_from'] for node in made['nodes']] == ['scan']
    assert not fake.calls['console']
    refused = call(scs_nodes, host_keys='none', key_dir=str(tmp_path / 'key'), run_dir=str(run_dir))
    assert refused['failed']
    assert 'console, scan' in refused['msg']


def test_stages_of_a_run_directory(fake: FakeCloud, call: Call, run_dir: Path, tmp_path: Path) -> None:
    fake.limit = 1
    common = {'run_dir': str(run_dir)}
    refused = call(scs_preflight, **common)
    assert refused['failed']
    assert 'ubuntu-capi-image-v1.34.7' in refused['msg']
    assert refused['verdict'] == 'image'
    assert refused['shortfalls'] == 2
    rows = {row['subject']: row for row in refused['rows']}
    assert rows['servers']['answer'] == 'need 2, have 1 (used 0 of 1)'
    assert rows['MiB of memory']['ok'] is True
    assert rows['security group rules']['ok'] is None
    assert read_json(run_dir / 'stages/preflight.json')['outcome'] == 'error'
    assert read_json(run_dir / 'cloud-before.json')['counts']['server'] == 0
    made = call(scs_nodes, key_dir=str(tmp_path / 'key'), **common)
    assert read_json(run_dir / 'stages/provision.json')['facts']['nodes'] == made['nodes']
    gone = call(scs_purge, key_dir=str(tmp_path / 'key'), **common)
    assert gone['deleted']['server'] == 1
    assert gone['leftovers'] == []
    assert read_json(run_dir / 'leftovers.json') == {'format': 1, 'checked': True, 'resources': []}
    assert read_json(run_dir / 'cloud-after.json')['counts']['server'] == 0
    assert not (tmp_path / 'key').exists()


def test_failures_have_message_and_verdict(fake: FakeCloud, call: Call, tmp_path: Path) -> None:
    wanted = {'cloud': 'fake', 'run_id': RUN, 'key_dir': str(tmp_path)}
    failed = call(scs_nodes, topology={'groups': [{'flavor': {'vcpus': 999}}]}, **wanted)
    assert failed['failed']
    assert '999 vCPU' in failed['msg']
    assert failed['verdict'] == 'infrastructure'
    wrong = call(scs_nodes, topology={'groups': [{'flavor': {'cpus': 1}}]}, **wanted)
    assert wrong['failed']
    assert "unknown key 'cpus'" in wrong['msg']


def test_purge_shows_then_deletes_and_names_what_stays(fake: FakeCloud, call: Call) -> None:
    fake.add('server_group', 'scs-ci-7f3a1b2c5d6e')
    shown = call(scs_purge, check=True, cloud='fake', run_id=RUN)
    assert [(row['kind'], row['reason']) for row in shown['plan']] == [('server_group', 'name')]
    assert fake.kinds['server_group']
    assert call(scs_purge, cloud='fake', run_id=RUN)['deleted'] == {'server_group': 1}
    assert not fake.kinds['server_group']


def test_purge_in_check_mode_says_what_stays(fake: FakeCloud, call: Call) -> None:
    fake.add('server', 'theirs')
    fake.services.discard('load-balancer')
    shown = call(scs_purge, check=True, cloud='fake', run_id=RUN)
    kept = {(row['kind'], row['name']): row['reason'] for row in shown['kept']}
    assert kept['server', 'theirs'] == 'no mark of the run'
    assert shown['unknown'] == {'load_balancer': 'cloud has no service load-balancer'}


def test_janitor_shows_then_remembers_then_deletes(fake: FakeCloud, call: Call, tmp_path: Path) -> None:
    mark = Mark(RUN, 'ci', '2026-11-25T12:00:00Z')  # by the machine's clock that is over
    fake.add('network', 'scs-ci-7f3a1b2c5d6e-network', description=mark.description())
    fake.add('network', 'theirs')
    wanted = {'cloud': 'fake', 'state_file': str(tmp_path / 'state.json'), 'again_after': 0.001}
    shown = call(scs_janitor, check=True, **wanted)
    assert not shown['changed']
    assert [(row['run'], row['due']) for row in shown['runs']] == [(RUN, False)]
    assert not (tmp_path / 'state.json').exists()
    assert not call(scs_janitor, **wanted)['changed']
    time.sleep(1.1)  # sightings are remembered by the second
    going = call(scs_janitor, check=True, **wanted)
    assert going['changed']
    assert going['diff']['before'] == {RUN: {'network': 1}}
    assert fake.names('network') == ['public', 'scs-ci-7f3a1b2c5d6e-network', 'theirs']
    done = call(scs_janitor, **wanted)
    assert done['changed']
    assert done['owners']['ci']['expired'] == 1
    assert fake.names('network') == ['public', 'theirs']
    assert not call(scs_janitor, **wanted)['changed']


def test_janitor_fails_with_what_stays(fake: FakeCloud, call: Call, tmp_path: Path) -> None:
    fake.add('key_pair', 'scs-ci-7f3a1b2c5d6e')
    (tmp_path / 'state.json').write_text(
        '{"format": 1, "projects": {"project": {"7f3a1b2c5d6e": "2026-11-01T00:00:00Z"}}}'
    )
    fake.faults = [Fault('delete key_pair', 403, 9, text='policy')]
    failed = call(scs_janitor, cloud='fake', state_file=str(tmp_path / 'state.json'), unmarked_hours=1)
    assert failed['failed']
    assert failed['verdict'] == 'leftovers'
    assert 'key_pair scs-ci-7f3a1b2c5d6e: HTTP 403: policy' in failed['msg']
    assert 'next:' in failed['msg']
    silent = call(scs_janitor, cloud='fake', zuul=['nowhere'])
    assert silent['verdict'] == 'usage'


@pytest.mark.parametrize(
    ('module', 'parameters'),
    [
        (scs_nodes, {'run_id': RUN}),
        (scs_preflight, {'run_id': RUN}),
        (scs_purge, {'run_id': RUN}),
        (scs_credential, {'run_id': RUN, 'file': 'clouds.yaml'}),
        (scs_janitor, {'state_file': 'state.json'}),
    ],
    ids=lambda given: getattr(given, '__name__', ''),
)
def test_every_module_tells_a_problem_with_its_verdict(
    call: Call, module: Any, parameters: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def refuse(name: str) -> None:
        raise CredentialProblem('cannot log in to', f'cloud {name}', 'HTTP 401', 'correct clouds.yaml')

    monkeypatch.setattr(connect, 'connect', refuse)
    failed = call(module, cloud='fake', **parameters)
    assert failed['failed']
    assert failed['verdict'] == 'credential'
    assert failed['msg'].startswith('cannot log in to cloud fake: HTTP 401')


@pytest.mark.parametrize('module', [scs_nodes, scs_preflight, scs_purge, scs_credential], ids=lambda m: m.__name__)
def test_a_run_is_required_and_only_one(call: Call, module: Any, run_dir: Path) -> None:
    assert call(module, cloud='fake')['failed']
    assert 'mutually exclusive' in call(module, cloud='fake', run_id=RUN, run_dir=str(run_dir))['msg']


def test_an_unreachable_cloud_leaves_unchecked_leftovers(
    call: Call, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OS_CLIENT_CONFIG_FILE', str(run_dir / 'gone.yaml'))
    failed = call(scs_purge, run_dir=str(run_dir))
    assert failed['failed']
    assert failed['verdict'] == 'usage'
    assert read_json(run_dir / 'leftovers.json')['checked'] is False
