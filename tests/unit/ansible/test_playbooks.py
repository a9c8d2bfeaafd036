"""Playbooks parse with the oldest and the newest supported Ansible; modules can be read; jobs keep the rules."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path.name for path in (ROOT / 'playbooks').glob('*.yaml'))
MODULES = sorted(path.stem for path in (ROOT / 'library').glob('*.py'))
# An environment is made when it is missing; a cold cache of packages needs minutes.
ENV_SECONDS = 600
# Ansible starts within 2 s; two cores may be busy with other tests.
ANSIBLE_SECONDS = 120


@pytest.fixture(scope='module', params=['product', 'ansible218', 'ansible-newest'])
def programs(request: pytest.FixtureRequest) -> Path:
    """Directory with the programs of one Ansible version."""
    argv = [sys.executable, str(ROOT / 'setup/main.py'), 'env', request.param]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=ENV_SECONDS, check=False)
    if done.returncode and 'cannot find Python' in done.stderr and request.param == 'ansible-newest':
        pytest.skip(done.stderr)  # `product` has the newest that this machine's Python can run
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1]) / 'bin'


def run(programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, 'ANSIBLE_CONFIG': str(ROOT / 'ansible.cfg'), 'ANSIBLE_NOCOLOR': '1'}
    argv = [str(programs / words[0]), *words[1:]]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=ANSIBLE_SECONDS, check=False)


@pytest.mark.integration
def test_the_two_environments_have_two_versions(programs: Path) -> None:
    shown = run(programs, 'ansible', '--version').stdout.splitlines()[0]
    assert ('core 2.18.' in shown) == ('ansible218' in str(programs))


@pytest.mark.integration
def test_playbooks_parse(programs: Path) -> None:
    done = run(programs, 'ansible-playbook', '--syntax-check', *(f'playbooks/{name}' for name in PLAYBOOKS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('playbook: ') == len(PLAYBOOKS)


@pytest.mark.integration
def test_every_module_can_be_read(programs: Path) -> None:
    done = run(programs, 'ansible-doc', '--json', '--module-path', 'library', *MODULES)
    shown: dict[str, Any] = json.loads(done.stdout)
    assert sorted(shown) == MODULES
    for name, parts in shown.items():
        assert [part for part in ('examples', 'return') if not parts[part]] == [], name
        assert parts['doc']['description'], name
        assert {'check_mode', 'diff_mode'} <= set(parts['doc'].get('attributes', {})), name


@pytest.mark.integration
def test_without_a_cloud_the_playbook_says_what_to_do(programs: Path) -> None:
    done = run(programs, 'ansible-playbook', 'playbooks/e2e.yaml')
    assert done.returncode == 2
    assert 'next: give -e cloud=<name in clouds.yaml>' in done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr


UNREACHABLE = """
- hosts: all
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - name: Start the plane
      block:
        - name: Start
          ansible.builtin.include_role: {{name: ensure-management-plane}}
          vars: {{ensure_management_plane_run_dir: /r, ensure_management_plane_state: /s}}
      rescue:
        - name: Show why not
          ansible.builtin.debug: {{var: ansible_failed_result.msg}}
- hosts: all
  gather_facts: false
  ignore_unreachable: {ignored}
  tasks:
    - name: Run
      block:
        - name: Bring the run
          ansible.builtin.include_role: {{name: push-run}}
          vars:
            push_run_dir: {files}/run
            push_run_cloud: mine
            push_run_clouds_file: {files}/clouds.yaml
            push_run_checkout: {files}/checkout
      always:
        - name: Fetch the run
          ansible.builtin.include_role: {{name: fetch-run}}
          vars:
            fetch_run_dir: {files}/run
            fetch_run_place: {{local: false, root: /r, dir: /r/run}}
