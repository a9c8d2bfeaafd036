"""What is decided about a server before anything is started."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scs_sandbox import lab
from scs_sandbox.errors import SandboxError
from scs_sandbox.machines import cgroups, disk, hypervisor, links, process, starter
from scs_sandbox.machines.cgroups import Hierarchy, Layout, Limits
from scs_sandbox.machines.model import Bind, Image, Port, Server, parse_server

pytestmark = pytest.mark.unit

ID = '6005052a-3a34-59e3-815f-5cebba3097eb'
PORT = {
    'id': ID,
    'mac': 'FA:16:3E:00:00:01',
    'network_id': ID,
    'addresses': ['10.0.0.5/24'],
    'gateway': '10.0.0.1',
    'mtu': 1442,
}
V1 = """\
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = '30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n'


def server(**changes: Any) -> Server:
    return parse_server(
        {
            'id': ID,
            'name': 'One Two',
            'hostname': 'one',
            'state': 'running',
            'image': 'plain',
            'memory_mb': 1024,
            'vcpus': 2,
            'ports': [PORT],
            'user_data': base64.b64encode(b'#cloud-config\n').decode(),
            'keys': ['ssh-ed25519 AAAA x'],
            'metadata': {'a': 'b'},
            'availability_zone': 'nova',
            **changes,
        }
    )


def test_layout_version_one() -> None:
    layout = cgroups.detect(V1)
    assert layout.version == 1
    assert [h.options for h in layout.hierarchies] == ['cpu,cpuacct', 'memory', 'name=systemd', '']
    assert cgroups.groups(layout, 'box', ID)[1] == Path(f'/sys/fs/cgroup/memory/scs-sandbox-box/{ID}')


def test_layout_version_two() -> None:
    assert cgroups.detect(V2) == Layout(2, (Hierarchy(Path('/sys/fs/cgroup'), ''),))


def test_without_a_hierarchy_for_systemd_the_cure_is_told() -> None:
    with pytest.raises(SandboxError, match='name=systemd'):
        cgroups.detect(V1.replace('name=systemd', 'name=other'))


def test_version_one_alone_would_let_servers_share_the_tree_of_version_two() -> None:
    with pytest.raises(SandboxError, match=r'mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup '):
        cgroups.detect(''.join(V1.splitlines(keepends=True)[:-1]))


