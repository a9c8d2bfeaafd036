"""Versions of the community's real stacks, from the real indexes; and what the real helm says of our locks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from stack_tools import ROOT, scs_ci

from scs_ci.stack import discover
from scs_ci.stack.bucket import BUCKET
from scs_ci.stack.check import all_rules, run_rules
from scs_ci.stack.helm import Helm
from scs_ci.stack.lock import digest

DATA = Path(os.environ.get('SCS_CI_TESTDATA') or ROOT.parent / 'shared/testdata')
MAIN = DATA / 'cluster-stacks/main-2026-05-04'
SCS, SCS2 = 'providers/openstack/scs', 'providers/openstack/scs2'
# helm answers from local files.
HELM_SECONDS = 60
# The checksum of the image of 1.34.7 is the real one, from the list beside scs2; the others are made up.
SUMS = {
    'ubuntu-2204-kube-v1.32.13': '32' * 32,
    'ubuntu-2404-kube-v1.33.10': 'efc3817b565c407710724b9d7b51cbb433638aad6b613b64843da28d58a777aa',
    'ubuntu-2404-kube-v1.34.7': 'f7bf12297833cca14de6d24081c8a01e99143651e4c01431b911375300550fe0',
    'ubuntu-2404-kube-v1.35.4': '35' * 32,
}
VERSION_RULES = {
    'versions-agree', 'docs-versions', 'chart-minors', 'chart-index', 'chart-lock', 'image-lists', 'image-source',
    'ubuntu-generation', 'class-chart-name', 'declaration',
}  # fmt: skip

pytestmark = pytest.mark.integration
real = pytest.mark.skipif(not MAIN.is_dir(), reason='the public stacks are not here: set SCS_CI_TESTDATA')


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A bucket with some images; indexes come from elsewhere."""
    bucket = tmp_path / 'mirror' / BUCKET.removeprefix('https://')
    for name, checksum in SUMS.items():
        minor = name.rpartition('.')[0]
        (bucket / minor).mkdir(parents=True)
        (bucket / minor / f'{name}.qcow2.CHECKSUM').write_text(f'{checksum}  {name}.qcow2\n')
        (bucket / f'last-{minor.rpartition("v")[2]}').write_text(f'2026-04-16 {minor}/{name}.qcow2\n')
    return tmp_path / 'mirror'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MAIN, tmp_path / 'checkout'))


def versions(action: str, *words: str | Path, mirror: Path) -> tuple[int, str, str]:
    indexes = DATA / 'charts/upstream-index'
    charts = [] if action == 'resolve' else ['--charts', DATA / 'charts/mirror']
    done = scs_ci('versions', action, *words, '--mirror', mirror, '--indexes', indexes, *charts)
    return done.returncode, done.stdout, done.stderr


def findings(checkout: Path, path: str) -> list[str]:
    stack = discover.load(checkout, next(p for p in discover.find(checkout) if p.path == path))
    rules = [rule for rule in all_rules() if rule.id in VERSION_RULES]
    return [f'{f.rule} {f.file}:{f.line} {f.message}' for f in run_rules(stack, rules)]


@real
def test_the_real_index_has_these_charts(mirror: Path) -> None:
    code, out, _ = versions('resolve', MAIN, '--minor', '1.34', '--json', mirror=mirror)

    assert code == 0
    for one in json.loads(out)['resolutions']:
        assert one['kubernetes'] == 'v1.34.7'
        assert one['charts'] == {'openstack-cinder-csi': '2.34.3', 'openstack-cloud-controller-manager': '2.34.2'}


@real
@pytest.mark.parametrize(('path', 'minor', 'files'), [(SCS2, '1.35', 8), (SCS2, '1.34', 1), (SCS, '1.34', 16)])
def test_a_real_stack_states_other_versions(checkout: Path, mirror: Path, path: str, minor: str, files: int) -> None:
    code, _, err = versions('update', checkout, '--stack', path, '--minor', minor, mirror=mirror)

    assert code == 0, err
    assert f'{files} files of 1 stacks changed' in err
    assert findings(checkout, path) == []
    assert versions('update', checkout, '--stack', path, '--minor', minor, mirror=mirror)[:2] == (0, '')
    untouched = [place.path for place in discover.find(MAIN) if place.path != path]
    for other in untouched:
        assert discover.load(checkout, discover.Place(other, 'A')).files == (
            discover.load(MAIN, discover.Place(other, 'A')).files
        )


@real
def test_the_entries_of_scs2_are_generated(mirror: Path, tmp_path: Path) -> None:
    code, _, err = versions('generate', MAIN / SCS2, '--output', tmp_path / 'out', mirror=mirror)

    assert code == 0, err
    found = {p.path: str(discover.load(tmp_path / 'out', p).version) for p in discover.find(tmp_path / 'out')}
    assert found == {'1-32': 'v1.32.13', '1-33': 'v1.33.10', '1-34': 'v1.34.7'}
    assert [finding for path in found for finding in findings(tmp_path / 'out', path)] == []


@real
def test_a_chart_that_is_not_to_be_had_ends_it(checkout: Path, mirror: Path) -> None:
    code, _, err = versions('update', checkout, '--stack', SCS, mirror=mirror)

    assert code == 3
    assert 'openstack-cinder-csi 2.32.2' in err
    assert (
        discover.load(checkout, discover.Place(SCS, 'A')).files == discover.load(MAIN, discover.Place(SCS, 'A')).files
    )


@pytest.mark.parametrize('more', ['', '    condition: a.enabled,b\n    tags: [x, "<y>"]\n    alias: other\n'])
@pytest.mark.parametrize('version', ['>=1.0.0 <2.0.0', '1.2.3', '~1.2.0'])
def test_helm_accepts_the_digest_and_no_other(helm: Helm, tmp_path: Path, version: str, more: str) -> None:
    chart, part = tmp_path / 'chart', tmp_path / 'part'
    for directory, name in ((chart, 'chart'), (part, 'part')):
        directory.mkdir()
        (directory / 'Chart.yaml').write_text(f'apiVersion: v2\nname: {name}\nversion: 1.2.3\n')
    entry = f'dependencies:\n  - name: part\n    version: "{version}"\n    repository: file://../part\n{more}'
    (chart / 'Chart.yaml').write_text((chart / 'Chart.yaml').read_text() + entry)
    declared = {'name': 'part', 'version': version, 'repository': 'file://../part'}
    if more:
        declared |= {'condition': 'a.enabled,b', 'tags': ['x', '<y>'], 'alias': 'other'}  # type: ignore[dict-item]
    held = {'name': 'part', 'version': '1.2.3', 'repository': 'file://../part'}

    for wanted, code in ((digest([declared], [held]), 0), (digest([held], []), 1)):
        lock = f'dependencies:\n- name: part\n  repository: file://../part\n  version: 1.2.3\ndigest: {wanted}\n'
        (chart / 'Chart.lock').write_text(lock + 'generated: "2026-01-01T00:00:00Z"\n')
        done = helm.run('dependency', 'build', chart, seconds=HELM_SECONDS, cwd=tmp_path)
        assert done.code == code, done.stderr
