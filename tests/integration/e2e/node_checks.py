"""What a provisioned node must offer to the management plane. Run by test_node.py inside the lab, with testinfra."""

from __future__ import annotations

from typing import Any

GIBIBYTE = 2**30


def test_user_becomes_root_without_password(host: Any) -> None:
    assert host.user().name != 'root'
    assert host.run('sudo --non-interactive id --user').stdout.strip() == '0'


def test_python_is_new_enough(host: Any) -> None:
    found = host.check_output("python3 -c 'import sys; print(*sys.version_info[:2])'").split()
    assert tuple(map(int, found)) >= (3, 11)


def test_only_ssh_listens_to_everybody(host: Any) -> None:
    assert host.socket('tcp://0.0.0.0:22').is_listening
    open_ports = {entry for entry in host.socket.get_listening_sockets() if '0.0.0.0:' in entry or ':::' in entry}
    assert {entry.rsplit(':', 1)[1] for entry in open_ports if entry.startswith('tcp')} == {'22'}


def test_sshd_runs_and_no_password_opens_anything(host: Any) -> None:
    assert host.service('ssh').is_running
    with host.sudo():
        usable = [line for line in host.check_output('passwd --status --all').splitlines() if line.split()[1] == 'P']
    assert usable == []


def test_system_is_up_and_cloud_init_has_finished(host: Any) -> None:
    assert host.check_output('cloud-init status --wait').splitlines()[-1] == 'status: done'
    assert host.run('systemctl is-system-running --wait').stdout.strip() == 'running'


def test_hostname_is_the_name_of_the_server(host: Any) -> None:
    assert host.check_output('hostname').startswith('scs-ci-')


def test_memory_is_that_of_the_flavor(host: Any) -> None:
    """SCS-2V-4 has 4 GiB; the host has more."""
    with host.sudo():
        text = host.check_output(
            'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
        )
    assert int(text) == 4 * GIBIBYTE


def test_the_way_to_the_cloud_is_open(host: Any) -> None:
    assert host.addr('198.19.0.1').port(20000).is_reachable
