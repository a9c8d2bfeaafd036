"""The roles that bring scs-ci to a plane host and start the plane there, against a host of directories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from plane_host import PlaneHost

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
SYSTEM_PYTHON = '/usr/bin/python3'
PLAY_SECONDS = 600  # the first run downloads the packages; a loaded machine takes minutes for the rest


@dataclass(frozen=True)
class Played:
    code: int
    output: str
    changed: int

    def demand(self) -> Played:
        assert self.code == 0, self.output
        return self


@dataclass(frozen=True)
class Target:
    """What the roles take for a host: prefix instead of /opt/scs-ci, in the namespace of a PlaneHost.

    The part for remote hosts runs over a local connection, for it does not care how Ansible gets there.
    """

    host: PlaneHost
    prefix: Path

    def play(self, *roles: dict[str, Any], options: tuple[str, ...] = (), tools: Path | str = '') -> Played:
        variables = {
            'ensure_scs_ci_checkout': str(self.prefix.parent / 'checkout'),
            'ensure_scs_ci_prefix': str(self.prefix),
            'ensure_scs_ci_bin': str(self.prefix),
            'ensure_scs_ci_tools_source': str(tools),
            'ensure_management_plane_state': str(self.host.state),
        }
        tasks = [{'ansible.builtin.include_role': role} for role in roles]
        tasks.append({'ansible.builtin.debug': {'var': 'scs_plane.registry'}})
        playbook = self.prefix.parent / 'play.yaml'
        playbook.write_text(
            yaml.safe_dump([{'hosts': 'all', 'gather_facts': False, 'vars': variables, 'tasks': tasks}])
        )
        program = Path(sys.executable).with_name('ansible-playbook')
        command = self.host.inside(program, '-c', 'local', '-i', 'node,', playbook, *options)
        env = {name: value for name, value in os.environ.items() if name not in ('SCS_CI_TOOLS', 'PYTHONPATH')}
        env |= {
            'ANSIBLE_PYTHON_INTERPRETER': SYSTEM_PYTHON,
            'ANSIBLE_ROLES_PATH': str(ROOT / 'roles'),
            'ANSIBLE_CONFIG': str(self.prefix.parent / 'none.cfg'),
            'ANSIBLE_STDOUT_CALLBACK': 'ansible.builtin.default',
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_SECONDS, env=env, check=False)
        output = done.stdout + done.stderr
        changed = [int(word.split('=')[1]) for word in output.split() if word.startswith('changed=')]
        return Played(done.returncode, output, changed[-1] if changed else -1)


INSTALL = {'name': 'ensure-scs-ci', 'tasks_from': 'remote.yaml'}
START = {'name': 'ensure-management-plane'}


@pytest.fixture(scope='module', autouse=True)
def packed() -> None:
    """The archive of packages is in the cache, as `make e2e` leaves it: inside the namespace there is no network."""
    code = 'import platform; print(".".join(platform.python_version_tuple()[:2]), platform.machine())'
    done = subprocess.run([SYSTEM_PYTHON, '-c', code], capture_output=True, text=True, timeout=30, check=True)
    version, machine = done.stdout.split()
    command = [sys.executable, '-m', 'scs_ci', 'bundle', '--json', '--python', version, '--machine', machine]
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils')}
    done = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_SECONDS, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)['packages']['path']).is_file()


@pytest.fixture
def target(host: PlaneHost, tmp_path: Path) -> Target:
    (tmp_path / 'prefix').mkdir()
    # A copy: somebody who edits the checkout meanwhile would change what is to be installed.
    leave_out = shutil.ignore_patterns('__pycache__')
    shutil.copytree(ROOT / 'module_utils', tmp_path / 'checkout' / 'module_utils', ignore=leave_out)
    (tmp_path / 'checkout' / 'requirements').mkdir()
    shutil.copy(ROOT / 'requirements' / 'runtime.txt', tmp_path / 'checkout' / 'requirements')
    return Target(host, tmp_path / 'prefix')


def test_install_and_start_twice(target: Target, tools: Path) -> None:
    (target.prefix / 'tools').symlink_to(tools)
    checked = target.play(INSTALL, options=('--check',)).demand()
    assert checked.changed > 0
    assert [path.name for path in target.prefix.iterdir()] == ['tools']

    first = target.play(INSTALL, START).demand()
    assert first.changed > 0
    assert 'management plane ready' in first.output
    assert '127.0.0.1:5443/stacks/cluster-stacks' in first.output
    assert not [path for path in target.prefix.iterdir() if path.name.startswith('.')]

    assert target.play(INSTALL, START).demand().changed == 0
    assert target.play(INSTALL, START, options=('--check',)).demand().changed == 0


def test_no_programs_anywhere(target: Target) -> None:
    played = target.play(INSTALL)
    assert played.code != 0
    assert 'cannot find the Go programs' in played.output
    assert 'make tools' in played.output


def test_a_plane_that_cannot_start_says_why(target: Target, tools: Path) -> None:
    (target.prefix / 'tools').symlink_to(tools)
    missing = target.prefix / 'no-such-operator'
    played = target.play(INSTALL, {**START}, options=('-e', f'ensure_management_plane_cso={missing}'))
    assert played.code != 0
    assert f'cannot read file {missing}: no such file' in ' '.join(played.output.split())
    assert 'Traceback' not in played.output
