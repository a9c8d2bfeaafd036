"""Finding, choosing, planning; what changed since a git revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stack_data import write

from scs_ci.core.errors import UsageProblem
from scs_ci.stack import changes, discover, planning
from scs_ci.stack.check import run_rules
from scs_ci.stack.discover import Place
from scs_ci.stack.rule import BASE

pytestmark = pytest.mark.unit
MANAGER = 'images:\n  - versions:\n      - version: v1.35.3\n      - version: v1.35.10\n      - version: v1.36.1\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two stacks of layout A, one minor of layout B."""
    write(tmp_path / 'providers/openstack/demo', dict(BASE))
    write(tmp_path / 'providers/docker/demo', {**BASE, 'csctl.yaml': BASE['csctl.yaml'].replace('openstack', 'docker')})
    minor = {k: v for k, v in BASE.items() if k != 'csctl.yaml'}
    minor['stack.yaml'] = 'provider: openstack\nclusterStackName: scs\nkubernetesVersion: 1.35\n'
    write(tmp_path / 'providers/openstack/scs/1-35', minor)
    write(tmp_path / 'providers/openstack/scs', {'image-manager.yaml': MANAGER})
    write(tmp_path / '.release/providers/x', dict(BASE))
    return tmp_path


def test_both_layouts_are_found(checkout: Path) -> None:
    assert discover.find(checkout) == (
        Place('providers/docker/demo', 'A'),
        Place('providers/openstack/demo', 'A'),
        Place('providers/openstack/scs/1-35', 'B'),
    )


HISTORIC = {name: text for name, text in BASE.items() if name.startswith('cluster-class/')}


@pytest.mark.parametrize(
    ('files', 'version', 'errors'),
    [
        (HISTORIC, 'v1.34', []),
        ({**HISTORIC, 'metadata.yaml': 'versions:\n  kubernetes: v1.34.3\n'}, 'v1.34.3', []),
        ({**HISTORIC, 'metadata.yaml': 'versions: {kubernetes: v1.33.3}\n'}, 'v1.33.3', ['class-chart-name']),
    ],
    ids=['name only', 'metadata', 'other minor'],
)
def test_a_minor_from_before_csctl(tmp_path: Path, files: dict[str, str], version: str, errors: list[str]) -> None:
    more = {
        'cluster-addon/Chart.yaml': 'name: openstack-demo-1-34-cluster-addon\nversion: v1\n',
        'cluster-addon-values.yaml': 'values: ""\n',
    }
    write(tmp_path / 'providers/openstack/demo/1-34', {**files, **more})
    (place,) = discover.find(tmp_path)

    stack = discover.load(tmp_path, place)
    found = run_rules(stack)

    assert (place.layout, discover.find(tmp_path / place.path)[0].layout) == ('historic', 'historic')
    assert (stack.provider.text, stack.name.text, str(stack.version)) == ('openstack', 'demo', version)
    assert [f.rule for f in found if f.severity == 'error' and f.rule == 'class-chart-name'] == errors
    assert [f.file for f in found if f.rule == 'declaration'] == [f'{place.path}/cluster-class/Chart.yaml']


def test_a_stack_of_today_without_its_declaration_is_not_historic(tmp_path: Path) -> None:
    write(tmp_path / 'providers/openstack/demo', HISTORIC)

    assert discover.find(tmp_path) == (Place('providers/openstack/demo', 'A'),)


def test_a_stack_is_a_checkout_of_itself(checkout: Path) -> None:
    assert discover.find(checkout / 'providers/openstack/demo') == (Place('.', 'A'),)


@pytest.mark.parametrize('path', ['', 'missing'])
def test_nothing_found_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageProblem, match='found no cluster stack|not a directory'):
        discover.find(tmp_path / path)


def test_stacks_are_chosen_by_path_glob_and_parent(checkout: Path) -> None:
    places = discover.find(checkout)

    assert [p.path for p in discover.choose(places, ['providers/openstack'])] == [
        'providers/openstack/demo',
        'providers/openstack/scs/1-35',
    ]
    assert [p.path for p in discover.choose(places, ['*/docker/*', ''])] == ['providers/docker/demo']
    assert discover.choose(places, ['']) == places


