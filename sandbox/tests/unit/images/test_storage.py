"""Images of cinder-csi: names and tags of its chart, and scripts that make a directory look like a disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scs_sandbox.images import storage

pytestmark = pytest.mark.unit
VERSIONS = {
    'cinder-csi-plugin': 'v1.34.1',
    'csi-attacher': 'v4.12.0',
    'csi-provisioner': 'v5.3.0',
    'csi-resizer': 'v1.14.0',
    'csi-snapshotter': 'v8.4.0',
    'csi-node-driver-registrar': 'v1.0.0',
    'livenessprobe': 'v1.0.0',
}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    for name in VERSIONS:
        (tmp_path / 'programs').mkdir(exist_ok=True)
        (tmp_path / 'programs' / name).write_text(name)
    return tmp_path / 'programs'


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / 'debian'
    for directory in ('usr/bin', 'usr/share/ca-certificates'):
        (root / directory).mkdir(parents=True)
    (root / 'bin').symlink_to('usr/bin')
    monkeypatch.setattr('scs_sandbox.images.files.applets', lambda root: ('sh', 'mount', 'umount', 'grep', 'mkdir'))
    return root


def test_names_and_tags_are_those_of_the_chart(programs: Path, debian: Path) -> None:
    made = {image.references[0]: image for image in storage.images(programs, VERSIONS, debian)}
    assert made['registry.k8s.io/sig-storage/csi-provisioner:v5.3.0'].simulated == ()
    assert made['registry.k8s.io/sig-storage/csi-attacher:v4.10.0'].simulated == ('csi-attacher v4.12.0 as v4.10.0',)
    own = made['registry.k8s.io/sig-storage/livenessprobe:v2.17.0']
    assert (own.entrypoint, own.simulated) == (('/livenessprobe',), ('livenessprobe: a program of the sandbox',))
    driver = made['registry.k8s.io/provider-os/cinder-csi-plugin:v1.34.1']
    assert driver.entrypoint == (), 'its chart names the program in the arguments'
    paths = [entry.path for layer in driver.layers for entry in layer]
    assert '/usr/bin/cinder-csi-plugin' in paths, 'an entry below /bin would replace the link by a directory'
    assert not any(path.startswith('/bin/') for path in paths)
    assert all(',' not in text for image in made.values() for text in image.simulated)


class Scripts:
    """The scripts of the image with a busybox that tells what it was asked for."""

    def __init__(self, place: Path) -> None:
        self.place, self.volume, self.asked = place / 'bin', place / 'volume', place / 'asked'
        self.place.mkdir()
        self.volume.mkdir()
        for name, text in {**storage.SCRIPTS, 'busybox': f'#!/bin/sh\necho "$*" >> {self.asked}\n'}.items():
            (self.place / name).write_text(text)
            (self.place / name).chmod(0o755)

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {'PATH': f'{self.place}:/usr/bin:/bin'}
        command = [str(self.place / words[0]), *map(str, words[1:])]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment, check=False)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def test_a_volume_is_formatted_once(scripts: Scripts) -> None:
    ask = ('blkid', '-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', scripts.volume)
    assert (scripts.run(*ask).returncode, scripts.run(*ask).stdout) == (2, ''), 'not formatted, as blkid says it'
    assert scripts.run('mkfs.ext4', '-F', '-m0', scripts.volume).returncode == 0
    assert (scripts.run(*ask).returncode, scripts.run(*ask).stdout) == (0, 'TYPE=ext4\n')
    assert scripts.run('fsck', '-a', scripts.volume).returncode == 0
    refused = scripts.run('mkfs.ext4', '-F', '/dev/null')
    assert (refused.returncode, 'is no volume' in refused.stderr) == (1, True)


def test_a_formatted_volume_becomes_an_overlay(scripts: Scripts) -> None:
    scripts.run('mkfs.xfs', '-f', scripts.volume)
    mount = ('mount', '--no-canonicalize', '-t', 'xfs')
    assert scripts.run(*mount, '-o', 'nouuid,defaults', scripts.volume, '/target').returncode == 0
    assert scripts.run(*mount, '-o', 'ro,defaults', scripts.volume, '/target').returncode == 0
    top = scripts.volume / 'xfs'
    layers = f'lowerdir={top}/empty,upperdir={top}/data,workdir={top}/work {scripts.volume} /target'
    assert scripts.asked.read_text().splitlines() == [
        f'mount -t overlay -o rw,{layers}',
        f'mount -t overlay -o ro,{layers}',
    ]


def test_everything_else_is_mounted_as_asked(scripts: Scripts) -> None:
    scripts.run('mount', '--no-canonicalize', '-o', 'bind,remount,rw', '/staging', '/target')
    scripts.run('mount', '-t', 'iso9660', '-o', 'ro', scripts.volume, '/target')
    scripts.run('mount', '-t', 'ext4', scripts.volume, '/target')
    assert scripts.asked.read_text().splitlines() == [
        'mount -o bind,remount,rw /staging /target',
        f'mount -o bind {scripts.volume} /target',
        f'mount -t ext4 {scripts.volume} /target',
    ]
