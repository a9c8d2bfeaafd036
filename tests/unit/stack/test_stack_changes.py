"""What changed since a git revision: exactly what reaches a release, with the reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stack_data import MANAGER, write

from scs_ci.core.errors import UsageProblem
from scs_ci.stack import changes, discover, gitread
from scs_ci.stack.rule import BASE

pytestmark = pytest.mark.unit
MANAGER_FILE = 'providers/openstack/scs/image-manager.yaml'


def git(checkout: Path, *words: str) -> None:
    identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false']
    subprocess.run(['git', '-C', str(checkout), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(checkout: Path) -> Path:
    git(checkout, 'init', '-q')
    git(checkout, 'add', '-f', 'providers')
    git(checkout, 'commit', '-qm', 'first')
    return checkout


def changed(repository: Path, reference: str = 'HEAD') -> dict[str, str]:
    return changes.changed(repository, reference, discover.find(repository))


def test_untracked_files_are_those_that_git_does_not_know(
    repository: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = discover.find(checkout)[0].path
    assert gitread.untracked(repository, place) == frozenset()
    (repository / place / 'new').touch()
    assert gitread.untracked(repository, place) == {'new'}
    # a plane host has a copy, and need not have git
    monkeypatch.setenv('PATH', '')
    assert gitread.untracked(repository, place) == frozenset()


def test_nothing_changed(repository: Path) -> None:
    (repository / 'README.md').write_text('x')

    assert changed(repository) == {}
    assert len(gitread.commit(repository).removesuffix('-dirty')) == 40


@pytest.mark.parametrize(
    ('file', 'part'),
    [
        ('csctl.yaml', 'tool config changed (csctl.yaml)'),
        ('cluster-class/templates/class.yaml', 'class changed (cluster-class/templates/class.yaml)'),
        ('cluster-addon/cni/Chart.yaml', 'addons changed (cluster-addon/cni/Chart.yaml)'),
        ('image.yaml', 'node images changed (image.yaml is new)'),
        ('new.yaml', 'other files changed (new.yaml is new)'),
        ('README.md', 'other files changed (README.md is new)'),
    ],
)
def test_any_file_below_a_stack_changes_it(repository: Path, file: str, part: str) -> None:
    path = repository / 'providers/docker/demo' / file
    path.write_text((path.read_text() if path.exists() else '') + '\n# more\n')

    assert changed(repository) == {'providers/docker/demo': f'{part} since HEAD'}
    assert gitread.commit(repository).endswith('-dirty')


def test_the_reason_names_all_parts_and_some_files_of_each(repository: Path) -> None:
    write(repository / 'providers/docker/demo', {f'cluster-addon/csi/{name}': 'x' for name in 'abcde'})
    (repository / 'providers/docker/demo/csctl.yaml').write_text('')

    first = ', '.join(f'cluster-addon/csi/{name} is new' for name in 'abc')
    assert changed(repository) == {
        'providers/docker/demo': f'addons changed ({first} and 2 more), tool config changed (csctl.yaml) since HEAD'
    }


def test_a_file_that_is_gone_and_a_new_stack(repository: Path) -> None:
    (repository / 'providers/docker/demo/cluster-addon/cni/Chart.yaml').unlink()
    write(repository / 'providers/openstack/other', dict(BASE))

    assert changed(repository) == {
        'providers/docker/demo': 'addons changed (cluster-addon/cni/Chart.yaml is gone) since HEAD',
        'providers/openstack/other': 'new since HEAD',
    }


def test_a_shared_image_list_changes_the_minors_whose_entries_differ(repository: Path) -> None:
    shared = repository / MANAGER_FILE
    shared.write_text(MANAGER + '      - version: v1.36.2\n')
    assert changed(repository) == {}

    shared.write_text(MANAGER + '      - version: v1.35.11\n')
    assert changed(repository) == {'providers/openstack/scs/1-35': f'shared files changed ({MANAGER_FILE}) since HEAD'}

    for other in (
        MANAGER.replace('images:', 'images: [\n'),
        MANAGER.replace('  - versions', '  - name: x\n    versions'),
    ):
        shared.write_text(other)
        assert list(changed(repository)) == ['providers/openstack/scs/1-35'], 'what cannot be told apart reaches all'


def test_other_files_between_checkout_and_stack_reach_it_but_for_documents(repository: Path) -> None:
    write(repository / 'providers/openstack', {'common.yaml': 'x', 'README.md': 'x'})
    (repository / 'Makefile').write_text('x')

    reason = 'shared files changed (providers/openstack/common.yaml) since HEAD'
    assert changed(repository) == dict.fromkeys(['providers/openstack/demo', 'providers/openstack/scs/1-35'], reason)


def link(repository: Path, target: str) -> Path:
    """A file of the docker stack that is a link, committed."""
    path = repository / 'providers/docker/demo/cluster-class/values.yaml'
    path.symlink_to(target)
    write(repository / 'shared', {'values.yaml': 'a: 1\n'})
    git(repository, 'add', '-f', 'providers', 'shared')
    git(repository, 'commit', '-qm', 'link')
    return path


def test_what_a_link_leads_to_reaches_the_stack(repository: Path) -> None:
    path = link(repository, '../../../../shared/values.yaml')
    assert changed(repository) == {}

    write(repository / 'shared', {'values.yaml': 'a: 2\n'})
    assert changed(repository) == {'providers/docker/demo': 'shared files changed (shared/values.yaml) since HEAD'}

    # the hash of csctl is over the content, whether a link leads to it or not
    path.unlink()
    path.write_text('a: 1\n')
    assert changed(repository) == {}


def test_links_to_nowhere_are_told_by_their_text(repository: Path) -> None:
    path = link(repository, 'values.yaml')
    assert changed(repository) == {}

    path.unlink()
    path.symlink_to('/nowhere')
    assert list(changed(repository)) == ['providers/docker/demo']


def test_a_chart_beside_the_stacks_reaches_those_that_depend_on_it(repository: Path) -> None:
    chart = 'name: cni\nversion: v1\ndependencies:\n  - name: x\n    repository: "file://../../../../../charts/x"\n'
    write(repository, {'providers/docker/demo/cluster-addon/cni/Chart.yaml': chart, 'charts/x/values.yaml': 'a: 1\n'})
    git(repository, 'add', '-f', 'providers', 'charts')
    git(repository, 'commit', '-qm', 'chart')
    assert changed(repository) == {}

    write(repository, {'charts/x/values.yaml': 'a: 2\n', 'charts/y/values.yaml': 'a: 2\n'})
    assert changed(repository) == {'providers/docker/demo': 'shared files changed (charts/x/values.yaml) since HEAD'}


def test_ignored_files_do_not_count(repository: Path) -> None:
    write(repository, {'.gitignore': '*.tmp\n', 'providers/docker/demo/x.tmp': 'x'})

    assert changed(repository) == {}


@pytest.mark.parametrize('format', ['sha1', 'sha256'])
def test_the_checkout_may_be_a_part_of_a_repository_of_either_kind(tmp_path: Path, format: str) -> None:
    write(tmp_path / 'deep/providers/openstack/demo', dict(BASE))
    git(tmp_path, 'init', '-q', f'--object-format={format}')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '-qm', 'first')
    assert changed(tmp_path / 'deep') == {}

    write(tmp_path / 'deep/providers/openstack/demo', {'csctl.yaml': ''})
    assert changed(tmp_path / 'deep') == {'providers/openstack/demo': 'tool config changed (csctl.yaml) since HEAD'}
    stack = tmp_path / 'deep/providers/openstack/demo'
    assert changed(stack) == {'.': 'tool config changed (csctl.yaml) since HEAD'}


def test_a_change_of_mode_is_no_change(repository: Path) -> None:
    (repository / 'providers/docker/demo/csctl.yaml').chmod(0o755)

    assert changed(repository) == {}


def test_an_unknown_reference_is_told(repository: Path) -> None:
    with pytest.raises(UsageProblem, match='no such commit'):
        changed(repository, 'no-such-branch')


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert gitread.commit(tmp_path) == ''
