"""Roles: their arguments are declared, documented and the same everywhere; their tasks are honest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / 'roles').iterdir() if path.is_dir())
BLOCKS = ('block', 'rescue', 'always')
# Modules that never change anything, so that `changed_when: true` on them would be a lie.
READERS = ('ansible.builtin.debug', 'ansible.builtin.assert', 'ansible.builtin.set_fact', 'ansible.builtin.slurp')

pytestmark = pytest.mark.unit


@pytest.fixture(params=ROLES, ids=lambda path: path.name)
def role(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def specification(role: Path) -> dict[str, Any]:
    content = yaml.safe_load((role / 'meta/argument_specs.yml').read_text(encoding='utf-8'))
    return dict(content['argument_specs']['main'])


def defaults(role: Path) -> dict[str, Any]:
    file = role / 'defaults/main.yaml'
    return yaml.safe_load(file.read_text(encoding='utf-8')) if file.exists() else {}


def tasks(role: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(role.glob('tasks/*.yaml')):
        yield from flat(yaml.safe_load(file.read_text(encoding='utf-8')))


def flat(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in found:
        yield task
        for part in BLOCKS:
            yield from flat(task.get(part, []))


def test_every_argument_bears_the_name_of_its_role(role: Path) -> None:
    prefix = role.name.replace('-', '_') + '_'
    assert [name for name in specification(role)['options'] if not name.startswith(prefix)] == []


def test_every_argument_is_documented_with_its_type(role: Path) -> None:
    text = (role / 'README.rst').read_text(encoding='utf-8')
    documented = {
        name: re.findall(r'^   :type: (\S+)$', body, re.MULTILINE)
        for name, body in re.findall(r'^\.\. zuul:rolevar:: (\S+)\n((?:   .*\n|\n)*)', text, re.MULTILINE)
    }
    assert documented == {name: [option['type']] for name, option in specification(role)['options'].items()}


def test_every_default_is_declared_and_no_required_argument_has_one(role: Path) -> None:
    options = specification(role)['options']
    assert set(defaults(role)) <= set(options)
    assert [name for name in defaults(role) if options[name].get('required')] == []


def test_declared_defaults_are_the_real_ones(role: Path) -> None:
    """Expressions are told in words in the specification, if at all."""
    real = {name: value for name, value in defaults(role).items() if '{{' not in str(value)}
    declared = {
        name: option['default'] for name, option in specification(role)['options'].items() if 'default' in option
    }
    assert {name: declared.get(name) for name in real} == real


def test_every_task_has_a_name_and_modules_are_fully_named(role: Path) -> None:
    own = {path.stem for path in (ROOT / 'library').glob('*.py')} | {'zuul_return', *BLOCKS}
    known = {
        'name',
        'when',
        'vars',
        'register',
        'loop',
        'loop_control',
        'changed_when',
        'failed_when',
        'no_log',
        'environment',
    }
    known |= {
        'delegate_to',
        'delegate_facts',
        'become',
        'check_mode',
        'until',
        'retries',
        'delay',
        'args',
        'ignore_unreachable',
        'notify',
        'async',
    }
    for task in tasks(role):
        assert task.get('name'), task
        unknown = [key for key in task if key not in known | own | {'poll'} and not key.startswith('ansible.builtin.')]
        assert unknown == [], task['name']


def test_tasks_are_honest(role: Path) -> None:
    for task in tasks(role):
        assert 'ignore_errors' not in task, task['name']
        assert not (task.get('changed_when') is True and any(key in READERS for key in task) and 'when' not in task), (
            task
        )
        assert 'ansible.builtin.pause' not in task, task['name']
        if 'until' in task:
            assert 'retries' in task, task['name']
        for module in task.values():
            mode = module.get('mode') if isinstance(module, dict) else None
            assert mode is None or isinstance(mode, str), task['name']


def test_failures_that_are_let_through_have_a_reason(role: Path) -> None:
    """A comment stands above or inside every task with `failed_when: false`."""
    for file in sorted(role.glob('tasks/*.yaml')):
        for part in file.read_text(encoding='utf-8').split('- name: ')[1:]:
            if 'failed_when: false' in part:
                assert '# ' in part, f'{file}: {part.splitlines()[0]}'


def test_a_script_that_carries_something_does_not_stay_and_needs_nothing_executable(role: Path) -> None:
    """After an unreachable host Ansible skips `always`, too, unless that is ignored; noexec is for programs only."""
    for task in tasks(role):
        if 'ansible.builtin.script' in task:
            assert task['ansible.builtin.script'].get('executable') == '/bin/sh', task['name']
            assert task.get('ignore_unreachable') is True, task['name']


def test_credentials_are_never_logged() -> None:
    """Only scs-ci parcel reads clouds.yaml, and says nothing of it; variables may be secret, too."""
    found = list(tasks(ROOT / 'roles/push-run'))
    assert not [task['name'] for task in found if 'from_yaml' in str(task)]
    told = [task for task in found if 'push_run_variables' in str(task)]
    assert [task.get('no_log') for task in told] == [True]
    assert 'push_run_variables' not in str(told[0]['ansible.builtin.command']['argv'])