def test_limits_of_the_flavor_in_both_versions() -> None:
    limits = Limits(1 << 30, 2)
    assert cgroups.values(cgroups.detect(V2), limits) == (
        {'memory.max': str(1 << 30), 'cpu.max': '200000 100000', 'pids.max': '8192'},
    )
    first, second, *others = cgroups.values(cgroups.detect(V1), limits)
    assert first == {'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '200000'}
    assert second == {'memory.limit_in_bytes': str(1 << 30)}
    assert others == [{}, {}]


def test_create_and_remove_on_a_plain_directory(tmp_path: Path) -> None:
    layout = Layout(2, (Hierarchy(tmp_path, ''),))
    (tmp_path / 'cgroup.controllers').write_text('cpuset cpu memory pids rdma\n')
    made = cgroups.create(layout, 'box', ID, Limits(1 << 30, 1))
    assert (made[0] / 'memory.max').read_text() == str(1 << 30)
    assert (tmp_path / 'cgroup.subtree_control').read_text() == '+cpu +memory +pids +cpuset'
    assert cgroups.console_group(layout, 'box').is_dir()


def unified(top: Path, controllers: str, enabled: str = '', processes: str = '', container: bool = True) -> Layout:
    """A hierarchy of version 2 on an ordinary directory, as a container or as the kernel's own root sees it."""
    (top / 'cgroup.controllers').write_text(controllers)
    (top / 'cgroup.subtree_control').write_text(enabled)
    (top / 'cgroup.procs').write_text(processes)
    if container:
        (top / 'cgroup.type').write_text('domain\n')
    return Layout(2, (Hierarchy(top, ''),))


@pytest.mark.parametrize(
    ('controllers', 'enabled', 'processes', 'container', 'cure'),
    [
        ('cpuset cpu io memory pids', '', '1\n2\n', False, ''),  # the root group may have processes
        ('cpuset cpu io memory pids', 'cpu memory pids', '1\n', True, ''),
        ('cpuset cpu io memory pids', '', '', True, ''),
        ('cpuset cpu io pids', '', '1\n', False, 'boot with cgroup_enable=memory on the kernel command line'),
        ('pids', '', '1\n', True, 'delegated (systemd: Delegate=yes)'),
        ('cpu memory pids', 'cpu pids', '1\n', True, 'do echo $p > '),
    ],
)
def test_controllers_that_servers_cannot_have_are_told_with_the_cure(
    tmp_path: Path, controllers: str, enabled: str, processes: str, container: bool, cure: str
) -> None:
    found = cgroups.shortfalls(unified(tmp_path, controllers, enabled, processes, container))
    assert len(found) == (1 if cure else 0)
    assert all(cure in text and str(tmp_path) in text for text in found)


def test_controllers_of_version_one_that_are_not_mounted() -> None:
    (text,) = cgroups.shortfalls(cgroups.detect(V1))
    assert text.endswith('mkdir -p /sys/fs/cgroup/pids && mount -t cgroup -o pids cgroup /sys/fs/cgroup/pids')


def test_console_copier_cuts_lines_and_their_number_and_reads_on() -> None:
    shown = b'short\r\r\n' + b'x' * 30 + b'\r\n' + b'more\n' * 9
    done = subprocess.run(starter.copy_command(3, 10), input=shown, capture_output=True, check=True, timeout=10)
    first, second, last = done.stdout.splitlines()
    assert (first, second) == (b'short', b'x' * 10)
    assert last.startswith(b'the console log ends here: 3 lines')


def readers_of(terminal_copy: Path) -> list[int]:
    """Processes whose standard output is this file."""
    found = []
    for link in Path('/proc').glob('[0-9]*/fd/1'):
        with contextlib.suppress(OSError):
            if link.resolve() == terminal_copy:
                found.append(int(link.parts[2]))
    return found


def test_a_start_without_control_groups_leaves_no_process(tmp_path: Path) -> None:
    console = tmp_path / 'console.log'
    plan = {
        'groups': [],
        'console_group': str(tmp_path / 'gone'),
        'record': str(tmp_path / 'init.json'),
        'console': str(console),
        'command': ['true'],
        'environment': {},
    }
    done = subprocess.run(
        [sys.executable, '-I', '-S', starter.__file__],
        input=json.dumps(plan),
        text=True,
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert 'No such file' in done.stderr
    assert console.exists()
    limit = time.monotonic() + 5
    while left := readers_of(console):
        assert time.monotonic() < limit, left
        time.sleep(0.01)


def host_of(tmp_path: Path) -> hypervisor.Host:
    (tmp_path / 'cgroup.controllers').write_text('cpu memory pids\n')
    return hypervisor.Host('box', tmp_path / 'servers', {}, (), Layout(2, (Hierarchy(tmp_path, ''),)))


def test_groups_that_systemd_removed_are_made_once_more(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    seen: list[bool] = []

    def launch() -> process.Process:
        seen.append(cgroups.complete(host.layout, 'box', ID))
        if len(seen) == 1:
            shutil.rmtree(tmp_path / 'scs-sandbox-box')  # as a daemon-reload does
            raise SandboxError('cannot start', 'server', 'No such file or directory', '')
        return process.Process(1, 2)

    assert hypervisor._in_groups(host, server(), launch) == process.Process(1, 2)
    assert seen == [True, True]
    assert (host.groups(ID)[0] / 'memory.max').read_text() == str(1 << 30)


@pytest.mark.parametrize(('removes', 'tries'), [(False, 1), (True, 2)])
def test_a_start_that_fails_otherwise_or_again_fails(tmp_path: Path, removes: bool, tries: int) -> None:
    host = host_of(tmp_path)
    seen: list[int] = []

    def launch() -> process.Process:
        seen.append(1)
        if removes:
            shutil.rmtree(tmp_path / 'scs-sandbox-box/consoles')
        raise SandboxError('cannot start', 'server', 'no', '')

    with pytest.raises(SandboxError, match='no'):
        hypervisor._in_groups(host, server(), launch)
    assert len(seen) == tries


def test_few_inotify_instances_are_told_with_the_cure() -> None:
    assert lab.advice(256) == []
    (text,) = lab.advice(128)
    assert '128, enough for about 18 servers or 6 Kubernetes machines' in text
    assert text.endswith('sysctl fs.inotify.max_user_instances=1024')


def test_config_drive_and_identity() -> None:
    files = disk.files(server())
    drive = disk.CONFIG_DRIVE
    meta = json.loads(files[f'{drive}/meta_data.json'])
    assert (meta['uuid'], meta['hostname'], meta['meta'], meta['public_keys']) == (
        ID,
        'one',
        {'a': 'b'},
        {'key-0': 'ssh-ed25519 AAAA x'},
    )
    assert files[f'{drive}/user_data'] == b'#cloud-config\n'
    assert files['etc/hostname'] == b'one\n'
    assert b'10.0.0.5 one\n' in files['etc/hosts']
    assert len(files['etc/machine-id']) == 33
    assert f'{drive}/user_data' not in disk.files(server(user_data=None))


def test_user_data_that_is_no_base64_is_an_error() -> None:
    with pytest.raises(SandboxError, match='not base64'):
        disk.files(server(user_data='x'))


def test_secrets_are_readable_for_root_only(tmp_path: Path) -> None:
    place = disk.Place(tmp_path / ID)
    disk.create(place, server(), Image(tmp_path, private=('/var/lib/etcd',)))
    assert (place.upper / disk.CONFIG_DRIVE / 'user_data').stat().st_mode & 0o777 == 0o600
    assert place.directory.stat().st_mode & 0o777 == 0o700
    assert (place.directory / 'private/var-lib-etcd').is_dir()


def test_a_disk_is_made_once_and_a_half_made_one_again(tmp_path: Path) -> None:
    place, image = disk.Place(tmp_path / ID), Image(tmp_path)
    (place.upper / 'etc').mkdir(parents=True)
    (place.upper / 'etc/half').touch()
    disk.create(place, server(), image)
    assert not (place.upper / 'etc/half').exists()
    (place.upper / 'etc/hostname').write_text('changed by the server\n')
    disk.create(place, server(), image)
    assert (place.upper / 'etc/hostname').read_text() == 'changed by the server\n'


def test_binds_end_with_what_is_shared(tmp_path: Path) -> None:
    found = disk.binds(disk.Place(tmp_path), Image(tmp_path, ('/var/lib/etcd',)), (Bind(Path('/tools'), '/opt/tools'),))
    targets = [bind.target for bind in found]
    assert targets[:5] == ['/var/lib/etcd', disk.TOLD, disk.DISKS, disk.DRIVE, '/proc/meminfo']
    assert found[-1] == Bind(Path('/tools'), '/opt/tools', read_only=True)
    assert not found[0].read_only
    plain = [bind.target for bind in disk.binds(disk.Place(tmp_path), Image(tmp_path), ())]
    assert disk.VOLUMES_TARGET in plain
    assert disk.DISKS not in plain, 'only machines have something that looks for disks'


def test_meminfo_shows_the_flavor() -> None:
    assert disk.meminfo(512).splitlines()[0] == 'MemTotal:         524288 kB'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'state': 'paused'}, 'neither running nor stopped'),
        ({'memory_mb': 0}, 'too little'),
        ({'id': '../../etc'}, 'id is malformed'),
        ({'hostname': 'a b'}, 'hostname'),
        ({'ports': [{**PORT, 'mac': 'nonsense'}]}, 'malformed'),
        ({'ports': [{'id': ID}]}, 'missing'),
    ],
)
def test_a_malformed_server_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        server(**changes)


