"""What is in the container images of a Kubernetes version."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.images import archive, build, contents, files, suite
from scs_sandbox.images.oci import Entry

pytestmark = pytest.mark.unit

VERSIONS = {'kube-apiserver': 'v1.34.10', 'etcd': 'v3.6.14', 'pause': 'v1.0.0', 'kube-proxy': 'v1.34.10'}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    directory = tmp_path / 'bin'
    directory.mkdir()
    for name in VERSIONS:
        (directory / name).write_text(name)
    return directory


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = tmp_path / 'tree'
    certificates = tree / 'usr/share/ca-certificates/mozilla'
    certificates.mkdir(parents=True)
    (certificates / 'b.crt').write_text('second\n')
    (certificates / 'a.crt').write_text('first\n')
    for name in (
        'usr/sbin/xtables-nft-multi',
        'bin/busybox',
        'bin/ls',
        'var/lib/dpkg/status',
        'usr/share/doc/x/copyright',
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    monkeypatch.setattr(files, 'applets', lambda _root: ('ls', 'sed', 'sh'))
    return tree


def test_images_start_their_program_and_say_what_is_not_as_named(programs: Path, debian: Path) -> None:
    wanted = ['registry.k8s.io/kube-apiserver:v1.34.7', 'registry.k8s.io/etcd:3.6.5-0', 'registry.k8s.io/pause:3.10.1']
    server, etcd, pause = contents.images(wanted, programs, VERSIONS, debian)
    assert server.references == ('registry.k8s.io/kube-apiserver:v1.34.7',)
    assert server.layers[1][0] == Entry('/usr/local/bin/kube-apiserver', 0o755, source=programs / 'kube-apiserver')
    assert server.simulated == ('kube-apiserver v1.34.10 as v1.34.7',)
    assert etcd.simulated == ('etcd v3.6.14 as 3.6.5-0',)
    assert (pause.entrypoint, pause.simulated) == (('/pause',), ('pause: a program of the sandbox',))
    assert Entry('/etc/ssl/certs/ca-certificates.crt', text='first\nsecond\n') in server.layers[0]


def test_the_same_version_is_not_called_simulated() -> None:
    assert contents.stand_in('registry.k8s.io/kube-apiserver:v1.34.10', 'kube-apiserver', VERSIONS) == ()
    assert contents.stand_in('registry.k8s.io/etcd:3.6.14-0', 'etcd', VERSIONS) == ()


def test_kube_proxy_has_its_programs(programs: Path, debian: Path) -> None:
    layers = contents.kube_proxy('registry.k8s.io/kube-proxy:v1.34.10', programs, VERSIONS, debian).layers
    base = {entry.path: entry for layer in layers for entry in layer}
    assert base['/usr/sbin/ip6tables-restore'].link == 'xtables-nft-multi'
    assert (base['/bin/sed'].link, base['/bin/sh'].link) == ('busybox', 'busybox')
    assert base['/bin/ls'].source == debian / 'bin/ls', 'a real program is not replaced by a link'
    assert '/var/lib/dpkg/status' not in base
    assert '/usr/share/doc/x/copyright' not in base


def test_the_wrapper_turns_off_only_the_conntrack_limits(tmp_path: Path) -> None:
    configuration, told = tmp_path / 'config.conf', tmp_path / 'told'
    configuration.write_text('conntrack:\n  maxPerCore: null\n  min: null\nmode: ""\niptables:\n  minSyncPeriod: 0s\n')
    real = tmp_path / 'real'
    real.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\n')
    real.chmod(0o755)
    text = contents.PROXY_WRAPPER.replace('/tmp/kube-proxy.conf', str(tmp_path / 'changed.conf'))
    text = text.replace(contents.PROXY_CONFIGURATION, str(configuration)).replace(
        '/usr/local/bin/kube-proxy.real', str(real)
    )
    arguments = [f'--config={configuration}', '--hostname-override=a b']
    subprocess.run(['sh', '-c', text, 'kube-proxy', *arguments], check=True, timeout=10)
    assert told.read_text() == f'--config={tmp_path}/changed.conf\n--hostname-override=a b\n'
    assert (tmp_path / 'changed.conf').read_text() == (
        'conntrack:\n  maxPerCore: 0\n  min: 0\nmode: ""\niptables:\n  minSyncPeriod: 0s\n'
    )


def test_addons_have_the_tags_that_stacks_name(programs: Path, debian: Path) -> None:
    versions = {
        'openstack-cloud-controller-manager': 'v1.34.1',
        'metrics-server': 'v0.8.0',
        'flanneld': 'v0.27.4',
        'flannel': 'v0.9.1',
    }
    for name in versions:
        (programs / name).write_text(name)
    found = {image.references[0]: image for image in contents.addons(programs, versions, debian)}
    manager = found['registry.k8s.io/provider-os/openstack-cloud-controller-manager:v1.34.1']
    assert manager.entrypoint == (), 'its chart names the program in the arguments'
    flannel = found['ghcr.io/flannel-io/flannel:v0.27.4']
    plugin = found['ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1']
    assert [text for text in flannel.simulated if 'no backend' in text]
    assert plugin.simulated == ('flannel v0.9.1 as v1.8.0-flannel1',)
    assert flannel.layers[0] == plugin.layers[0], 'stored once'
    copied = {entry.path for entry in plugin.layers[0]}
    assert '/bin/ls' in copied, 'a shell with its commands: the init containers of flannel copy files'


def test_images_of_specs_have_a_shell_and_say_what_stands_in(programs: Path, debian: Path) -> None:
    (programs / 'agnhost').write_text('agnhost')
    made = {reference: image for image in suite.images(programs, debian, '1.34') for reference in image.references}
    agnhost = made['registry.k8s.io/e2e-test-images/agnhost:2.56']
    inside = {entry.path: entry for layer in agnhost.layers for entry in layer}
    assert inside['/agnhost'].source == programs / 'agnhost'
    assert (inside['/bin/sh'].mode, inside['/bin/sh'].text) == (0o755, suite.SHELL)
    assert 'BEGIN CERTIFICATE' in (inside['/localhost.crt'].text or '')
    assert 'hosts: files dns' in (inside['/etc/nsswitch.conf'].text or '')
    assert 'user-defined-in-image' in (inside['/etc/passwd'].text or '')
    assert (agnhost.entrypoint, agnhost.command, agnhost.simulated) == (('/agnhost',), ('pause',), ())
    old, new = (made[f'registry.k8s.io/e2e-test-images/httpd:2.4.{patch}-4'] for patch in (38, 39))
    assert old.simulated == new.simulated == ('test image httpd: served by busybox',)
    assert old.layers != new.layers, 'a rollout between equal images would be none'
    told = [text for image in made.values() for text in image.simulated]
    assert all(text.startswith('test image ') and ',' not in text for text in told)


def test_specs_of_another_minor_ask_for_other_tags(programs: Path, debian: Path) -> None:
    (programs / 'agnhost').write_text('agnhost')
    made = {reference: image for image in suite.images(programs, debian, '1.33') for reference in image.references}
    assert made[f'{suite.REGISTRY}/agnhost:2.53'].simulated == ('test image agnhost: 2.56 as 2.53',)
    assert suite.tags('1.33').also == ('registry.k8s.io/etcd:3.5.21-0',)
    with pytest.raises(SandboxError, match='known are only 1.33, 1.34'):
        suite.tags('1.32')


def test_what_cannot_be_made_is_an_error(programs: Path, debian: Path) -> None:
    with pytest.raises(SandboxError, match='known are only'):
        contents.images(['registry.k8s.io/other:v1'], programs, VERSIONS, debian)
    with pytest.raises(SandboxError, match='holds no such program'):
        contents.images(['registry.k8s.io/coredns/coredns:v1.12.1'], programs, VERSIONS, debian)


def test_another_minor_or_no_programs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match='versions.json'):
        archive.references('1.34.10', tmp_path)
    (tmp_path / 'versions.json').write_text(json.dumps({'kubeadm': 'v1.34.10'}))
    with pytest.raises(SandboxError, match='kubeadm is v1.34.10'):
        archive.references('1.33.13', tmp_path)


def test_the_key_depends_on_version_and_programs(tmp_path: Path) -> None:
    release = build.Release('debian', 'bookworm')
    (tmp_path / 'versions.json').write_text('{}')
    first = archive.key('1.34.10', tmp_path, release)
    assert first == archive.key('1.34.10', tmp_path, release) != archive.key('1.34.7', tmp_path, release)
    (tmp_path / 'versions.json').write_text('{"etcd": "v3.6.14"}')
    assert archive.key('1.34.10', tmp_path, release) != first
