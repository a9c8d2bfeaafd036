"""What Kubernetes machines are made of, without building one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.images import build, machine, node
from scs_sandbox.machines import disk
from scs_sandbox.machines.model import Bind, Image

pytestmark = pytest.mark.unit
NAMES = (
    'registry.k8s.io/kube-proxy:v1.34.10',
    'registry.k8s.io/coredns/coredns:v1.12.1',
    'registry.k8s.io/pause:3.10.1',
)


def programs(place: Path) -> Path:
    """A directory as the set-up makes it."""
    for name in (*node.PROGRAMS, *node.NETWORK_PLUGINS):
        (place / 'bin').mkdir(parents=True, exist_ok=True)
        (place / 'bin' / name).write_text(name)
    (place / 'versions.json').write_text('{"kubelet": "v1.34.10"}')
    return place


def archive(place: Path, names: tuple[str, ...] = NAMES) -> Path:
    place.mkdir(exist_ok=True)
    listed = [{'references': [name], 'simulated': [f'{name} too']} for name in names]
    (place / 'images.json').write_text(json.dumps(listed))
    return place / 'images.tar'


def test_other_patches_of_the_minor_get_tags_on_the_versioned_images_only() -> None:
    assert machine.tags(NAMES, ('v1.34.10', 'v1.34.7', 'v1.32.5')) == (
        ('registry.k8s.io/kube-proxy:v1.34.7', 'registry.k8s.io/kube-proxy:v1.34.10'),
    )


def test_machines_have_what_those_of_another_minor_run_in_the_same_cluster(tmp_path: Path) -> None:
    other = ('registry.k8s.io/kube-proxy:v1.33.13', 'registry.k8s.io/coredns/coredns:v1.12.0')
    own = archive(tmp_path / 'own')
    images = machine.Images(own, (archive(tmp_path / 'other', other),), ('v1.34.7', 'v1.33.2'))
    assert images.references == (*NAMES, *other)
    assert images.added == (
        ('registry.k8s.io/kube-proxy:v1.34.7', 'registry.k8s.io/kube-proxy:v1.34.10'),
        ('registry.k8s.io/kube-proxy:v1.33.2', 'registry.k8s.io/kube-proxy:v1.33.13'),
    )
    made = machine.found('1.34.10', tmp_path, tmp_path, own)
    assert not any('v1.33' in text or 'v1.12.0' in text for text in made.simulated), 'of its own minor only'


def test_names_tell_what_must_be_built_again(tmp_path: Path) -> None:
    release = build.Release('debian', 'bookworm')
    images = archive(tmp_path / 'images')
    one, two = programs(tmp_path / 'node-1'), programs(tmp_path / 'node-2')
    first = machine.names(one, machine.Images(images), release)
    patched = machine.names(one, machine.Images(images, patches=('v1.34.7',)), release)
    assert (first.base, first.tree) == (patched.base, patched.tree)
    assert first.content != patched.content
    assert first == machine.names(one, machine.Images(images, patches=('v1.33.2',)), release), 'of another minor'
    beside = machine.names(one, machine.Images(images, (archive(tmp_path / 'beside'),)), release)
    assert first.tree == beside.tree
    assert first.content != beside.content
    other = machine.names(two, machine.Images(images), release)
    assert first.base == other.base
    assert first.tree != other.tree


def test_a_tree_gets_programs_plugins_and_the_pause_image(tmp_path: Path) -> None:
    root = tmp_path / 'tree'
    machine.furnish(root, programs(tmp_path / 'programs'), NAMES[2])
    assert (root / 'usr/bin/kubelet').stat().st_mode & 0o777 == 0o755
    assert (root / 'opt/cni/bin/bridge').read_text() == 'bridge'
    assert f'sandbox_image = "{NAMES[2]}"' in (root / 'etc/containerd/config.toml').read_text()
    assert (root / node.POD_NETWORK.lstrip('/')).stat().st_mode & 0o111
    assert '${node#system:node:}' in (root / node.POD_NETWORK.lstrip('/')).read_text()


def test_programs_without_kubelet_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'versions.json').write_text('{}')
    with pytest.raises(SandboxError, match='kubelet'):
        machine.programs_version(tmp_path)


def test_the_hypervisor_learns_what_each_machine_has_for_itself(tmp_path: Path) -> None:
    made = machine.found('1.34.10', tmp_path / 'entry', tmp_path / 'content', archive(tmp_path / 'images'))
    assert (made.name, made.simulated[0]) == ('machine-1.34', f'{NAMES[0]} too')
    assert made.image().own == (*node.PRIVATE, node.CONTAINERD)


def test_the_hypervisor_writes_what_the_tree_looks_for() -> None:
    assert f'$(cat {node.PEERS} ' in node.POD_NETWORK_SCRIPT
    assert {f'/{path}' for path in (disk.NODE_ADDRESS, disk.PROVIDED_NETWORK)} == {
        node.NODE_ADDRESS,
        node.PROVIDED_NETWORK,
    }
    assert f'{disk.TOLD}/{disk.Place(Path("/s")).peers.name}' == node.PEERS


def test_linked_directories_share_files_but_not_databases(tmp_path: Path) -> None:
    source = tmp_path / 'source'
    (source / 'blobs').mkdir(parents=True)
    (source / 'blobs/one').write_text('one')
    (source / 'link').symlink_to('blobs/one')
    (source / 'meta.db').write_text('db')
    disk.link(source, tmp_path / 'copy')
    assert (tmp_path / 'copy/blobs/one').stat().st_ino == (source / 'blobs/one').stat().st_ino
    assert (tmp_path / 'copy/meta.db').stat().st_ino != (source / 'meta.db').stat().st_ino
    assert (tmp_path / 'copy/link').readlink() == Path('blobs/one')
    assert Image(Path('/t'), ('/a',), (Bind(source, '/b'),)).own == ('/a', '/b')