def test_an_unknown_stack_names_the_nearest(checkout: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        discover.choose(discover.find(checkout), ['providers/openstack/demo', 'providers/docker/dmo'])

    assert 'providers/docker/demo' in caught.value.advice


def test_a_minor_means_the_newest_listed_patch(checkout: Path) -> None:
    stack = discover.load(checkout, Place('providers/openstack/scs/1-35', 'B'))

    assert str(stack.version) == 'v1.35.10'
    assert discover.key(stack) == 'openstack-scs-1-35'


def test_the_plan(checkout: Path) -> None:
    stacks = [discover.load(checkout, place) for place in discover.find(checkout)]

    plan = planning.make_plan(stacks, {s.path: 'all' for s in stacks}, 'e2e')

    docker, openstack, minor = plan.versions
    assert docker.stages == ('check', 'build', 'publish')
    assert docker.skipped == {'deploy': "this plane has no infrastructure provider 'docker'"}
    assert openstack.stages == ('check', 'build', 'publish', 'deploy')
    assert (minor.key, minor.kubernetes, minor.layout) == ('openstack-scs-1-35', 'v1.35.10', 'B')
    assert planning.make_plan(stacks, {s.path: 'all' for s in stacks}, 'check').stages == ('discover',)


def test_conformance_is_planned_where_it_is_asked_for(checkout: Path) -> None:
    stacks = [discover.load(checkout, place) for place in discover.find(checkout)]
    reasons = {s.path: 'all' for s in stacks}

    docker, openstack, _ = planning.make_plan(stacks, reasons, 'e2e', more=('conformance',)).versions

    assert openstack.stages == ('check', 'build', 'publish', 'deploy', 'conformance')
    assert set(docker.skipped) == {'deploy', 'conformance'}
    _, both, _ = planning.make_plan(stacks, reasons, 'e2e', more=('upgrade', 'conformance')).versions
    assert both.stages[-2:] == ('conformance', 'upgrade')
    with pytest.raises(UsageProblem, match='creates no cluster'):
        planning.make_plan(stacks, reasons, 'check', more=('upgrade',))


def test_a_broken_stack_stays_in_the_plan(checkout: Path) -> None:
    (checkout / 'providers/openstack/demo/csctl.yaml').write_text('config: [')
    stack = discover.load(checkout, Place('providers/openstack/demo', 'A'))

    (version,) = planning.make_plan([stack], {stack.path: 'all'}, 'e2e').versions

    assert version.key == 'openstack-demo-undeclared'
    assert 'check' in version.stages


def test_two_directories_of_one_version_are_refused(checkout: Path) -> None:
    write(checkout / 'providers/openstack/copy', dict(BASE))
    stacks = [discover.load(checkout, place) for place in discover.find(checkout)]

    with pytest.raises(UsageProblem, match='both declare it'):
        planning.make_plan(stacks, {s.path: 'all' for s in stacks}, 'e2e')


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
    assert changes.untracked(repository, place) == frozenset()
    (repository / place / 'new').touch()
    assert changes.untracked(repository, place) == {'new'}
    # a plane host has a copy, and need not have git
    monkeypatch.setenv('PATH', '')
    assert changes.untracked(repository, place) == frozenset()


def test_nothing_changed(repository: Path) -> None:
    (repository / 'README.md').write_text('x')

    assert changed(repository) == {}
    assert len(changes.commit(repository).removesuffix('-dirty')) == 40


@pytest.mark.parametrize('file', ['csctl.yaml', 'cluster-class/templates/class.yaml', 'new.yaml', 'README.md'])
def test_any_file_below_a_stack_changes_it(repository: Path, file: str) -> None:
    path = repository / 'providers/docker/demo' / file
    path.write_text((path.read_text() if path.exists() else '') + '\n# more\n')

    assert changed(repository) == {'providers/docker/demo': f'changed: {file} since HEAD'}
    assert changes.commit(repository).endswith('-dirty')


def test_a_file_that_is_gone_and_a_new_stack(repository: Path) -> None:
    (repository / 'providers/docker/demo/cluster-addon/cni/Chart.yaml').unlink()
    write(repository / 'providers/openstack/other', dict(BASE))

    assert changed(repository) == {
        'providers/docker/demo': 'changed: cluster-addon/cni/Chart.yaml since HEAD',
        'providers/openstack/other': 'new since HEAD',
    }


def test_a_shared_file_changes_what_it_reaches(repository: Path) -> None:
    (repository / 'providers/openstack/scs/image-manager.yaml').write_text(MANAGER + '      - version: v1.35.11\n')

    assert changed(repository) == {
        'providers/openstack/scs/1-35': 'shared file providers/openstack/scs/image-manager.yaml changed since HEAD'
    }


def test_a_change_of_mode_is_no_change(repository: Path) -> None:
    (repository / 'providers/docker/demo/csctl.yaml').chmod(0o755)

    assert changed(repository) == {}


def test_an_unknown_reference_is_told(repository: Path) -> None:
    with pytest.raises(UsageProblem, match='no such commit'):
        changed(repository, 'no-such-branch')


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert changes.commit(tmp_path) == ''
