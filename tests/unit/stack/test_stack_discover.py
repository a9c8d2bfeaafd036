"""Finding, choosing, planning."""

from __future__ import annotations

from pathlib import Path

import pytest
from stack_data import write

from scs_ci.cli import main
from scs_ci.core.errors import UsageProblem
from scs_ci.core.outcome import Exit
from scs_ci.core.run import RunDirectory
from scs_ci.stack import discover, planning
from scs_ci.stack.check import run_rules
from scs_ci.stack.discover import Place
from scs_ci.stack.rule import BASE

pytestmark = pytest.mark.unit


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


def test_the_plan_tells_what_an_upgrade_leads_to(checkout: Path) -> None:
    stacks = [discover.load(checkout, place) for place in discover.find(checkout)]
    reasons, upgraded = {s.path: 'all' for s in stacks}, {s.path: 'v1.36.1' for s in stacks[:2]}

    planned = planning.make_plan(stacks, reasons, 'e2e', more=('upgrade',), upgraded=upgraded).versions

    assert [version.upgraded for version in planned] == ['', 'v1.36.1', ''], 'docker is not upgraded, the last unknown'
    without = planning.make_plan(stacks, reasons, 'e2e', upgraded=upgraded).versions
    assert {version.upgraded for version in without} == {''}


def test_stacks_that_cannot_be_read_are_not_offered(checkout: Path) -> None:
    before = {stack.path for stack in discover.readable(checkout)}
    (checkout / 'providers/openstack/demo/two\nlines').write_text('')
    assert before - {stack.path for stack in discover.readable(checkout)} == {'providers/openstack/demo'}


def test_discover_looks_for_the_next_release_where_it_is_told(checkout: Path, tmp_path: Path) -> None:
    def upgraded(run: str, *more: str) -> str:
        chosen = ['--checkout', str(checkout), '--stacks', 'providers/openstack/demo', *more]
        assert main(['discover', '--run', str(tmp_path / run), *chosen]) == 0
        (version,) = RunDirectory.open(tmp_path / run).plan().versions
        return version.upgraded

    assert upgraded('none') == ''
    assert upgraded('same', '--upgrade') == 'v1.34.7', 'released again'
    later = {**BASE, 'csctl.yaml': BASE['csctl.yaml'].replace('v1.34.7', 'v1.35.2')}
    write(tmp_path / 'next/providers/openstack/demo', later)
    assert upgraded('next', '--upgrade', '--to', str(tmp_path / 'next')) == 'v1.35.2'
    (tmp_path / 'empty').mkdir()
    again = ['discover', '--run', str(tmp_path / 'none'), '--checkout', str(checkout)]
    assert main([*again, '--upgrade', '--to', str(tmp_path / 'empty')]) == Exit.USAGE


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
