"""The archive of container images, made from real programs and compared with what the real kubeadm asks for."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from scs_sandbox import environments
from scs_sandbox.images import archive, files, suite

# Minutes when the programs have to be built.
pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope='module')
def tools() -> Path:
    return environments.machine_programs('1.34')


@pytest.fixture(scope='module')
def made(tools: Path) -> Path:
    return archive.ensure(archive.built(tools)['kubeadm'].removeprefix('v'), tools)


def names(path: Path) -> set[str]:
    with tarfile.open(path) as opened:
        content = opened.extractfile('index.json')
        assert content is not None
        index = json.loads(content.read())
    return {described['annotations']['io.containerd.image.name'] for described in index['manifests']}


def test_all_that_kubeadm_asks_for_is_there(tools: Path, made: Path) -> None:
    wanted = archive.references(archive.built(tools)['kubeadm'].removeprefix('v'), tools)
    assert len(wanted) == 7
    assert names(made) > set(wanted)
    told = {reference for image in archive.facts(made) for reference in image['references']}
    assert told == names(made)


def test_machines_of_another_minor_get_what_runs_on_all_nodes(tools: Path, made: Path) -> None:
    other = archive.spanning(archive.built(tools)['kubeadm'].removeprefix('v'), tools)
    assert {archive.repository(name) for name in names(other)} == set(archive.SPANNING)
    assert names(other) < names(made)


def test_all_images_of_the_example_stack_are_there(made: Path) -> None:
    """No other machine of the sandbox's network could be asked for them."""
    charts = Path(__file__).parents[3] / 'examples/cluster-stacks/charts'
    values = [yaml.safe_load(file.read_text()) for file in charts.glob('*/values.yaml')]
    wanted = {value for chart in values for name, value in chart.items() if name.lower().endswith('image')}
    assert len(wanted) == 3
    assert wanted <= names(made)
    assert any(name.startswith('registry.k8s.io/metrics-server/metrics-server:v') for name in names(made))


def test_the_shell_of_images_of_specs_is_that_which_they_look_for(tmp_path: Path) -> None:
    """busybox, whose words specs compare; but bash where a variable would be lost."""
    shell, busybox = tmp_path / 'sh', tmp_path / 'busybox'
    shell.write_text(suite.SHELL.replace('/bin/busybox', str(busybox)))
    busybox.write_text('#!/bin/bash\nexec -a busybox echo "busybox $*"\n')
    for program in (shell, busybox):
        program.chmod(0o755)

    def said(*words: str, **env: str) -> str:
        environment = {'PATH': '/usr/bin:/bin', 'PLAIN_1': 'x', **env}
        done = subprocess.run([shell, *words], env=environment, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    assert said('-c', 'env', 'two words') == 'busybox -c env two words'
    assert 'data-1=kept' in said('-c', 'env', **{'data-1': 'kept'}).splitlines()


def test_images_of_specs_find_the_hosts_of_their_pod_without_a_name_server(tmp_path: Path) -> None:
    for folder in ('own/etc', 'root'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'own/etc/hosts').write_text('10.1.2.3 querier.dns.svc querier\n')
    (tmp_path / 'own/etc/nsswitch.conf').write_text(suite.NAMES)
    tree = files.ensure(None, suite.PACKAGES)
    script = 'mount -t overlay overlay -o "lowerdir=$1/own:$2" "$1/root" && exec chroot "$1/root" getent hosts querier'
    words = ['unshare', '-m', 'sh', '-c', script, 'sh', tmp_path, tree]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.split() == ['10.1.2.3', 'querier.dns.svc', 'querier'], done.stderr


def test_blobs_have_the_digests_of_their_names(made: Path) -> None:
    with tarfile.open(made) as opened:
        for member in opened:
            if member.name.startswith('blobs/'):
                file = opened.extractfile(member)
                assert file is not None
                assert hashlib.file_digest(file, 'sha256').hexdigest() == Path(member.name).name


def test_kubeadm_is_asked_for_the_tags_of_another_patch(tools: Path) -> None:
    wanted = archive.references('1.34.7', tools)
    assert 'registry.k8s.io/kube-apiserver:v1.34.7' in wanted
