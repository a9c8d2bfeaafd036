"""A small world of desired state for tests of the agent: requests as the drivers send them, and a client to look from
outside.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scs_sandbox import lab, names
from scs_sandbox.agent.client import AgentError, call

SANDBOX = Path(__file__).parents[2]
EXTERNAL = str(uuid.uuid5(uuid.NAMESPACE_DNS, 'external'))
ALL = {
    'direction': 'egress',
    'ethertype': 'IPv4',
    'protocol': None,
    'port_min': None,
    'port_max': None,
    'remote_ip': None,
    'remote_group': None,
}


def identifier(text: str) -> str:
    """A stable id."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, text))


def allow(
    port: int | None = None, *, protocol: str = 'tcp', remote: str | None = None, group: str | None = None
) -> dict[str, Any]:
    """An ingress rule."""
    return {
        **ALL,
        'direction': 'ingress',
        'protocol': protocol,
        'port_min': port,
        'port_max': port,
        'remote_ip': remote,
        'remote_group': group,
    }


@dataclass
class World:
    """Desired state that tests change and send. Every site is a network 10.0.0.0/24 with a router of its own."""

    state: Path
    key: Path
    sites: list[str] = field(default_factory=list)
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ports: dict[str, dict[str, Any]] = field(default_factory=dict)
    floating: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the sandbox."""
        return self.state.name

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """One operation of the agent."""
        return call(str(self.state / 'agent.sock'), op, **arguments)

    def snapshot(self) -> dict[str, Any]:
        """The network as Neutron's driver would send it."""
        tenant = [{'id': identifier(f'net-{site}'), 'external': False, 'mtu': 1450} for site in self.sites]
        subnets = [
            {
                'id': identifier(f'sub-{site}'),
                'network_id': identifier(f'net-{site}'),
                'cidr': '10.0.0.0/24',
                'gateway': '10.0.0.1',
            }
            for site in self.sites
        ]
        routers = [
            {
                'id': identifier(f'router-{site}'),
                'external': {'network_id': EXTERNAL, 'addresses': [f'198.18.1.{index + 1}'], 'snat': True},
                'interfaces': [
                    {
                        'port_id': identifier(f'rport-{site}'),
                        'network_id': identifier(f'net-{site}'),
                        'address': '10.0.0.1/24',
                    }
                ],
            }
            for index, site in enumerate(self.sites)
        ]
        floating = [
            {
                'id': identifier(f'fip-{server}'),
                'address': address,
                'fixed': self.ports[server]['addresses'][0],
                'router_id': identifier(f'router-{self.servers[server]["site"]}'),
            }
            for server, address in self.floating.items()
        ]
        return {
            'networks': [{'id': EXTERNAL, 'external': True, 'mtu': 1500}, *tenant],
            'subnets': [
                {'id': identifier('sub-ext'), 'network_id': EXTERNAL, 'cidr': '198.18.0.0/16', 'gateway': '198.18.0.1'},
                *subnets,
            ],
            'ports': list(self.ports.values()),
            'routers': routers,
            'floating_ips': floating,
            'security_groups': [
                {'id': identifier(f'group-{group}'), 'rules': rules} for group, rules in self.groups.items()
            ],
        }

    def send_network(self) -> list[str]:
        """Send the snapshot; returns the changes that it made."""
        return list(self.ask('network-apply', snapshot=self.snapshot())['changes'])

    def add(
        self, server: str, site: str, address: str, *, groups: Iterable[str] = (), secure: bool = True, **changes: Any
    ) -> None:
        """Plan a server; floating IPs, groups and sites are plain attributes."""
        if site not in self.sites:
            self.sites.append(site)
        network, port = identifier(f'net-{site}'), identifier(f'port-{server}')
        mac = 'fa:16:3e:' + ':'.join(port[i : i + 2] for i in (0, 2, 4))
        self.ports[server] = {
            'id': port,
            'network_id': network,
            'mac': mac,
            'addresses': [address],
            'device_id': identifier(server),
            'device_owner': 'compute:nova',
            'security_groups': [identifier(f'group-{group}') for group in groups],
            'port_security': secure,
            'allowed_address_pairs': [],
        }
        self.servers[server] = {
            'site': site,
            'id': identifier(server),
            'name': server,
            'hostname': server,
            'state': 'running',
            'image': 'plain',
            'memory_mb': 512,
            'vcpus': 1,
            'user_data': None,
            'keys': [self.key.with_suffix('.pub').read_text().strip()],
            'metadata': {'role': 'test'},
            'availability_zone': 'nova',
            **changes,
            'ports': [
                {
                    'id': port,
                    'mac': mac,
                    'network_id': network,
                    'addresses': [f'{address}/24'],
                    'gateway': '10.0.0.1',
                    'mtu': 1450,
                }
            ],
        }

    def boot(self, server: str, state: str = 'running') -> str:
        """Send one server."""
        return str(self.ask('server-apply', server={**self.servers[server], 'state': state})['state'])

    def drop(self, server: str) -> list[str]:
        """Delete one server and its port."""
        removed = self.ask('server-delete', id=identifier(server))['removed']
        self.servers.pop(server)
        self.ports.pop(server)
        self.floating.pop(server, None)
        self.send_network()
        return list(removed)

    def ssh(self, address: str, command: str, *, patience: float = 0.0) -> subprocess.CompletedProcess[str]:
        """Run a command in a server, from the lab; try again for patience seconds."""
        limit = time.monotonic() + patience
        words = [
            'ssh',
            '-i',
            str(self.key),
            '-o',
            'BatchMode=yes',
            '-o',
            'StrictHostKeyChecking=no',
            '-o',
            'UserKnownHostsFile=/dev/null',
            '-o',
            'LogLevel=ERROR',
            '-o',
            'ConnectTimeout=2',
            f'debian@{address}',
            command,
        ]
        while True:
            done = subprocess.run(
                lab.command(self.name, words), capture_output=True, text=True, timeout=60, check=False
            )
            if done.returncode != 255 or time.monotonic() > limit:
                return done
            time.sleep(0.1)


def start_agent(state: Path) -> subprocess.Popen[bytes]:
    """Start the agent of a state directory and wait until it answers."""
    agent = subprocess.Popen(
        [sys.executable, '-m', 'scs_sandbox.agent', str(state)], cwd=SANDBOX, stdin=subprocess.DEVNULL
    )
    limit = time.monotonic() + 60
    while True:
        try:
            call(str(state / 'agent.sock'), 'status')
            return agent
        except AgentError:
            if agent.poll() is not None or time.monotonic() > limit:
                agent.kill()
                raise
            time.sleep(0.05)


def spaces(name: str) -> list[str]:
    """Network namespaces of a sandbox."""
    return [path.name for path in names.NETNS_DIRECTORY.glob('scs-sandbox-*') if names.belongs(path.name, name)]
