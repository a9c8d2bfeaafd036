"""What an operator of an SCS cloud puts into it: flavors, images, networks, quotas. Pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .model import EXTERNAL_CIDR, EXTERNAL_GATEWAY, POOLS, PROJECTS, VOLUME_BACKEND, VOLUME_TYPE

# The 15 mandatory flavors of scs-0103, then those that are recommended or widespread.
FLAVOR_NAMES = (
    'SCS-1V-4',
    'SCS-2V-8',
    'SCS-4V-16',
    'SCS-4V-16-100s',
    'SCS-8V-32',
    'SCS-1V-2',
    'SCS-2V-4',
    'SCS-2V-4-20s',
    'SCS-4V-8',
    'SCS-8V-16',
    'SCS-16V-32',
    'SCS-1V-8',
    'SCS-2V-16',
    'SCS-4V-32',
    'SCS-1L-1',
    'SCS-2V-4-10',
    'SCS-2V-8-20',
    'SCS-4V-8-20',
    'SCS-4V-16-50',
)
CPU_TYPES = {'L': 'crowded-core', 'V': 'shared-core', 'T': 'dedicated-thread', 'C': 'dedicated-core'}
DISK_TYPES = {'': 'network', 'n': 'network', 'h': 'hdd', 's': 'ssd', 'p': 'nvme'}
# Node images are there for these, and for what else a sandbox is asked for.
KUBERNETES_VERSIONS = ('v1.34.10', 'v1.34.7', 'v1.33.13', 'v1.32.5')
IMAGE_BYTES = 65536  # servers boot from a directory tree; Glance wants data all the same
COMPUTE_QUOTA = {
    'instances': 60,
    'cores': 240,
    'ram': 491520,
    'server_groups': 50,
    'server_group_members': 50,
    'key_pairs': 100,
}
NETWORK_QUOTA = {
    'network': 40,
    'subnet': 60,
    'port': 300,
    'router': 20,
    'floatingip': 60,
    'security_group': 100,
    'security_group_rule': 1000,
}
VOLUME_QUOTA = {'volumes': 100, 'gigabytes': 5000, 'snapshots': 100}
_FLAVOR = re.compile(r'SCS-(?P<cpus>\d+)(?P<cpu>[LVTC])-(?P<ram>\d+)(?:-(?P<disk>\d+)(?P<kind>[nhsp]?))?')


@dataclass(frozen=True)
class Flavor:
    """ram in MiB, disk in GiB (0: boot from volume)."""

    name: str
    vcpus: int
    ram: int
    disk: int
    extra_specs: dict[str, str]


@dataclass(frozen=True)
class Image:
    """properties: as Glance shows them, min_disk (GiB) and min_ram (MiB) included."""

    name: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Machine:
    """A tree of Kubernetes machines. version: that runs in it ('1.34.10'). tree: its name ('machine-1.34').

    simulated: what in its container images is not as their names say. cni: a pod network is provided. node_ip: kubelet
    tells its address from the beginning.
    """

    version: str
    tree: str
    simulated: tuple[str, ...] = ()
    cni: bool = True
    node_ip: bool = True


@dataclass(frozen=True)
class System:
    """What the tree `plain` is: os_distro 'debian', os_version '12', name 'Debian 12', default_user 'debian',
    architecture 'x86_64'. machines: trees of Kubernetes machines, at most one per minor. versions: of Kubernetes, that
    there are node images for."""

    os_distro: str
    os_version: str
    name: str
    default_user: str
    architecture: str
    built: str = '2026-01-01'
    machines: tuple[Machine, ...] = ()
    versions: tuple[str, ...] = KUBERNETES_VERSIONS


def flavor(name: str) -> Flavor:
    """The flavor that an SCS name means."""
    match = _FLAVOR.fullmatch(name)
    if match is None:
        raise ValueError(f'not an SCS flavor name: {name}')
    disk = int(match['disk'] or 0)
    specs = {'scs:name-v1': _name_v1(match), 'scs:name-v2': name, 'scs:cpu-type': CPU_TYPES[match['cpu']]}
    if disk:
        specs['scs:disk0-type'] = DISK_TYPES[match['kind'] or '']
    return Flavor(name, int(match['cpus']), int(match['ram']) * 1024, disk, specs)


def _name_v1(match: re.Match[str]) -> str:
    disk = f':{match["disk"]}{match["kind"]}' if match['disk'] else ''
    return f'SCS-{match["cpus"]}{match["cpu"]}:{match["ram"]}{disk}'


def plain_image(system: System) -> Image:
    """The image of ordinary servers, with every property that scs-0102 demands."""
    return Image(
        system.name,
        {
            **_properties(system),
            'min_disk': 8,
            'min_ram': 512,
            'os_purpose': 'generic',
            'scs_ci_simulated': 'hypervisor',
            'image_description': f'{system.name} with cloud-init and sshd, booted as a system container by the sandbox',
        },
    )


def node_image(system: System, version: str) -> Image:
    """The image of Kubernetes nodes of a version ('v1.34.7'): boots the machine tree of that minor, or without one the
    tree of ordinary servers, and says in scs_ci_simulated what is not as it seems."""
    machine = next((m for m in system.machines if _minor(m.version) == _minor(version)), None)
    properties = {
        **_properties(system),
        'min_disk': 10,
        'min_ram': 1024,
        'os_purpose': 'k8snode',
        'scs_ci_simulated': ','.join(simulated(machine, version)),
        'image_description': f'Node image of Kubernetes {version}; simulated by the plain tree',
    }
    if machine:
        properties |= {
            'image_description': f'Node image of Kubernetes {machine.version}, booted as a system container',
            'scs_sandbox_tree': machine.tree,
            'scs_sandbox_cni': 'provided' if machine.cni else 'none',
            'scs_sandbox_node_ip': 'true' if machine.node_ip else 'false',
        }
    return Image(f'ubuntu-capi-image-{version}', properties)


def simulated(machine: Machine | None, version: str) -> list[str]:
    """What below a server of a node image is simulated; no part holds a comma."""
    if machine is None:
        return ['hypervisor', 'machine']
    found = ['hypervisor']
    if version != f'v{machine.version}':
        found.append(f'kubernetes patch {version.lstrip("v")} -> {machine.version}')
    return [*found, *(['cni'] if machine.cni else []), *(text.replace(',', ';') for text in machine.simulated)]


def _minor(version: str) -> str:
    return version.lstrip('v').rpartition('.')[0]


def _properties(system: System) -> dict[str, Any]:
    return {
        'os_distro': system.os_distro,
        'os_version': system.os_version,
        'architecture': system.architecture,
        'hw_disk_bus': 'scsi',
        'hw_scsi_model': 'virtio-scsi',
        'hw_rng_model': 'virtio',
        'replace_frequency': 'monthly',
        'uuid_validity': 'last-3',
        'provided_until': 'none',
        'image_source': 'private',
        'image_build_date': system.built,
        'image_original_user': system.default_user,
        'scs_sandbox_tree': 'plain',
    }


def document(system: System, pool: int = 0) -> dict[str, Any]:
    """The whole content as one JSON document, the input of services.content."""
    images = [plain_image(system), *(node_image(system, v) for v in system.versions)]
    return {
        'flavors': [vars(flavor(name)) for name in FLAVOR_NAMES],
        'images': [vars(image) for image in images],
        'image_bytes': IMAGE_BYTES,
        'volume_type': {'name': VOLUME_TYPE, 'backend': VOLUME_BACKEND},
        'external': {
            'name': 'public',
            'cidr': EXTERNAL_CIDR,
            'gateway': EXTERNAL_GATEWAY,
            'start': POOLS[pool][0],
            'end': POOLS[pool][1],
        },
        'quotas': {
            'projects': list(PROJECTS),
            'compute': COMPUTE_QUOTA,
            'network': NETWORK_QUOTA,
            'volume': VOLUME_QUOTA,
        },
    }