def test_addresses_are_set_before_the_interface_comes_up() -> None:
    port = Port(ID, 'fa:16:3e:00:00:01', ID, ('10.0.0.5/24',), '10.0.0.1', 1442)
    assert links.guest_commands(port, 'eth0', 0) == [
        'addr add 10.0.0.5/24 dev eth0',
        'link set eth0 mtu 1442 up',
        'route add default via 10.0.0.1 dev eth0',
    ]
    assert links.guest_commands(port, 'eth1', 100)[-1].endswith('metric 100')
    assert links.free_interface({'eth0', 'eth2'}) == 'eth1'


def test_a_process_is_known_by_its_start_time(tmp_path: Path) -> None:
    start = process.start_time(os.getpid())
    assert start is not None
    assert process.alive(process.Process(os.getpid(), start))
    assert not process.alive(process.Process(os.getpid(), start - 1))
    path = tmp_path / 'record.json'
    process.record(path, init=process.Process(1, 2))
    assert process.recorded(path) == {'init': process.Process(1, 2)}
    path.write_text('{"init": {"pid"')
    assert process.recorded(path) == {}


def test_machines_with_a_pod_network_are_told_of_each_other_on_their_networks_only() -> None:
    first = server(features=['cni'])
    other = server(id=ID.replace('1', '2'), features=['cni'], ports=[{**PORT, 'addresses': ['10.0.0.77/24']}])
    plain = server(id=ID.replace('1', '3'), ports=[{**PORT, 'addresses': ['10.0.0.78/24']}])
    apart = replace(other, ports=(replace(other.ports[0], network_id='0' * 36),))
    assert disk.peers(first, [first, other, plain]) == '10.0.0.77\n'
    assert disk.peers(first, [first, apart]) == ''


def test_features_reach_the_tree_and_unknown_ones_are_refused() -> None:
    assert {disk.NODE_ADDRESS, disk.PROVIDED_NETWORK}.isdisjoint(disk.files(server()))
    found = disk.files(server(features=['cni', 'node-ip']))
    assert found[disk.PROVIDED_NETWORK] == b''
    assert found[disk.NODE_ADDRESS].startswith(b'SANDBOX_NODE_IP=--node-ip=10.')
    with pytest.raises(SandboxError, match='magic'):
        server(features=['magic'])
