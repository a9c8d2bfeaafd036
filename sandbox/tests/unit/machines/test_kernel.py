"""What Kubernetes machines see of the kernel of the host, and what is told when they could not start with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scs_sandbox.machines import cgroups, kernel
from scs_sandbox.machines.cgroups import Hierarchy, Layout
from scs_sandbox.machines.model import Bind

pytestmark = pytest.mark.unit

RELEASE = '6.1.0-9-amd64'


def host(top: Path, *files: str, controllers: str = 'cpuset cpu memory pids') -> Layout:
    """A host with these files and control groups of version 2."""
    for file in files:
        (top / file).parent.mkdir(parents=True, exist_ok=True)
        (top / file).touch()
    (top / 'cgroup.controllers').write_text(controllers)
    (top / 'cgroup.subtree_control').touch()
    return Layout(2, (Hierarchy(top, ''),))


@pytest.mark.parametrize('file', ['boot/config-{}', 'usr/lib/modules/{}/config', 'usr/lib/kernel/config-{}'])
def test_servers_see_the_configuration_where_a_machine_has_it(tmp_path: Path, file: str) -> None:
    layout = host(tmp_path, file.format(RELEASE))
    found = kernel.binds(tmp_path, RELEASE)
    assert found == (Bind(tmp_path / file.format(RELEASE), f'/boot/config-{RELEASE}', read_only=True),)
    assert kernel.shortfalls(layout, tmp_path, RELEASE, 2) == []


def test_a_kernel_that_tells_its_configuration_needs_no_file(tmp_path: Path) -> None:
    layout = host(tmp_path, 'proc/config.gz', f'boot/config-{RELEASE}')
    assert kernel.binds(tmp_path, RELEASE) == ()
    assert kernel.shortfalls(layout, tmp_path, RELEASE, 2) == []


def test_the_configuration_of_another_kernel_does_not_do(tmp_path: Path) -> None:
    layout = host(tmp_path, 'boot/config-5.10.0-1-amd64')
    assert kernel.binds(tmp_path, RELEASE) == ()
    (text,) = kernel.shortfalls(layout, tmp_path, RELEASE, 2)
    assert 'modprobe configs' in text
    assert f'/boot/config-{RELEASE}' in text


def test_machines_need_cpuset_where_other_servers_do_not(tmp_path: Path) -> None:
    layout = host(tmp_path, 'proc/config.gz', controllers='cpu memory pids')
    assert cgroups.shortfalls(layout) == []
    (text,) = kernel.shortfalls(layout, tmp_path, RELEASE, 2)
    assert f'{tmp_path} has no controller cpuset: boot with' in text


def test_machines_need_more_hierarchies_of_version_one(tmp_path: Path) -> None:
    (tmp_path / 'proc').mkdir()
    (tmp_path / 'proc/config.gz').touch()
    names = ('cpu,cpuacct', 'memory', 'pids', 'cpuset', 'devices')
    layout = Layout(1, tuple(Hierarchy(tmp_path / name, name) for name in names))
    assert cgroups.shortfalls(layout) == []
    (text,) = kernel.shortfalls(layout, tmp_path, RELEASE, 2)
    assert text.endswith(f'mount -t cgroup -o freezer cgroup {tmp_path / "freezer"}')


def test_machines_need_the_processors_that_kubeadm_demands(tmp_path: Path) -> None:
    layout = host(tmp_path, 'proc/config.gz')
    assert cgroups.shortfalls(layout) == []
    (text,) = kernel.shortfalls(layout, tmp_path, RELEASE, 1)
    assert text == 'kubeadm refuses a control plane that sees 1 processor: use a host with 2'
    assert kernel.shortfalls(layout, tmp_path, RELEASE, 2) == []
