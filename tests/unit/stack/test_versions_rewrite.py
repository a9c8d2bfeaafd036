"""Other versions are stated where the old ones stood, and nothing else changes."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from versions_data import CCM, CHART, CSI, FILES, LIST, NEW_SUM, OLD_SUM, TABLE, TEMPLATE, image, stack

from scs_ci.core.errors import ProductProblem
from scs_ci.stack.check import all_rules, run_rules
from scs_ci.stack.lock import digest
from scs_ci.stack.model import Dependency, Stack
from scs_ci.stack.rewrite import Target, range_like
from scs_ci.stack.rewrite import rewrite as rewritten
from scs_ci.stack.update import after, difference, updated
from scs_ci.stack.versions import parse_kubernetes

pytestmark = pytest.mark.unit
# Rules on what an update states.
RULES = (
    'versions-agree', 'docs-versions', 'chart-minors', 'image-lists', 'ubuntu-generation', 'class-chart-name',
    'declaration', 'chart-lock', 'image-source',
)  # fmt: skip
LOCK = (
    f'dependencies:\n- name: {CCM}\n  repository: https://r.example\n  version: 2.34.1\n'
    'digest: sha256:0\ngenerated: "x"\n'
)


def target(version: str, ccm: str = '2.34.2', csi: str = '2.34.3', **more: object) -> Target:
    parsed = parse_kubernetes(version)
    assert parsed
    return Target(parsed, {CCM: ccm, CSI: csi}, image(version), **more)  # type: ignore[arg-type]


def no_archive(entry: Dependency) -> bytes:
    raise AssertionError(f'nobody carries {entry.name}')


def changed(before: Stack, wanted: Target) -> dict[str, str]:
    """path -> new text."""
    files = updated(before, wanted, no_archive).files
    return {path: content.decode() for path, content in files.items() if content is not None}


def lines(old: str, new: str) -> list[str]:
    """Lines that came, without those that only moved."""
    found = difflib.unified_diff(old.split('\n'), new.split('\n'), n=0, lineterm='')
    return [line for line in found if line[0] == '+' and not line.startswith('+++')]


def findings(of: Stack) -> list[str]:
    rules = [rule for rule in all_rules() if rule.id in RULES]
    return [f'{f.rule} {f.file}:{f.line} {f.message}' for f in run_rules(of, rules)]


def test_a_newer_patch_changes_these_lines_and_no_others() -> None:
    new = changed(stack(), target('v1.34.9'))

    url = 'https://nbg1.your-objectstorage.com/osism/openstack-k8s-capi-images/ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.9.qcow2'
    assert {path: lines(FILES[path], text) for path, text in new.items()} == {
        'README.md': ['+  kubernetesVersion: "1.34"', '+version: v1.34.9'],
        'cluster-addon/ccm/Chart.yaml': ['+' + (CHART % (CCM, CCM, '2.34.2')).split('\n')[4]],
        'cluster-class/templates/image.yaml': [f'+    value: {NEW_SUM}', f'+  url: {url}'],
        'cluster-class/values.yaml': ['+image: ubuntu-capi-image-v1.34.9'],
        'csctl.yaml': ['+  kubernetesVersion: "v1.34.9"   # the version'],
        'image.yaml': [
            '+  name: "ubuntu-capi-image-v1.34.9"  # not ubuntu-capi-image-v1.33.4',
            f'+        url: {url}',
            f'+          value: {NEW_SUM}',
        ],
        'kubernetes.yaml': [
            "+      - version: 'v1.34.9'",
            f'+        url: {url}',
            f'+        checksum: "sha256:{NEW_SUM}"',
            '+        build_date: 2026-06-20',
        ],
        'versions.yaml': ['+- kubernetes: 1.34.9  # newest', '+  cinder_csi: 2.34.3', '+  occm: 2.34.2'],
    }


@pytest.mark.parametrize(('version', 'chart'), [('v1.34.9', '2.34.3'), ('v1.35.4', '2.35.0'), ('v1.32.13', '2.32.2')])
def test_what_rules_say_about_versions_is_true_afterwards(version: str, chart: str) -> None:
    assert findings(stack()) != []
    before = stack()

    files = updated(before, target(version, chart, chart), no_archive).files

    assert findings(after(before, files)) == []
    assert updated(after(before, files), target(version, chart, chart), no_archive).files == {}, (
        'a second time changes nothing'
    )


VERSIONS = st.builds(lambda minor, patch: f'v1.{minor}.{patch}', st.integers(30, 37), st.integers(0, 20))


@settings(max_examples=30, deadline=None)
@given(VERSIONS, VERSIONS, st.integers(0, 9))
def test_the_way_to_a_version_does_not_matter(first: str, second: str, chart: int) -> None:
    def at(version: str) -> Target:
        minor = version.split('.')[1]
        wanted = target(version, f'2.{minor}.{chart}', f'2.{minor}.{chart}')
        checksum = hashlib.sha256(version.encode()).hexdigest()
        return replace(wanted, image=replace(image(version), sha256=checksum))

    before = stack()
    direct = after(before, updated(before, at(second), no_archive).files)
    halfway = after(before, updated(before, at(first), no_archive).files)
    around = after(halfway, updated(halfway, at(second), no_archive).files)

    kept = {'versions.yaml', 'kubernetes.yaml'}  # tables also have what was on the way
    assert {p: c for p, c in around.files.items() if p not in kept} == {
        p: c for p, c in direct.files.items() if p not in kept
    }
    assert findings(around) == []


def test_another_minor_and_another_ubuntu() -> None:
    new = changed(stack(), target('v1.32.13', '2.32.0', '2.32.2'))

    assert new['cluster-class/Chart.yaml'] == FILES['cluster-class/Chart.yaml'].replace('1-34', '1-32'), 'CRLF stays'
    assert 'version: "22.04"' in new['image.yaml']
    assert "version: '22.04'" in new['cluster-class/templates/image.yaml']
    assert 'ubuntu-2204-kube-v1.32/ubuntu-2204-kube-v1.32.13.qcow2' in new['cluster-class/templates/image.yaml']
    assert 'e.g. ubuntu-capi-image-v1.30.1' in new['cluster-class/templates/image.yaml'], 'prose stays'
    assert 'version: ~2.32.0}' in new['cluster-addon/csi/Chart.yaml']
    assert new['versions.yaml'] == TABLE + '- kubernetes: 1.32.13\n  cinder_csi: 2.32.2\n  occm: 2.32.0\n'.replace(
        '1.32.13\n', '1.32.13  # newest\n'
    )
    assert new['kubernetes.yaml'].index('v1.32.13') < new['kubernetes.yaml'].index('v1.33.4')
    assert 'openstack-demo-1-33 was the first.' in new['README.md']


def test_an_entry_of_the_list_gets_the_image_of_the_bucket() -> None:
    new = changed(stack(), target('v1.34.7'))

    assert lines(LIST, new['kubernetes.yaml']) == [
        f'+        checksum: "sha256:{NEW_SUM}"',
        '+        build_date: 2026-06-20',
    ]
    assert OLD_SUM not in ''.join(new.values())


def test_images_of_other_builders_stay_in_the_list() -> None:
    other = (
        "  - name: flatcar-image\n    versions:\n      - version: 'v1.34.1'\n"
        f'        url: https://images.example/x.qcow2\n        checksum: "sha256:{"02" * 32}"\n'
    )

    new = changed(stack({'kubernetes.yaml': LIST + other}), target('v1.34.9'))

    assert new['kubernetes.yaml'].endswith(f'        build_date: 2026-06-20\n{other}')


def test_a_day_that_nobody_knows_is_left_out() -> None:
    unknown = target('v1.34.9')
    wanted = Target(unknown.kubernetes, unknown.charts, image('v1.34.9', date=''))

    assert 'build_date' not in '\n'.join(lines(LIST, changed(stack(), wanted)['kubernetes.yaml']))


@pytest.mark.parametrize(
    ('seen', 'version', 'wanted'),
    [
        ('2.33.1', '2.34.2', '2.34.2'),
        ('v2.33.1', '2.34.2', 'v2.34.2'),
        ('2.33.x', '2.34.2', '2.34.x'),
        ('~2.33.0', '2.34.2', '~2.34.0'),
        ('2.33', '2.34.2', '2.34'),
        ('>=2.33.0 <2.34.0', '2.34.2', '2.34.2'),
        ('^1', '2.34.2', '2.34.2'),
        ('latest', '2.34.2', '2.34.2'),
    ],
)
def test_ranges_keep_their_form(seen: str, version: str, wanted: str) -> None:
    assert range_like(seen, version) == wanted


def test_layout_b() -> None:
    declaration = (
        'provider: openstack\nclusterStackName: demo\nkubernetesVersion: 1.34\naddons: {ccm: 2.33.x, csi: 2.34.x}\n'
    )
    before = stack(
        {'csctl.yaml': None, 'stack.yaml': declaration, 'kubernetes.yaml': None, 'versions.yaml': None},
        'B',
        {'../image-manager.yaml': LIST},
    )

    new = changed(before, target('v1.34.9'))

    assert new['stack.yaml'] == declaration.replace('2.33.x', '2.34.x')
    assert "version: 'v1.34.9'" in new['../image-manager.yaml']


def test_locks_and_packed_charts_follow() -> None:
    before = stack({'cluster-addon/ccm/Chart.lock': LOCK})

    lock = changed(before, target('v1.34.9'))['cluster-addon/ccm/Chart.lock']

    assert lines(LOCK, lock)[0] == '+  version: 2.34.2'
    assert lines(LOCK, lock)[1].startswith('+digest: sha256:')
    assert 'generated: "x"' in lock


def test_the_digest_is_the_one_of_helm() -> None:
    # as helm wrote them into two locks of the community's main
    cilium = {'name': 'cilium', 'repository': 'https://helm.cilium.io/', 'version': '1.17.4'}
    metrics = 'https://kubernetes-sigs.github.io/metrics-server/'
    server = {'name': 'metrics-server', 'repository': metrics, 'version': '3.12.2'}

    assert digest([{'alias': 'cilium', **cilium}], [cilium]) == (
        'sha256:bbf6df8f80e3eef4e48b2f767734b19ec0c69aa23afc12f5a2f04587383ef089'
    )
    assert digest([{**server, 'alias': 'metrics-server'}], [server]) == (
        'sha256:b79715342d7c10e97664b5f4d79199044f5da6ef40cca906218cff05ca891122'
    )


@pytest.mark.parametrize(
    ('file', 'text', 'place', 'words'),
    [
        ('csctl.yaml', FILES['csctl.yaml'].replace('v1.34.7', 'v1.34\\x2e7'), 'csctl.yaml:5', 'not written plainly'),
        ('image.yaml', FILES['image.yaml'].replace('openstack-k8s', 'own'), 'image.yaml:12', 'checksum of an image'),
        ('kubernetes.yaml', LIST.replace('openstack-k8s', 'own'), 'kubernetes.yaml', 'not known'),
        ('x.yaml', 'version: &v v1.34.7\nkubernetesVersion: *v\nk8s-version: v1.34\\x2e7\n', 'x.yaml:', ''),
    ],
)
def test_what_cannot_be_rewritten_surely_stops_everything(file: str, text: str, place: str, words: str) -> None:
    if file == 'x.yaml':
        new = changed(stack({file: text}), target('v1.34.9'))
        assert new[file].startswith('version: &v v1.34.9\nkubernetesVersion: *v\n')
        return
    with pytest.raises(ProductProblem) as caught:
        changed(stack({file: text}), target('v1.34.9'))
    assert place in str(caught.value)
    assert words in str(caught.value)


def test_images_from_an_address_that_was_named_are_the_builders() -> None:
    own = {name: FILES[name].replace('openstack-k8s-capi-images', 'own') for name in ('image.yaml', 'kubernetes.yaml')}
    base = 'https://nbg1.your-objectstorage.com/osism/own/'

    new = changed(stack({**own}), target('v1.34.9', bases=(base,)))

    assert f'{base}ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.9.qcow2' in new['image.yaml']


def test_a_statement_that_was_missed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('scs_ci.stack.rewrite.in_documents', lambda stack: iter(()))

    with pytest.raises(ProductProblem, match=r'README.md:7: it would still say 1.33, wanted is 1.34'):
        changed(stack(), target('v1.34.9'))


def test_the_image_must_be_known_where_one_is_stated() -> None:
    known = target('v1.34.9')

    with pytest.raises(ProductProblem, match='the node image of v1.34.9 is not known'):
        rewritten(stack(), Target(known.kubernetes, known.charts))


def test_checksums_belong_to_the_nearest_image() -> None:
    sums = f'{OLD_SUM}  ubuntu-2404-kube-v1.34.7.qcow2\n'
    pair = TEMPLATE + '---\n' + TEMPLATE

    new = changed(stack({'SHA256SUMS': sums, 'cluster-class/templates/image.yaml': pair}), target('v1.34.9'))

    assert new['SHA256SUMS'] == f'{NEW_SUM}  ubuntu-2404-kube-v1.34.9.qcow2\n'
    assert new['cluster-class/templates/image.yaml'].count(NEW_SUM) == 2


def test_the_difference_is_one_that_patch_takes() -> None:
    before = stack({'cluster-class/values.yaml': 'image: ubuntu-capi-image-v1.34.7'})

    shown = difference(before, updated(before, target('v1.34.9'), no_archive), 'providers/openstack/demo')

    assert '--- a/providers/openstack/demo/csctl.yaml\n+++ b/providers/openstack/demo/csctl.yaml\n' in shown
    assert '+image: ubuntu-capi-image-v1.34.9\n\\ No newline at end of file\n' in shown
