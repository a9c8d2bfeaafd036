"""Nodes as others want them: hosts of Ansible, an inventory file, Zuul's list of nodes. Pure but for writing files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core import files
from . import ssh
from .model import Node

INVENTORY, KNOWN_HOSTS = 'inventory.yaml', 'known_hosts'
GROUP = 'scs_nodes'


def hosts(nodes: Iterable[Node], known_hosts: Path) -> dict[str, dict[str, Any]]:
    """Variables by name of host: what ansible.builtin.add_host takes, and what inventories hold."""
    return {node.name: _variables(node, known_hosts) for node in nodes}


def _variables(node: Node, known_hosts: Path) -> dict[str, Any]:
    # known keys only: a node that answers with another one is not the node that was made
    options = {
        'IdentitiesOnly': 'yes',
        'StrictHostKeyChecking': 'yes',
        'GlobalKnownHostsFile': '/dev/null',
        'UserKnownHostsFile': str(known_hosts),
    }
    arguments = ' '.join(f'-o {name}={shlex.quote(value)}' for name, value in options.items())
    key = {'ansible_ssh_private_key_file': node.key_file} if node.key_file else {}
    return {
        'ansible_connection': 'ssh',
        'ansible_host': node.address,
        'ansible_user': node.user,
        'ansible_become': node.user != 'root',
        'ansible_ssh_common_args': arguments,
        **key,
    }


def inventory(nodes: Iterable[Node], known_hosts: Path) -> dict[str, Any]:
    """An inventory in Ansible's YAML form: all nodes in the group scs_nodes, and in one group for each of theirs."""
    found = list(nodes)
    variables = hosts(found, known_hosts)
    names = dict.fromkeys(node.group for node in found)
    groups = {f'scs_{name.replace("-", "_")}': [node.name for node in found if node.group == name] for name in names}
    children: dict[str, Any] = {name: {'hosts': {member: {} for member in members}} for name, members in groups.items()}
    return {'all': {'children': {GROUP: {'hosts': variables}, **children}}}


def zuul_nodes(nodes: Iterable[Node], cloud: str) -> list[dict[str, Any]]:
    """In the form in which Zuul hands nodes to its executors: for tools that read `zuul.nodes` or a node request."""
    return [
        {
            'name': node.name,
            'label': node.group,
            'hostname': node.name,
            'interface_ip': node.address,
            'public_ipv4': node.address if node.address != node.fixed_address else '',
            'private_ipv4': node.fixed_address,
            'connection_type': 'ssh',
            'connection_port': ssh.PORT,
            'username': node.user,
            'host_keys': list(node.host_keys),
            'external_id': node.id,
            'image_id': node.image,
            'az': node.zone,
            'cloud': cloud,
            'provider': cloud,
        }
        for node in nodes
    ]


def write(nodes: Iterable[Node], directory: Path) -> Path:
    """known_hosts and inventory.yaml of these nodes into the directory; returns the inventory."""
    import yaml

    found = list(nodes)
    lines = sorted(line for node in found for line in node.known_hosts)
    files.write_atomic(directory / KNOWN_HOSTS, '\n'.join(lines) + '\n')
    content: Mapping[str, Any] = inventory(found, directory / KNOWN_HOSTS)
    dumper = getattr(yaml, 'CSafeDumper', yaml.SafeDumper)  # ten times faster, but not everywhere
    files.write_atomic(directory / INVENTORY, yaml.dump(content, Dumper=dumper, sort_keys=False))
    return directory / INVENTORY
