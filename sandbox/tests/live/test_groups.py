"""Servers and their control groups, on whatever version this host has: no lab and no network, so that kernels that
cannot make those can be looked at, too.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scs_sandbox import images
from scs_sandbox.machines import cgroups, hypervisor, kernel
from scs_sandbox.machines.hypervisor import Host
from scs_sandbox.machines.model import Image, Server, parse_server

pytestmark = pytest.mark.integration
MEMORY = 256 << 20
ID = '6005052a-3a34-59e3-815f-5cebba3097eb'
# A busy or slow machine needs its time; 3 s on an idle one.
BOOT = 300.0
# The server's own word that its systemd makes groups with limits, and about what it has.
USER_DATA = """#!/bin/sh
exec > /root/seen 2>&1
systemd-run --wait --quiet -p MemoryMax=32M -p TasksMax=50 true && echo limited=yes
echo "controllers=$(cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null)"
echo "group=$(cat /proc/1/cgroup)"
echo done
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    tree = Image(images.tree(images.build_plain()))
    found = Host(f'g{os.getpid()}', tmp_path / 'servers', {'plain': tree}, kernel.binds(), cgroups.host_layout())
    try:
        yield found
    finally:
        hypervisor.delete(found, ID, ())
        cgroups.drop_parents(found.layout, found.sandbox)
    assert not any(path.exists() for path in cgroups.parents(found.layout, found.sandbox))


def server() -> Server:
    return parse_server(
        {
            'id': ID,
            'name': 'one',
            'hostname': 'one',
            'state': 'running',
            'image': 'plain',
            'memory_mb': MEMORY >> 20,
            'vcpus': 1,
            'ports': [],
            'user_data': base64.b64encode(USER_DATA.encode()).decode(),
            'keys': [],
            'metadata': {},
            'availability_zone': 'nova',
        }
    )


def seen(host: Host) -> dict[str, str]:
    """What the server wrote when cloud-init ran its user data."""
    file = host.place(ID).upper / 'root/seen'
    limit = time.monotonic() + BOOT
    while not (file.exists() and file.read_text().endswith('done\n')):
        assert time.monotonic() < limit, host.place(ID).console.read_text()[-2000:]
        time.sleep(0.2)
    return dict(line.split('=', 1) for line in file.read_text().splitlines() if '=' in line)


def limit_of(host: Host) -> int:
    """The limit of memory that the kernel has for the server."""
    name = 'memory.max' if host.layout.version == 2 else 'memory.limit_in_bytes'
    found = [group / name for group in host.groups(ID) if (group / name).exists()]
    assert len(found) == 1, found
    return int(found[0].read_text())


def together(pid: int) -> set[int]:
    """The processes in the process namespace of this one: all of a server, when this is its first."""
    spaces = {}
    for path in Path('/proc').glob('[0-9]*/ns/pid'):
        with contextlib.suppress(OSError):  # it ended
            spaces[int(path.parts[2])] = path.readlink()
    return {other for other, space in spaces.items() if space == spaces[pid]}


def test_a_server_has_its_limits_and_makes_groups_of_its_own(host: Host) -> None:
    begun = time.monotonic()
    assert hypervisor.start(host, server())
    found = seen(host)
    print(f'version {host.layout.version}: user data done {time.monotonic() - begun:.1f} s after the start')
    assert found['limited'] == 'yes'
    assert limit_of(host) == MEMORY
    # In its own namespace the server is at the top, and nothing of this host is above it.
    assert 'scs-sandbox' not in found['group']
    if host.layout.version == 2:
        assert {'cpu', 'memory', 'pids'} <= set(found['controllers'].split())
    init = hypervisor.init_of(host, ID)
    assert init is not None
    # How many there are by now depends on how far it has booted; that no other is anywhere else does not.
    ours = together(init.pid)
    assert len(ours) > 1
    outside = ours - cgroups.processes(host.groups(ID))
    assert not outside & together(init.pid)
    assert hypervisor.stop(host, ID)
    assert cgroups.processes(host.groups(ID)) == set()


@pytest.mark.skipif(not Path('/run/systemd/system').exists(), reason='this host has another process 1 than systemd')
def test_the_systemd_of_the_host_leaves_a_server_alone(host: Host) -> None:
    hypervisor.start(host, server())
    seen(host)
    before = limit_of(host)
    subprocess.run(['systemctl', 'daemon-reload'], check=True, timeout=BOOT)
    assert hypervisor.init_of(host, ID) is not None
    assert limit_of(host) == before
    assert hypervisor.stop(host, ID)
    subprocess.run(['systemctl', 'daemon-reload'], check=True, timeout=BOOT)
    shutil.rmtree(host.place(ID).upper / 'root', ignore_errors=True)
    assert hypervisor.start(host, server())
    assert limit_of(host) == before


def test_a_start_makes_groups_again_that_went_away_meanwhile(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    create, made = cgroups.create, []

    def and_lose_them(layout: cgroups.Layout, name: str, server_id: str, limits: cgroups.Limits) -> tuple[Path, ...]:
        made.append(create(layout, name, server_id, limits))
        if len(made) == 1:
            cgroups.remove(made[0])
            cgroups.drop_parents(layout, name)
        return made[-1]

    monkeypatch.setattr(cgroups, 'create', and_lose_them)
    assert hypervisor.start(host, server())
    assert len(made) == 2
    assert limit_of(host) == MEMORY
