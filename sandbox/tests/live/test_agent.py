"""The agent with real servers on real networks. Root; about a minute on 2 cores."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from agent_world import EXTERNAL, World, allow, identifier, spaces, start_agent

from scs_sandbox import lab, names, sweep
from scs_sandbox.agent.client import AgentError
from scs_sandbox.machines import cgroups
from scs_sandbox.machines.process import alive, recorded

pytestmark = pytest.mark.integration
# Seconds for what takes one or two on a quiet machine.
PATIENCE = 60.0


def groups_of(name: str, server: str) -> list[Path]:
    return [path for path in cgroups.groups(cgroups.host_layout(), name, identifier(server)) if path.exists()]


def test_servers_on_overlapping_networks_are_reached_by_their_floating_ips(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.add('two', 'right', '10.0.0.5', groups=['ssh'])
    site.floating = {'one': '198.18.1.11', 'two': '198.18.1.12'}
    site.send_network()
    assert site.boot('one') == 'running'
    first = site.ssh('198.18.1.11', 'hostname; sudo -n true && echo root', patience=60)
    assert first.stdout.split() == ['one', 'root'], first.stderr
    site.boot('two')
    assert site.ssh('198.18.1.12', 'hostname', patience=60).stdout.strip() == 'two'
    across = site.ssh(
        '198.18.1.11',
        'timeout 3 bash -c "</dev/tcp/198.18.1.12/22" && timeout 3 bash -c "</dev/tcp/198.18.1.11/22" && echo both',
    )
    assert across.stdout.strip() == 'both', across.stderr


def test_network_is_idempotent_and_repaired(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    assert site.send_network()
    assert site.send_network() == []
    network = names.network_namespace(site.name, identifier('net-left'))
    subprocess.run(['nsenter', f'--net=/run/netns/{network}', 'nft', 'flush', 'ruleset'], check=True)
    router = names.router_namespace(site.name, identifier('router-left'))
    subprocess.run(['ip', 'netns', 'delete', router], check=True)
    assert site.ask('converge')['errors'] == []
    rules = subprocess.run(
        ['nsenter', f'--net=/run/netns/{network}', 'nft', 'list', 'ruleset'], check=True, capture_output=True, text=True
    ).stdout
    assert 'table ip groups' in rules
    assert router in spaces(site.name)


def test_security_group_blocks_then_allows(site: World) -> None:
    site.add('shut', 'left', '10.0.0.5', groups=['closed'])
    site.add('near', 'left', '10.0.0.6', groups=['ssh', 'peers'])
    site.groups['peers'] = []
    site.floating = {'shut': '198.18.1.11', 'near': '198.18.1.12'}
    site.send_network()
    site.boot('shut')
    site.boot('near')
    probe = 'timeout 1 bash -c "</dev/tcp/10.0.0.5/22" && echo open'
    assert site.ssh('198.18.1.12', 'hostname', patience=60).returncode == 0
    assert site.ssh('198.18.1.11', 'hostname', patience=3).returncode == 255
    assert 'open' not in site.ssh('198.18.1.12', probe).stdout
    site.groups['closed'] = [*site.groups['closed'], allow(22, group=identifier('group-peers'))]
    site.send_network()
    assert 'open' in site.ssh('198.18.1.12', probe).stdout
    assert site.ssh('198.18.1.11', 'hostname').returncode == 255
    site.groups['closed'] = [*site.groups['closed'], allow(22, remote='198.18.0.1/32')]
    site.send_network()
    assert site.ssh('198.18.1.11', 'hostname', patience=5).stdout.strip() == 'shut'


def test_addresses_cannot_be_borrowed_unless_port_security_is_off(site: World) -> None:
    site.add('thief', 'left', '10.0.0.5', groups=['ssh'])
    site.add('free', 'left', '10.0.0.6', secure=False)
    site.add('goal', 'left', '10.0.0.7', secure=False)
    site.floating = {'thief': '198.18.1.11', 'free': '198.18.1.12'}
    site.send_network()
    for server in ('thief', 'free', 'goal'):
        site.boot(server)
    ping = 'timeout 3 ping -c 2 -W 1 -I 10.0.0.99 10.0.0.7 >/dev/null && echo answered'
    borrow = f'sudo -n ip addr add 10.0.0.99/24 dev eth0; {ping}'
    assert (
        site.ssh('198.18.1.11', 'ping -c 1 -W 2 10.0.0.7 >/dev/null && echo answered', patience=60).stdout.strip()
        == 'answered'
    )
    assert 'answered' not in site.ssh('198.18.1.11', borrow).stdout
    assert 'answered' in site.ssh('198.18.1.12', borrow, patience=60).stdout


def test_console_shows_host_keys_and_files_survive_stop_reboot_and_start(site: World) -> None:
    site.add(
        'one',
        'left',
        '10.0.0.5',
        groups=['ssh'],
        user_data='I2Nsb3VkLWNvbmZpZwp3cml0ZV9maWxlczogW3twYXRoOiAvZXRjL21hcmssIGNvbnRlbnQ6IGhpfV0K',
    )
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    assert (
        site.ssh(
            '198.18.1.11', 'cat /etc/mark; cloud-init status --wait >/dev/null; echo kept > note; sync', patience=60
        ).stdout.strip()
        == 'hi'
    )
    console = (site.state / 'servers' / identifier('one') / 'console.log').read_text()
    keys = re.search(r'-----BEGIN SSH HOST KEY KEYS-----\n(?:.*\n)*?.*(ssh-ed25519 \S+)', console)
    assert keys, console[-2000:]
    assert keys.group(1) in site.ssh('198.18.1.11', 'cat /etc/ssh/ssh_host_ed25519_key.pub').stdout
    assert site.boot('one', 'stopped') == 'stopped'
    assert site.ask('server-status', id=identifier('one'))['state'] == 'stopped'
    assert site.boot('one') == 'running'
    assert site.ssh('198.18.1.11', 'cat note', patience=60).stdout.strip() == 'kept'
    for hard in (False, True):
        before = recorded(site.state / 'servers' / identifier('one') / 'init.json')['init']
        assert site.ask('server-reboot', id=identifier('one'), hard=hard)['state'] == 'running'
        assert not alive(before)
        assert site.ssh('198.18.1.11', 'cat note', patience=60).stdout.strip() == 'kept'


def test_a_reboot_from_inside_starts_again_and_a_crash_is_told(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    record = site.state / 'servers' / identifier('one') / 'init.json'
    first = recorded(record)['init']
    site.ssh('198.18.1.11', 'sudo -n systemctl reboot', patience=60)
    limit = time.monotonic() + PATIENCE
    while alive(first) or not alive(recorded(record).get('init')):
        assert time.monotonic() < limit, 'not started again'
        time.sleep(0.1)
    assert site.ssh('198.18.1.11', 'hostname', patience=60).returncode == 0
    os.kill(recorded(record)['init'].pid, signal.SIGKILL)
    limit = time.monotonic() + PATIENCE  # the kernel ends the other processes first
    while (state := site.ask('server-status', id=identifier('one'))['state']) != 'crashed':
        assert time.monotonic() < limit, state
        time.sleep(0.1)
    assert site.ask('converge')['errors'] == []
    assert site.ask('server-status', id=identifier('one'))['state'] == 'crashed'
    assert site.boot('one') == 'running'


def test_ports_are_attached_and_detached_while_running(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.add('second', 'right', '10.0.0.8', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    extra = {**site.servers['second']['ports'][0], 'gateway': None}
    site.ask('server-ports', id=identifier('one'), ports=[*site.servers['one']['ports'], extra])
    assert '10.0.0.8/24' in site.ssh('198.18.1.11', 'ip -br addr show eth1', patience=60).stdout
    site.ask('server-ports', id=identifier('one'), ports=site.servers['one']['ports'])
    assert site.ssh('198.18.1.11', 'ip -br addr show eth1').returncode != 0


def test_a_server_has_the_flavors_memory_and_sees_shared_directories(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    assert site.ssh('198.18.1.11', 'cat /opt/shared/note', patience=40).stdout == 'from the host\n'
    assert site.ssh('198.18.1.11', 'sudo -n touch /opt/shared/mine').returncode == 1
    assert 'MemTotal:         524288 kB' in site.ssh('198.18.1.11', 'cat /proc/meminfo').stdout
    greedy = site.ssh('198.18.1.11', 'python3 -c "x = bytearray(700 << 20)"; echo $?')
    assert greedy.stdout.strip() == '137', greedy.stdout + greedy.stderr
    assert site.ask('server-status', id=identifier('one'))['state'] == 'running'


def test_a_server_directly_on_the_external_network(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    port = {
        **site.servers['one']['ports'][0],
        'network_id': EXTERNAL,
        'addresses': ['198.18.1.50/16'],
        'gateway': '198.18.0.1',
    }
    site.servers['one']['ports'] = [port]
    site.ports['one'].update(network_id=EXTERNAL, addresses=['198.18.1.50'])
    site.send_network()
    site.boot('one')
    assert site.ssh('198.18.1.50', 'hostname', patience=40).stdout.strip() == 'one'
    site.groups['ssh'] = site.groups['closed']
    site.send_network()
    assert site.ssh('198.18.1.50', 'hostname').returncode == 255


def test_delete_leaves_nothing(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.send_network()
    site.boot('one')
    processes = recorded(site.state / 'servers' / identifier('one') / 'init.json')
    assert len(groups_of(site.name, 'one')) == len(cgroups.host_layout().hierarchies)
    removed = site.drop('one')
    assert f'server {identifier("one")}' in removed
    assert not any(map(alive, processes.values()))
    assert groups_of(site.name, 'one') == []
    assert not (site.state / 'servers' / identifier('one')).exists()
    assert site.ask('server-status', id=identifier('one'))['state'] == 'absent'
    assert site.ask('server-delete', id=identifier('one'))['removed'] == []


def test_errors_say_what_on_which_object_and_what_to_do(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', image='no-such-tree')
    site.send_network()
    with pytest.raises(
        AgentError, match=r"cannot start server \S+: image 'no-such-tree' is not one of plain\n  next: "
    ):
        site.boot('one')
    with pytest.raises(AgentError, match='there is no such operation'):
        site.ask('server-explode')
    with pytest.raises(AgentError, match='field'):
        site.ask('server-apply', server={'id': identifier('one')})
    site.servers['one']['memory_mb'] = 1
    with pytest.raises(AgentError, match='too little'):
        site.boot('one')


def test_a_killed_agent_is_followed_by_one_that_adopts(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.add('gone', 'left', '10.0.0.6', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    site.boot('gone')
    path = site.state / 'servers' / identifier('one') / 'init.json'
    before = recorded(path)
    os.kill(recorded(site.state / 'agent.pid')['agent'].pid, signal.SIGKILL)
    os.kill(recorded(site.state / 'servers' / identifier('gone') / 'init.json')['init'].pid, signal.SIGKILL)
    start_agent(site.state)
    assert recorded(path) == before
    assert all(map(alive, before.values()))
    assert site.ssh('198.18.1.11', 'hostname', patience=60).stdout.strip() == 'one'
    assert site.ask('server-status', id=identifier('gone'))['state'] == 'running'
    console = site.state / 'servers' / identifier('one') / 'console.log'
    site.ssh('198.18.1.11', 'sudo -n logger -p user.notice still-on-the-console')
    limit = time.monotonic() + PATIENCE
    while 'still-on-the-console' not in console.read_text():
        assert time.monotonic() < limit, console.read_text()[-2000:]
        time.sleep(0.1)


def test_down_removes_everything_after_kill_nine(world: World, tmp_path: Path) -> None:
    state = tmp_path / f'k{os.getpid()}'
    state.mkdir(mode=0o700)
    (state / 'agent.json').write_bytes(
        (world.state / 'agent.json').read_bytes().replace(world.name.encode(), state.name.encode())
    )
    other = World(state, world.key, groups=dict(world.groups))
    try:
        lab.up(state.name)
        agent = start_agent(state)
        other.add('one', 'left', '10.0.0.5', groups=['ssh'])
        other.send_network()
        other.boot('one')
        visitor = subprocess.Popen(lab.command(state.name, ['sleep', '300']))
        processes = recorded(state / 'servers' / identifier('one') / 'init.json')
        agent.kill()
        agent.wait()
        (state / 'servers' / identifier('one') / 'init.json').unlink()
        removed = sweep.down(state)
    finally:
        sweep.down(state)
    assert visitor.wait(5) == -signal.SIGKILL, 'the visitor in the lab was not ended'
    assert any(text.startswith('server process') for text in removed)
    assert f'directory {state}' in removed
    assert not any(map(alive, processes.values()))
    assert spaces(state.name) == []
    assert not state.exists()
    assert not any(path.exists() for path in cgroups.parents(cgroups.host_layout(), state.name))
    assert str(state) not in Path('/proc/self/mountinfo').read_text()
    assert sweep.down(state) == []
    assert world.ask('status')['error'] is None
