"""The catalog of Go programs against the go.mod files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scs_setup import paths, programs
from scs_setup import tools as builder
from scs_setup.problems import SetupProblem
from scs_setup.programs import Program

pytestmark = pytest.mark.unit

GO_MOD = """module example.invalid/tools

go 1.26.0

require example.com/single v0.1.0

require (
\texample.com/prog/v2 v2.3.4-rc.1
\tk8s.io/kubernetes v1.34.10
\texample.com/other v1.0.0 // indirect
)

replace (
\tk8s.io/api => k8s.io/api v0.34.10
)
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    (tmp_path / 'family').mkdir()
    (tmp_path / 'family' / 'go.mod').write_text(GO_MOD)
    return tmp_path


def program(**fields: object) -> Program:
    base = {'name': 'prog', 'module': 'family', 'package': 'example.com/prog/v2/cmd'}
    base |= {'version_of': 'example.com/prog/v2', 'reason': 'r', 'cold_seconds': 1}
    return Program(**{**base, **fields})  # type: ignore[arg-type]


def test_requirements_are_read_but_not_replacements() -> None:
    assert programs.requirements(GO_MOD) == {
        'example.com/single': 'v0.1.0',
        'example.com/prog/v2': 'v2.3.4-rc.1',
        'k8s.io/kubernetes': 'v1.34.10',
        'example.com/other': 'v1.0.0',
    }


def test_stamps_come_from_the_pinned_versions(tools: Path) -> None:
    stamped = program(stamps={'p.v': '{bare}', 'p.k': '{kubernetes_major}.{kubernetes_minor}'}, version_info='i')
    assert programs.stamps(stamped, tools) == {
        'p.v': '2.3.4-rc.1',
        'p.k': '1.34',
        'i.gitVersion': 'v2.3.4-rc.1',
        'i.gitMajor': '2',
        'i.gitMinor': '3',
        'i.gitTreeState': 'clean',
    }
    assert programs.linker_flags(program(stamps={'p.v': '{version}'}), tools) == '-s -w -X=p.v=v2.3.4-rc.1'


def test_program_that_go_mod_does_not_know_is_an_error(tools: Path) -> None:
    with pytest.raises(SetupProblem, match='does not require example.com/typo'):
        programs.version(program(version_of='example.com/typo'), tools)


def test_the_catalog_is_consistent() -> None:
    catalog, manifests = programs.catalog()
    assert set(catalog) == {
        *('etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl', 'kubeadm', 'clusterctl', 'helm', 'csctl'),
        *('capi-core', 'capi-kubeadm-bootstrap', 'capi-kubeadm-control-plane', 'capo', 'orc', 'cso', 'registry'),
        *('chartrender', 'classcheck'),
    }
    for entry in catalog.values():
        assert programs.version(entry).startswith('v')
        assert bool(entry.ask) == bool(entry.answer), entry.name
        assert not entry.answer or programs.wanted_answer(entry) != entry.answer, 'an answer must name the version'
    assert set(manifests) == {'capi', 'cabpk', 'kcp', 'capo', 'orc', 'cso'}


def test_sets_take_their_minor_from_their_name() -> None:
    sets = programs.sets()
    assert next(iter(sets)) == 'plane'
    node = sets['node-1.34']
    assert node.includes == ('machine', 'addons', 'storage', 'test-images')
    assert set(node.programs) >= {'kubelet', 'kubeadm', 'kubectl', 'kube-apiserver', 'kube-scheduler', 'kube-proxy'}
    for name, group in sets.items():
        minor = name.partition('node-')[2]
        assert not any('{' in program for program in group.programs), name
        for entry in group.programs.values():
            assert programs.version(entry).startswith(f'v{minor}'), (name, entry.name)
            assert name in ('plane', 'test-images') or entry.test or entry.answer, (name, entry.name)
            assert '{' not in entry.module, (name, entry.name)
        assert set(group.includes) <= set(sets), name
        assert not set(group.programs) & {other for part in group.includes for other in sets[part].programs}, name


def test_unknown_set_is_wrong_usage() -> None:
    with pytest.raises(SetupProblem, match='there are only plane, ') as caught:
        programs.named('node-1.2')
    assert caught.value.exit_code == 2


def test_a_program_of_ours_has_a_version_of_its_own(tools: Path) -> None:
    ours = program(version_of='', own_version='v1.0.0', stamps={'main.version': '{bare}'})
    assert programs.version(ours, tools) == 'v1.0.0'
    assert programs.stamps(ours, tools) == {'main.version': '1.0.0'}


def test_the_key_of_a_set_depends_only_on_what_it_is_made_of(tmp_path: Path) -> None:
    copy = tmp_path / 'tools'
    shutil.copytree(paths.TOOLS, copy)
    before = {name: builder.key(name, copy) for name in ('plane', 'machine', 'node-1.34')}
    assert before == {name: builder.key(name) for name in before}
    (copy / 'pause' / 'main.go').write_text('package main\n')
    after = {name: builder.key(name, copy) for name in before}
    assert after['plane'] == before['plane']
    assert after['machine'] != before['machine']
    assert after['node-1.34'] != before['node-1.34'], 'it includes the set machine'


def test_the_table_has_a_row_for_each_program() -> None:
    rows = programs.table().splitlines()
    assert len(rows) == 2 + sum(len(group.programs) for group in programs.sets().values())
    assert '| plane | kube-apiserver | v1.34.' in programs.table()