"""


@pytest.mark.integration
@pytest.mark.parametrize('ignored', [True, False])
def test_no_credential_stays_where_the_plane_host_is_out_of_reach(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    time = '2026-11-28T00:00:00Z'
    RunDirectory.create(tmp_path / 'run', RunInfo('run-one', 'tests', time, time, 'e2e', '/c', 'abc', 'mine'))
    for name in ('run/plan.json', 'run/progress.log', 'run/stages/discover.json', 'checkout/a', 'tmp/a'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{}')
    (tmp_path / 'clouds.yaml').write_text('clouds: {mine: {auth: {password: p}}}')
    (tmp_path / 'play.yaml').write_text(UNREACHABLE.format(files=tmp_path, ignored=ignored))
    (tmp_path / 'hosts').write_text('far ansible_host=127.0.0.1 ansible_port=1\n')  # nobody listens there
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'tmp'))
    done = run(programs, 'ansible-playbook', '-i', str(tmp_path / 'hosts'), str(tmp_path / 'play.yaml'))
    told = done.stdout + done.stderr
    _, starting, bringing = told.split('PLAY [all]')
    assert 'cannot reach far: ' in starting
    assert 'cannot reach far: ' in bringing
    assert 'has no attribute' not in told
    assert 'next: look at its console' in told
    # the rest of the role is about a host that was there: with `ignored` it must not go on with nothing
    assert ('cannot pack /r/run on far: ' in told) == ignored
    assert list((tmp_path / 'tmp').glob('scs-ci-parcel-*')) == []


@pytest.mark.unit
def test_by_hand_nothing_on_the_plane_host_keeps_the_last_play_from_purging() -> None:
    """Ansible ends when the only host of a play has failed."""
    plays = yaml.safe_load((ROOT / 'playbooks/e2e.yaml').read_text(encoding='utf-8'))
    harmless = {'The cloud is named', 'The run directory has one name for all plays'}
    tasks = [task for play in plays[:-1] for task in play['tasks'] if task['name'] not in harmless]
    late = [after for task in tasks for after in task.get('always', [])]
    assert [task['name'] for task in tasks + late if 'rescue' not in task] == []
    assert late


@pytest.mark.unit
def test_every_playbook_of_a_job_exists_and_what_is_created_is_cleaned_at_the_same_level() -> None:
    jobs = [entry['job'] for entry in yaml.safe_load((ROOT / 'zuul.d/jobs.yaml').read_text(encoding='utf-8'))]
    assert {job['name']: job.get('abstract', False) for job in jobs} == {
        'scs-ci-cluster-stack-base': True,
        'scs-ci-cluster-stack-e2e': False,
        'scs-ci-janitor': False,
    }
    assert (ROOT / jobs[2]['run']).is_file()
    base = jobs[0]
    for name in (base['pre-run'], base['run'], *(entry['name'] for entry in base['post-run'])):
        assert (ROOT / name).is_file(), name
    assert base['post-run'][0] == {'name': 'playbooks/cleanup.yaml', 'cleanup': True}
    assert 0 < base['post-timeout'] < base['timeout']
    assert {'cleanup-run', 'secrets'} & set(base) == set()


@pytest.mark.unit
def test_every_variable_of_the_janitor_is_documented() -> None:
    description = yaml.safe_load((ROOT / 'zuul.d/jobs.yaml').read_text(encoding='utf-8'))[2]['job']['description']
    text = (ROOT / 'playbooks/janitor.yaml').read_text(encoding='utf-8')
    documented = {line.split()[-1] for line in description.splitlines() if 'zuul:jobvar::' in line}
    assert set(re.findall(r'scs_ci_\w+', text)) == documented


@pytest.mark.integration
def test_the_janitor_asks_for_a_cloud(programs: Path) -> None:
    done = run(programs, 'ansible-playbook', 'playbooks/janitor.yaml')
    assert done.returncode == 2
    assert 'next: give -e cloud=<name in clouds.yaml>' in done.stdout + done.stderr


@pytest.mark.integration
def test_the_janitor_reaches_the_module_with_all_it_was_given(programs: Path, tmp_path: Path) -> None:
    """The cloud is unknown: the message comes from the module, so every argument was accepted on the way."""
    (tmp_path / 'clouds.yaml').write_text('clouds: {}')
    given = {
        'cloud': 'gone',
        'clouds_file': str(tmp_path / 'clouds.yaml'),
        'owners': ['ci'],
        'zuul_tenants': ['https://z'],
    }
    done = run(programs, 'ansible-playbook', 'playbooks/janitor.yaml', '-e', json.dumps(given))
    assert done.returncode == 2
    assert "cannot find cloud 'gone'" in done.stdout + done.stderr


@pytest.mark.unit
def test_every_variable_of_the_jobs_is_documented() -> None:
    description = yaml.safe_load((ROOT / 'zuul.d/jobs.yaml').read_text(encoding='utf-8'))[0]['job']['description']
    used = set()
    for name in ('pre', 'run', 'post', 'cleanup', 'vars/zuul'):
        text = (ROOT / f'playbooks/{name}.yaml').read_text(encoding='utf-8')
        used |= set(re.findall(r'(?<![\w.])scs_ci_\w+', text))
    made = set(yaml.safe_load((ROOT / 'playbooks/vars/zuul.yaml').read_text(encoding='utf-8')))
    documented = {line.split()[-1] for line in description.splitlines() if 'zuul:jobvar::' in line}
    assert used - made == documented


@pytest.mark.integration
def test_what_is_asked_of_the_stages_reaches_the_commands(programs: Path, tmp_path: Path) -> None:
    told = {
        'dir': '/run',
        'checkout': '/checkout',
        'cloud': 'mycloud',
        'clouds': '/clouds.yaml',
        'variables': '/variables.yaml',
        'plane': {'kubeconfig': '/kubeconfig', 'registry': 'registry'},
        'command': ['sh', '-c', f'echo "$@" >> {tmp_path}/calls', 'sh'],
        'stages': ['check', 'deploy', 'conformance', 'upgrade'],
        'control_planes': 3,
        'workers': 0,
        'zones': ['a', 'b'],
        'specs': 'quick',
        'waivers': '/waivers.yaml',
        'baseline': '/baseline.json',
        'next': '/next',
    }
    role = {'role': 'run-cluster-stacks', **{f'run_cluster_stacks_{name}': value for name, value in told.items()}}
    play = {'hosts': 'localhost', 'connection': 'local', 'gather_facts': False, 'roles': [role]}
    (tmp_path / 'play.yaml').write_text(json.dumps([play]))
    done = run(programs, 'ansible-playbook', str(tmp_path / 'play.yaml'))
    assert done.returncode == 0, done.stdout + done.stderr
    check, deploy, conformance, upgrade, delete = (tmp_path / 'calls').read_text().splitlines()
    assert '--baseline /baseline.json' in check
    assert delete.startswith('deploy --delete ')
    assert '--control-planes 3 --workers 0 --zone a --zone b' in deploy
    assert '--select quick --waivers /waivers.yaml' in conformance
    assert '--to /next' in upgrade
    assert '--registry registry' in upgrade


def _task(playbook: str, name: str) -> dict[str, Any]:
    """The task of that name, however deep it is."""

    def walk(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for task in tasks:
            yield task
            yield from walk(task.get('block', []))

    plays = yaml.safe_load((ROOT / f'playbooks/{playbook}').read_text(encoding='utf-8'))
    return next(task for play in plays for task in walk(play['tasks']) if task['name'] == name)


@pytest.mark.integration
@pytest.mark.parametrize(
    ('playbook', 'variables', 'option'),
    [('e2e.yaml', 'e2e.yaml', 'credential'), ('pre.yaml', 'zuul.yaml', 'scs_ci_credential')],
)
def test_a_run_has_a_credential_unless_it_is_forbidden(
    programs: Path, tmp_path: Path, playbook: str, variables: str, option: str
) -> None:
    """Given value to: is the role included, may it do without. Wherever the login may, a run has one by default."""
    task = _task(playbook, 'Make the credential of the run')
    optional = task['vars']['make_credential_optional'].strip('{} ')
    cases: list[tuple[dict[str, Any], bool, bool]] = [
        ({}, True, True),
        *(({option: given}, True, True) for given in ('', 'auto')),
        *(({option: given}, True, False) for given in (True, 'true', 'yes')),
        *(({option: given}, False, False) for given in (False, 'false', 'no')),
    ]
    tasks = [
        {
            'name': f'Given {given}',
            'ansible.builtin.assert': {
                'that': [f'(({task["when"]}) | bool) == {made}', f'({optional} | bool) == {may}']
            },
            'vars': given,
        }
        for given, made, may in cases
    ]
    play = {'hosts': 'localhost', 'connection': 'local', 'gather_facts': False, 'tasks': tasks,
            'vars_files': [str(ROOT / 'playbooks/vars' / variables)]}  # fmt: skip
    (tmp_path / 'play.yaml').write_text(json.dumps([play]))
    done = run(programs, 'ansible-playbook', str(tmp_path / 'play.yaml'))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'ok={len(cases)} ' in done.stdout
