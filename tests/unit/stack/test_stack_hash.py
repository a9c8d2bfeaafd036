"""Hashes, versions, names: what must be identical to csctl."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stack_data import (
    DEMO,
    DEMO_ADDON_DIR,
    DEMO_ADDON_VALUES,
    DEMO_HASH,
    SCS2,
    SCS2_ADDON_DIR,
    SCS2_HASH,
    write,
)

from scs_ci.core.errors import ProductProblem, UsageProblem
from scs_ci.stack import release, treehash
from scs_ci.stack.model import build_model
from scs_ci.stack.sources import read_tree
from scs_ci.stack.versions import Identity, Kubernetes, ReleaseVersion, parse_kubernetes, parse_release

pytestmark = pytest.mark.unit


def test_the_worked_example_of_csctl(tmp_path: Path) -> None:
    found = treehash.hashes(read_tree(write(tmp_path, DEMO)))

    assert found == treehash.Hashes(DEMO_HASH, DEMO_ADDON_DIR, DEMO_ADDON_VALUES, '')
    assert release.hash_versions(found).stack.dotted == 'v0-sha.g8gjzlq'


def test_a_public_stack_has_the_hash_that_csctl_printed() -> None:
    digests = {path: digest for digest, path in (line.split('  ') for line in SCS2.splitlines())}
    addons = {p.removeprefix('cluster-addon/'): d for p, d in digests.items() if p.startswith('cluster-addon/')}

    assert treehash.tree_of_digests(digests) == SCS2_HASH
    assert treehash.tree_of_digests(addons) == SCS2_ADDON_DIR


def test_a_link_counts_with_the_content_of_its_target(tmp_path: Path) -> None:
    plain = write(tmp_path / 'plain', {'a': 'x', 'b': 'x'})
    linked = write(tmp_path / 'linked', {'a': 'x'})
    (linked / 'b').symlink_to('a')

    assert read_tree(linked) == read_tree(plain)


@pytest.mark.parametrize('target', ['.', 'nowhere'])
def test_other_links_are_refused(tmp_path: Path, target: str) -> None:
    (write(tmp_path, {'a': 'x'}) / 'link').symlink_to(target)

    with pytest.raises(ProductProblem, match='neither a regular file nor a link to one'):
        read_tree(tmp_path)


def test_a_newline_in_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProductProblem, match='newline'):
        read_tree(write(tmp_path, {'a\nb': 'x'}))


def test_hashes_sort_by_the_whole_path() -> None:
    files = {'cluster-addon/x': b'1', 'cluster-addon-values.yaml': b'2', 'cluster-addon.yaml': b'3'}

    assert treehash.tree(files) == treehash.tree(dict(reversed(files.items())))
    assert treehash.tree(files) != treehash.tree({**files, 'cluster-addon/x': b'4'})


def test_the_metadata_is_csctls_byte_for_byte() -> None:
    identity = Identity('openstack', 'scs2', Kubernetes(1, 34, 7))
    versions = release.Versions.all_equal(ReleaseVersion(0, 'sha', 'azlfam7'))

    assert release.metadata(identity, versions) == (
        'apiVersion: metadata.clusterstack.x-k8s.io/v1alpha1\nversions:\n    clusterStack: v0-sha.azlfam7\n'
        '    kubernetes: v1.34.7\n    components:\n        clusterAddon: v0-sha.azlfam7\n'
        '        nodeImage: v0-sha.azlfam7\n'
    )
    assert release.hashes_json(treehash.Hashes('a', 'b', '', '')) == (
        '{\n  "clusterStack": "a",\n  "clusterAddonDir": "b",\n  "clusterAddonValues": ""\n}'
    )


def test_names_of_a_release() -> None:
    identity, version = Identity('openstack', 'scs2', Kubernetes(1, 34, 7)), ReleaseVersion(0, 'sha', 'azlfam7')

    assert identity.tag(version) == 'openstack-scs2-1-34-v0-sha-azlfam7'
    assert len(identity.tag(version).split('-')) == 7
    assert identity.class_name(version) == 'openstack-scs2-1-34-v0-sha.azlfam7'
    assert identity.class_archive(version) == 'openstack-scs2-1-34-cluster-class-v0-sha.azlfam7.tgz'
    assert identity.addon_archive(version) == 'openstack-scs2-1-34-cluster-addon-v0-sha.azlfam7.tgz'


@given(
    st.integers(0, 999),
    st.from_regex(r'[a-z0-9]{1,8}', fullmatch=True),
    st.from_regex(r'[a-z0-9]{1,8}', fullmatch=True),
)
def test_dotted_and_dashed_are_the_same_version(major: int, channel: str, patch: str) -> None:
    version = ReleaseVersion(major, channel, patch)

    if channel != 'stable':
        assert parse_release(version.dotted) == parse_release(version.dashed) == version


def test_patches_compare_as_numbers() -> None:
    assert parse_release('v1-beta.9').order < parse_release('v1-beta.10').order
    assert parse_release('v1').order < parse_release('v2').order


@pytest.mark.parametrize('text', ['', '1', 'v', 'v1.2', 'v1-beta', 'v1-a.b.c'])
def test_other_texts_are_no_release_version(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_release(text)


def test_kubernetes_versions() -> None:
    assert parse_kubernetes('1.30') == Kubernetes(1, 30)
    assert str(parse_kubernetes('v1.34.10')) == 'v1.34.10'
    assert parse_kubernetes('latest') is None
    assert Kubernetes(1, 34).agrees(Kubernetes(1, 34, 7))
    assert not Kubernetes(1, 34, 6).agrees(Kubernetes(1, 34, 7))


def test_markers_are_replaced_in_text_only() -> None:
    versions = release.Versions.all_equal(ReleaseVersion(2))

    assert release.fill_markers(b'v: << .ClusterClassVersion >>', versions) == b'v: v2'
    assert release.fill_markers(b'cat <<EOF >> x', versions) == b'cat <<EOF >> x'
    assert release.fill_markers(b'\0<< .ClusterClassVersion >>', versions) == b'\0<< .ClusterClassVersion >>'


def test_the_chart_version_is_replaced_in_its_place() -> None:
    chart = b'# version: old\nname: a\nversion: v1 # placeholder\ndependencies:\n  - version: 1.2.3\n'

    replaced = release.set_chart_version(chart, ReleaseVersion(0, 'sha', 'abc'))

    assert replaced == b'# version: old\nname: a\nversion: v0-sha.abc\ndependencies:\n  - version: 1.2.3\n'


@pytest.mark.parametrize(
    ('old', 'new', 'reason'),
    [
        ('v1.34.7', 'latest', "csctl.yaml:4 states Kubernetes version 'latest'"),
        ('v1.34.7', 'v1.34', 'states only v1.34, and no image list'),
        ('clusterStackName: demo', 'clusterStackName: my-demo', 'has a dash'),
        ('    type: docker\n', '', 'states no provider'),
    ],
)
def test_a_stack_without_identity_is_not_released(old: str, new: str, reason: str) -> None:
    files = {**DEMO, 'csctl.yaml': DEMO['csctl.yaml'].replace(old, new)}
    stack = build_model('demo', 'A', {name: text.encode() for name, text in files.items()})

    with pytest.raises(ProductProblem, match=reason):
        release.demand_identity(stack)


def test_an_open_patch_of_layout_b_is_no_defect_of_the_stack() -> None:
    config = b'provider: openstack\nclusterStackName: demo\nkubernetesVersion: 1.34\n'
    stack = build_model('demo', 'B', {'stack.yaml': config})

    with pytest.raises(UsageProblem, match=r'stack\.yaml:3 states only v1\.34'):
        release.demand_identity(stack)
