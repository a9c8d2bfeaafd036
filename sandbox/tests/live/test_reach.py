"""What servers reach, and pods behind them: names, the lab, their own and no other addresses. Root; about 20 s."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from agent_world import World, identifier
from dnslib import RCODE, DNSRecord

from scs_sandbox import netns
from scs_sandbox.machines.process import recorded

pytestmark = pytest.mark.integration

PATIENCE = 60.0  # seconds for the first login; 3 s on an idle machine
NEIGHBOR_SECONDS = 15.0  # a neighbor that did not answer counts as unreachable for some seconds
PROBE = 'timeout 2 bash -c "</dev/tcp/10.0.0.50/22" && echo open'
RESOLVER = '198.19.0.1'
OTHER_RESOLVER = '192.0.2.53'  # nobody's (RFC 5737); the lab answers in its place


def test_servers_find_each_other_by_name_through_any_resolver(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.add('two', 'left', '10.0.0.6', groups=['ssh'])
    site.servers['one']['ports'][0]['dns'] = [OTHER_RESOLVER]
    site.floating = {'one': '198.18.1.11', 'two': '198.18.1.12'}
    site.send_network()
    site.boot('one')
    site.boot('two')
    found = site.ssh('198.18.1.11', 'grep -c 192.0.2.53 /etc/resolv.conf; getent hosts two', patience=PATIENCE)
    assert found.stdout.split()[:2] == ['1', '10.0.0.6'], found.stderr
    assert site.ssh('198.18.1.12', 'getent hosts one', patience=PATIENCE).stdout.split()[0] == '10.0.0.5'
    unknown = site.ssh('198.18.1.11', 'timeout 3 getent hosts no-such-server; echo $?')
    assert unknown.stdout.strip() == '2', 'not told at once that there is no such name'


@contextmanager
def pod(site: World, server: str) -> Iterator[Path]:
    """A network namespace behind a server, as a pod has it: the server forwards and translates. Yields its path."""
    init = recorded(site.state / 'servers' / identifier(server) / 'init.json')['init'].pid
    inside = ['nsenter', '-t', str(init), '-n']
    process = subprocess.Popen([*inside, 'unshare', '-n', 'sleep', '120'])
    try:
        path = Path(f'/proc/{process.pid}/ns/net')
        # nsenter and unshare run programs in their own place, so the namespace changes twice under one process id.
        script = f"""
            until [ "$(readlink {path})" != "$(readlink /proc/{init}/ns/net)" ] &&
                  [ "$(cat /proc/{process.pid}/comm)" = sleep ]; do sleep 0.05; done
            ip link add pod0 type veth peer name eth0 netns {process.pid}
            ip addr add 10.200.0.1/24 dev pod0
            ip link set pod0 up
            echo 1 > /proc/sys/net/ipv4/ip_forward
            nft add table ip pods
            nft 'add chain ip pods after {{ type nat hook postrouting priority srcnat; }}'
            nft add rule ip pods after ip saddr 10.200.0.0/24 oifname != pod0 masquerade
        """
        subprocess.run([*inside, 'timeout', '20', 'sh', '-ec', script], check=True)
        lines = 'addr add 10.200.0.2/24 dev eth0\nlink set lo up\nlink set eth0 up\nroute add default via 10.200.0.1\n'
        command = ['nsenter', f'--net={path}', 'ip', '-batch', '-']
        subprocess.run(command, input=lines, text=True, check=True)
        yield path
    finally:
        process.kill()
        process.wait()


def test_pods_behind_a_server_reach_the_lab(site: World) -> None:
    site.add('node', 'left', '10.0.0.5', groups=['ssh'])
    site.add('peer', 'right', '10.0.0.5', groups=['ssh'])
    site.floating = {'peer': '198.18.1.12'}
    site.send_network()
    site.boot('node')
    site.boot('peer')
    assert site.ssh('198.18.1.12', 'true', patience=PATIENCE).returncode == 0

    def lookup(name: str, tcp: bool) -> DNSRecord:
        return DNSRecord.parse(DNSRecord.question(name).send(RESOLVER, 53, tcp=tcp, timeout=3))

    with pod(site, 'node') as path:
        for tcp in (False, True):
            assert [str(row.rdata) for row in netns.within(path, partial(lookup, 'node', tcp)).rr] == ['10.0.0.5']
            assert RCODE[netns.within(path, partial(lookup, 'peer', tcp)).header.rcode] == 'NXDOMAIN'
        banner = netns.within(path, lambda: socket.create_connection(('198.18.1.12', 22), 3).recv(3))
        assert banner == b'SSH'


def test_a_port_uses_its_own_and_allowed_addresses_only(site: World) -> None:
    site.add('owner', 'left', '10.0.0.5', groups=['ssh'])
    site.add('near', 'left', '10.0.0.6', groups=['ssh'])
    site.floating = {'owner': '198.18.1.11', 'near': '198.18.1.12'}
    site.send_network()
    site.boot('owner')
    site.boot('near')
    added = site.ssh('198.18.1.11', 'sudo -n ip addr add 10.0.0.50/24 dev eth0 && echo added', patience=PATIENCE)
    assert added.stdout.strip() == 'added', added.stderr
    assert 'open' not in site.ssh('198.18.1.12', PROBE, patience=PATIENCE).stdout
    changes: list[tuple[dict[str, object], bool]] = [
        ({'allowed_address_pairs': [{'ip': '10.0.0.50', 'mac': None}]}, True),
        ({'allowed_address_pairs': []}, False),
        ({'port_security': False}, True),
    ]
    for change, expected in changes:
        site.ports['owner'].update(change)
        site.send_network()
        limit = time.monotonic() + NEIGHBOR_SECONDS
        while (found := 'open' in site.ssh('198.18.1.12', PROBE).stdout) != expected and time.monotonic() < limit:
            time.sleep(0.5)
        assert found == expected, change
