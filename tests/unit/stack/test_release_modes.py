"""Names, versions and contents of releases."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.core.errors import ProductProblem, UsageProblem
from scs_ci.stack import archive, content, modes, pulling
from scs_ci.stack.build import node_images
from scs_ci.stack.content import Content
from scs_ci.stack.publish import demand_publishable
from scs_ci.stack.release import Versions, fill_markers
from scs_ci.stack.rule import BASE, Example, example_stack
from scs_ci.stack.sources import read_tree
from scs_ci.stack.treehash import Hashes
from scs_ci.stack.versions import Identity, Kubernetes, ReleaseVersion, parse_tag

pytestmark = pytest.mark.unit
# A busy machine is no defect of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEMO = Identity('openstack', 'demo', Kubernetes(1, 34))
METADATA = (
    'apiVersion: metadata.clusterstack.x-k8s.io/v1alpha1\nversions:\n    clusterStack: {}\n    kubernetes: v1.34.7\n'
    '    components:\n        clusterAddon: v3\n        nodeImage: v1\n'
)
HASHES = b'{"clusterStack": "aaaaaaaaa", "clusterAddonDir": "bbb", "clusterAddonValues": ""}'


def files(version: str = 'v4', chart: str = 'openstack-demo-1-34-cluster-class', inner: str = '') -> dict[str, bytes]:
    meta = f'apiVersion: v2\nname: {chart}\nversion: {inner or version}\n'
    return {
        'metadata.yaml': METADATA.format(version).encode(),
        'hashes.json': HASHES,
        f'openstack-demo-1-34-cluster-class-{version}.tgz': archive.pack({f'{chart}/Chart.yaml': meta.encode()}),
    }


def released(version: str = 'v4', tag: str = '', **other: str) -> Content:
    named = tag or DEMO.tag(ReleaseVersion(int(version[1:])))
    return content.content(named, files(version, **other))


@pytest.mark.parametrize(
    ('tag', 'base', 'dotted'),
    [
        ('openstack-scs2-1-34-v2', 'openstack-scs2-1-34', 'v2'),
        ('docker-ferrol-1-27-v0-sha-azlfam7', 'docker-ferrol-1-27', 'v0-sha.azlfam7'),
    ],
)
def test_tags_are_read_back(tag: str, base: str, dotted: str) -> None:
    found = parse_tag(tag)
    assert found is not None
    assert (found[0].base, found[1].dotted) == (base, dotted)


@pytest.mark.parametrize(
    'tag',
    ['', 'latest', 'openstack-scs2-1-34', 'openstack-my-stack-1-34-v2', 'openstack-scs2-1-34-v0-ttl.17', '-a-1-34-v1']
    + ['openstack-scs2-1-034-v1', 'openstack-scs2-1-34-v01', 'openstack-scs2-a-34-v1', 'openstack-scs2-1-34-2'],
)
def test_other_tags_are_none_of_releases(tag: str) -> None:
    assert parse_tag(tag) is None


@UNHURRIED
@given(st.text(alphabet='v0123-.abz', max_size=30))
def test_whatever_is_read_as_a_tag_is_that_tag(text: str) -> None:
    found = parse_tag(text)
    assert found is None or found[0].tag(found[1]) == text


def test_custom_versions_are_the_callers() -> None:
    beta = ReleaseVersion(2, 'beta', '1')
    assert modes.custom('v2-beta.1') == Versions.all_equal(beta)
    assert modes.custom('v2-beta.1', 'v7', 'v0') == Versions(beta, ReleaseVersion(7), ReleaseVersion(0))


@pytest.mark.parametrize('text', ['', '2', 'v2.1', 'v2-beta-1', 'v2-Beta.1', 'v2-beta.x_1', 'v02', 'v1-stable.1', 'v٢'])
def test_custom_versions_that_no_name_can_be_made_of_are_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match='cannot release'):
        modes.custom(text)


def test_the_newest_stable_release_is_that_of_the_same_stack_and_minor() -> None:
    tags = ['openstack-demo-1-34-v9', 'openstack-demo-1-34-v10', 'openstack-demo-1-33-v11', 'openstack-other-1-34-v12']
    tags += ['openstack-demo-1-34-v99-beta-1', 'latest', 'docker-demo-1-34-v13', 'x' * 100]
    assert modes.newest_stable(tags, DEMO) == 'openstack-demo-1-34-v10'
    assert modes.newest_stable(['latest'], DEMO) == ''


def test_a_first_stable_release_is_v1() -> None:
    assert modes.stable(Hashes('a', 'b', '', ''), None, None) == Versions.all_equal(ReleaseVersion(1))


@pytest.mark.parametrize(
    ('hashes', 'images', 'addon', 'image'),
    [
        (Hashes('changed', 'bbb', '', ''), None, 3, 1),  # only the class: csctl would refuse this
        (Hashes('changed', 'ccc', '', ''), None, 4, 1),
        (Hashes('changed', 'bbb', 'values', ''), None, 4, 1),
        (Hashes('changed', 'bbb', '', ''), b'images', 3, 2),
        (Hashes('changed', 'bbb', '', 'ddd'), None, 3, 2),
    ],
)
def test_only_changed_components_count_up(hashes: Hashes, images: bytes | None, addon: int, image: int) -> None:
    wanted = Versions(ReleaseVersion(5), ReleaseVersion(addon), ReleaseVersion(image))
    assert modes.stable(hashes, images, released()) == wanted


def test_what_is_released_already_is_not_released_again() -> None:
    with pytest.raises(modes.Unchanged, match='nothing to release after openstack-demo-1-34-v4'):
        modes.stable(Hashes('aaaaaaaaa', 'bbb', '', ''), None, released())


def test_content_says_what_metadata_and_hashes_say() -> None:
    found = released()
    assert found.kubernetes == Kubernetes(1, 34, 7)
    assert found.versions == Versions(ReleaseVersion(4), ReleaseVersion(3), ReleaseVersion(1))
    assert found.hashes == Hashes('aaaaaaaaa', 'bbb', '', '')


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (None, 'has no metadata.yaml'),
        ('{', 'no YAML'),
        ('', 'no YAML'),
        ('versions: {}', "Kubernetes version ''"),
        (METADATA.format('new'), "version 'new'"),
    ],
)
def test_a_release_that_cannot_be_read_says_why(text: str | None, says: str) -> None:
    with pytest.raises(ProductProblem, match=says):
        content.content('x', {} if text is None else {'metadata.yaml': text.encode()})


def test_hashes_of_other_builders_are_no_hashes() -> None:
    plain = {**files(), 'hashes.json': b'no JSON'}
    assert content.content('x', plain).hashes == Hashes('', '', '', '')
    assert content.content('x', {**plain, 'hashes.json': b'{"clusterStack": "0123abc"}'}).hashes.suffix == '0123abc'


def test_releases_are_read_from_directories_and_archives(tmp_path: Path) -> None:
    directory = tmp_path / 'openstack-demo-1-34-v4'
    directory.mkdir()
    for name, data in files().items():
        (directory / name).write_bytes(data)
    (tmp_path / 'flat.tar.gz').write_bytes(archive.pack(files()))
    (tmp_path / 'below.tar.gz').write_bytes(archive.pack({f'./a/{n}': data for n, data in files().items()}))

    from_directory = content.from_directory(directory)
    assert from_directory.title == 'openstack-demo-1-34-v4'
    assert from_directory.files == files()
    for name in ('flat.tar.gz', 'below.tar.gz'):
        assert content.from_archive(tmp_path / name).files == files()


def test_archives_that_hold_no_release_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / 'bad.tar.gz'
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as made:
        made.addfile(tarfile.TarInfo('../metadata.yaml'))
    for data, says in (
        (b'text', 'not an archive'),
        (archive.pack({'a': b''}), '0 directories'),
        (archive.pack({'a/metadata.yaml': b'', 'b/metadata.yaml': b''}), '2 directories'),
        (stream.getvalue(), 'leaves the archive'),
    ):
        bad.write_bytes(data)
        with pytest.raises(UsageProblem, match=says):
            content.from_archive(bad)
    with pytest.raises(UsageProblem, match='cannot read'):
        content.from_directory(tmp_path / 'absent')


@pytest.mark.parametrize(
    ('reference', 'parts'),
    [
        ('host:5000/a/b:tag', ('host:5000/a/b', 'tag')),
        ('oci://host/a/b:tag', ('oci://host/a/b', 'tag')),
        ('host/a@sha256:0', ('host/a', 'sha256:0')),
    ],
)
def test_references_of_releases(reference: str, parts: tuple[str, str]) -> None:
    assert pulling.split(reference) == parts


@pytest.mark.parametrize('reference', ['', 'tag', 'host/a', 'host:5000/a', 'host/a:', 'host:tag'])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(UsageProblem, match='neither a directory'):
        pulling.split(reference)


def test_a_release_as_the_operator_wants_it_may_be_published() -> None:
    demand_publishable(released())


@pytest.mark.parametrize(
    ('release', 'says'),
    [
        (released(tag='openstack-demo-1-34-v5'), 'metadata.yaml has version v4'),
        (released(tag='openstack-demo-1-33-v4'), 'metadata.yaml has Kubernetes v1.34.7'),
        (released(tag='openstack-other-1-34-v4'), 'it has no openstack-other-1-34-cluster-class-v4.tgz'),
        (released(chart='openstack-demo-1-33-cluster-class'), 'is called openstack-demo-1-33-cluster-class'),
        (released(inner='v1'), 'has version v1'),
    ],
)
def test_a_release_that_the_operator_would_not_take_is_not_published(release: Content, says: str) -> None:
    with pytest.raises(ProductProblem, match=says):
        demand_publishable(release)


def test_a_directory_that_is_not_named_by_a_tag_is_not_published() -> None:
    with pytest.raises(UsageProblem, match='name of its directory'):
        demand_publishable(released(tag='release'))


def test_markers_are_replaced_exactly_as_they_are_written() -> None:
    versions = Versions(ReleaseVersion(1), ReleaseVersion(2), ReleaseVersion(3))
    text = b'<< .ClusterClassVersion >> << .ClusterAddonVersion >> << .NodeImageVersion >>'
    assert fill_markers(text, versions) == b'v1 v2 v3'
    for other in (b'<<.ClusterClassVersion>>', b'<<  .ClusterClassVersion >>', b'x << 2 >> y', b'cat << EOF'):
        assert fill_markers(other, versions) == other
    assert fill_markers(b'\0<< .ClusterClassVersion >>', versions) == b'\0<< .ClusterClassVersion >>'


def test_directories_without_files_are_in_no_archive(tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'cni').mkdir()
    (tmp_path / 'cni/Chart.yaml').write_text('name: cni\n')

    packed = archive.pack(read_tree(tmp_path), directories=True)

    with tarfile.open(fileobj=io.BytesIO(packed)) as made:
        assert made.getnames() == ['cni', 'cni/Chart.yaml']


@pytest.mark.parametrize(
    ('config', 'wanted'),
    [('    config: {method: get}\n', b'images: []\n'), ('    config: {method: build}\n', None), ('', None)],
)
def test_node_images_are_released_where_csctls_plugin_would_copy_them(config: str, wanted: bytes | None) -> None:
    files = {'csctl.yaml': BASE['csctl.yaml'] + config, 'node-images/config.yaml': 'images: []\n'}
    assert node_images(example_stack(Example(files))) == wanted
