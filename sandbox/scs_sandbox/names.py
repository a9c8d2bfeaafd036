"""Names of everything that a sandbox makes outside its state directory; `down` finds all of it by these names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import SandboxError

PREFIX = 'scs-sandbox-'
NETNS_DIRECTORY = Path('/run/netns')
EXTERNAL_BRIDGE = 'ext'
SWITCH = 'sw0'
# Without dash: 'scs-sandbox-a-…' belongs to sandbox 'a' and to no other.
NAME = re.compile(r'[a-z][a-z0-9]{0,15}')


def check_name(name: str) -> str:
    """The name itself when a sandbox may have it. Raises SandboxError else."""
    if not NAME.fullmatch(name):
        raise SandboxError(
            'cannot use sandbox name',
            repr(name),
            'it is not a lower case letter followed by at most 15 letters or digits',
            'choose another name',
        )
    return name


def state_directory(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """${SCS_SANDBOX_HOME:-/var/lib/scs-sandbox}/<name>; not created."""
    env = os.environ if environment is None else environment
    return Path(env.get('SCS_SANDBOX_HOME') or '/var/lib/scs-sandbox').absolute() / check_name(name)


def lab_namespace(name: str) -> str:
    """The network namespace with the external network and the OpenStack APIs."""
    return f'{PREFIX}{name}'


def network_namespace(name: str, network_id: str) -> str:
    """The network namespace that holds the switch of one Neutron network."""
    return f'{PREFIX}{name}-net-{network_id}'


def router_namespace(name: str, router_id: str) -> str:
    """The network namespace of one Neutron router."""
    return f'{PREFIX}{name}-router-{router_id}'


def balancer_namespace(name: str, balancer_id: str) -> str:
    """The network namespace of one load balancer of Octavia."""
    return f'{PREFIX}{name}-lb-{balancer_id}'


def namespace_path(namespace: str) -> Path:
    """Where a named network namespace is mounted."""
    return NETNS_DIRECTORY / namespace


def belongs(namespace: str, name: str) -> bool:
    """Whether a network namespace is of the sandbox of this name."""
    return namespace == f'{PREFIX}{name}' or namespace.startswith(f'{PREFIX}{name}-')


def link(kind: str, identifier: str) -> str:
    """An interface name (at most 15 characters) from a one-letter kind and the beginning of a UUID."""
    return f'{kind}{identifier.replace("-", "")[:13]}'


def port_link(port_id: str) -> str:
    """The switch's side of a server's port."""
    return link('p', port_id)


def control_group(name: str) -> str:
    """The control group that holds the groups of all servers of a sandbox."""
    return f'{PREFIX}{name}'
