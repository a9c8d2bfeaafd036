"""How far the main job goes, by what make hands over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scs_setup import e2e, paths, stages, tools
from scs_setup.problems import SetupProblem

pytestmark = pytest.mark.unit
STACK = 'providers/openstack/scs'


def test_extents() -> None:
    assert not stages.chosen({'E2E': 'infra'}).machines
    cluster = stages.chosen({'E2E': 'cluster'})
    assert (cluster.machines, cluster.control_planes, cluster.workers, cluster.specs) == (True, 1, 2, 'smoke')
    full = stages.chosen({'E2E': 'full'})
    assert (full.control_planes, full.workers, full.specs, full.upgrade) == (3, 2, 'quick', True)
    assert stages.extra_variables(full)['upgrade'] is True
    minor = stages.chosen({'UPGRADE': 'minor'})
    assert (minor.upgrade, minor.new_minor, full.new_minor) == (True, True, False)
    upgraded = stages.extra_variables(cluster)
    assert (upgraded['upgrade'], upgraded['variables']) == (True, {'*': stages.BALANCED})
    stays = stages.extra_variables(stages.chosen({'E2E': 'cluster', 'UPGRADE': '0'}))
    assert not {'upgrade', 'variables'} & set(stays)
    assert stages.chosen({}) == cluster
    assert stages.chosen({'CHECKOUT': '/some'}) == stages.chosen({'E2E': 'infra'}), 'its images may not be here'


def test_numbers_and_specs_may_differ() -> None:
    given = {'E2E': 'cluster', 'CONTROL_PLANES': '3', 'WORKERS': '0', 'CONFORMANCE': 'none'}
    extent = stages.chosen(given)
    assert (extent.control_planes, extent.workers, extent.specs) == (3, 0, 'none')
    asked = e2e.request(given)
    assert e2e.repeat(asked) == 'make e2e E2E=cluster CONTROL_PLANES=3 WORKERS=0 CONFORMANCE=none'
    told = [json.loads(word) for word in e2e.extra_variables(asked, '/run') if word.startswith('{')]
    assert {'workers': 0} in told
    assert {'control_planes': 3} in told
    assert not any('conformance' in part for part in told)
    assert stages.BALANCED in [part['variables']['*'] for part in told if 'variables' in part]


def test_the_playbook_learns_of_machines_only_with_machines() -> None:
    assert stages.extra_variables(stages.EXTENTS['infra']) == {}
    full = stages.extra_variables(stages.EXTENTS['full'])
    assert full['conformance'] == 'quick'
    assert full['without_images'] == ['quay.io/cilium/'], (
        'nothing is excused that sandbox/absent-images.toml does not name'
    )
    assert Path(full['waivers']).is_file()
    assert 'waivers' not in stages.extra_variables(stages.EXTENTS['cluster']), 'all of smoke pass'
    assert full['variables']['*']['apiServerLoadBalancer'] == 'octavia-ovn'


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'E2E': 'all'}, 'cannot use E2E=all: it can be infra, cluster, full'),
        ({'E2E': 'cluster', 'CONTROL_PLANES': '2'}, 'cannot use CONTROL_PLANES=2: it can be 1, 3, 5'),
        ({'E2E': 'cluster', 'WORKERS': 'two'}, 'cannot use WORKERS=two: it can be 0 to 99'),
        ({'E2E': 'cluster', 'CONFORMANCE': 'some'}, 'cannot use CONFORMANCE=some: it can be none, smoke'),
        ({'E2E': 'infra', 'WORKERS': '1'}, 'cannot use WORKERS=1: without machines there are no clusters'),
    ],
)
def test_what_cannot_be_is_wrong_usage(given: dict[str, str], said: str) -> None:
    with pytest.raises(SetupProblem) as caught:
        stages.chosen(given)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def plan(*versions: tuple[str, tuple[str, ...]]) -> dict[str, object]:
    return {'versions': [{'path': STACK, 'kubernetes': text, 'stages': parts} for text, parts in versions]}


def test_versions_of_what_is_deployed() -> None:
    given = plan(('v1.34.10', ('check', 'deploy')), ('v1.30.10', ('check',)), ('', ('check', 'deploy')))
    assert stages.planned(given) == {'v1.34.10': [STACK]}


def test_only_what_is_tested_needs_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(tools, 'existing', lambda name: Path('/there'))
    monkeypatch.setattr(tools, 'ensure', built.append)
    monkeypatch.setattr(tools, 'combined', lambda names: Path('+'.join(names)))
    extent = stages.chosen({'UPGRADE': 'minor'})
    both = ('v1.33.13', 'v1.34.10', 'v1.34.7')
    assert stages.build(extent, ['v1.33.13'], both) == Path('plane+e2e-1.33')
    assert built == ['node-1.33', 'node-1.34']
    none = stages.chosen({'UPGRADE': 'minor', 'CONFORMANCE': 'none'})
    assert stages.build(none, ['v1.33.13'], both) == Path('plane')


def test_a_minor_without_machines_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def discover(words: list[str], env: object) -> int:
        folder = next(word.removeprefix('--run=') for word in words if word.startswith('--run='))
        Path(folder, 'plan.json').write_text(json.dumps(plan(('v1.2.3', ('deploy',)))))
        return 0

    monkeypatch.setattr(stages.launch, 'call', discover)
    with pytest.raises(SetupProblem, match='Kubernetes 1.2 is not among those') as caught:
        stages.versions('', '', '', {})
    assert STACK in str(caught.value)
    assert 'E2E=infra' in str(caught.value)
    monkeypatch.setattr(stages.launch, 'call', lambda words, env: 2)
    assert stages.versions('', '', '', {}) == ({}, 2)


def test_programs_of_several_sets_lie_in_one_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    for name, program in (('plane', 'etcd'), ('e2e-1.34', 'ginkgo-1.34')):
        (tmp_path / name / 'bin').mkdir(parents=True)
        (tmp_path / name / 'bin' / program).write_text(program)
        (tmp_path / name / 'versions.json').write_text(json.dumps({'go': 'go1.26', program: 'v1'}))
    (tmp_path / 'plane/manifests-src/capo').mkdir(parents=True)
    monkeypatch.setattr(tools, 'ensure', lambda name: tmp_path / name)
    assert tools.combined(['plane']) == tmp_path / 'plane'
    both = tools.combined(['plane', 'e2e-1.34'])
    assert {file.name for file in (both / 'bin').iterdir()} == {'etcd', 'ginkgo-1.34'}
    assert (both / 'bin/etcd').samefile(tmp_path / 'plane/bin/etcd')
    assert (both / 'manifests-src/capo').is_dir()
    assert json.loads((both / 'versions.json').read_text()) == {'etcd': 'v1', 'ginkgo-1.34': 'v1', 'go': 'go1.26'}


def test_only_the_example_has_a_pod_network_of_its_own(tmp_path: Path) -> None:
    example = str(paths.CHECKOUT / stages.EXAMPLE)
    assert Path(example).is_dir()
    assert stages.pod_network({}, '') == stages.pod_network({}, example) == 'none'
    assert stages.pod_network({}, str(tmp_path)) == 'provided'
    assert e2e.request({'CHECKOUT': str(tmp_path), 'CNI': 'none'}).cni == 'none'
    with pytest.raises(SetupProblem, match='cannot use CNI=cilium'):
        stages.pod_network({'CNI': 'cilium'}, '')
