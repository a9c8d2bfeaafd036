"""Values for the variables of a ClusterClass: as few as possible, as small as possible.

Stacks name their variables as they like (`apiServerLoadBalancer`, `apiserver_loadbalancer`), so one is recognized
by what its name says, whatever its spelling, and set only when its schema allows the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InfrastructureProblem, ProductProblem, UsageProblem
from .kinds import Object, name_of

# What a control plane of kubeadm needs at least, GiB of memory and virtual CPUs; kubeadm refuses fewer than two CPUs.
LEAST_MEMORY, LEAST_CPUS = 4, 2
# A node image of the stacks wants 20 GiB.
LEAST_DISK = 20


@dataclass(frozen=True)
class Flavor:
    """vcpus; ram in MiB; disk in GiB, 0 means: boot from a volume."""

    name: str
    vcpus: int
    ram: int
    disk: int


@dataclass(frozen=True)
class CloudChoice:
    """What was chosen of the cloud for clusters. Empty: leave the default alone. local_disk: of the flavor."""

    flavor: str = ''
    local_disk: bool = True
    external_network: str = ''


@dataclass(frozen=True)
class Identity:
    """Where the class wants its credentials: name of the secret, name of the cloud in it."""

    secret: str = 'openstack'
    cloud: str = 'openstack'


def choose_flavor(flavors: Iterable[Flavor]) -> Flavor:
    """The smallest flavor that carries a node, with a local disk if there is one; the first by name among equals."""
    fitting = [
        flavor
        for flavor in flavors
        if flavor.vcpus >= LEAST_CPUS
        and flavor.ram >= LEAST_MEMORY * 1024
        and (flavor.disk >= LEAST_DISK or not flavor.disk)
    ]
    if not fitting:
        needed = f'{LEAST_CPUS} CPUs, {LEAST_MEMORY} GiB memory and {LEAST_DISK} GiB or no disk'
        raise InfrastructureProblem('no flavor fits', 'cluster nodes', f'none has {needed}', 'offer SCS-2V-4-20s there')
    return min(fitting, key=lambda flavor: (not flavor.disk, flavor.vcpus, flavor.ram, flavor.disk, flavor.name))


def variables(cluster_class: Object, cloud: CloudChoice, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Values to set: examples of required ones without default, the smallest of recognized ones, the caller's own."""
    schemas = class_variables(cluster_class)
    unknown = sorted(set(overrides) - set(schemas))
    if unknown:
        known = ', '.join(schemas) or 'none'
        raise UsageProblem('cannot set variable', unknown[0], f'the class has {known}', 'use one of these')
    values: dict[str, Any] = {}
    for name, (required, schema) in schemas.items():
        value = _smallest(name, schema, cloud)
        if value is None and required and 'default' not in schema:
            value = overrides[name] if name in overrides else _example(name, schema)
        if value is not None:
            values[name] = value
    return values | dict(overrides)


def class_variables(cluster_class: Object) -> dict[str, tuple[bool, dict[str, Any]]]:
    """Name to (required, schema) of each variable."""
    entries = cluster_class['spec'].get('variables') or []
    return {entry['name']: (bool(entry.get('required')), entry['schema']['openAPIV3Schema']) for entry in entries}


def worker_class(cluster_class: Object) -> str:
    """The first class of machine deployments; empty when the class has no workers."""
    classes = (cluster_class['spec'].get('workers') or {}).get('machineDeployments') or []
    return str(classes[0]['class']) if classes else ''


def identity(cluster_class: Object, values: Mapping[str, Any]) -> Identity:
    """Secret and cloud the class will look for, from the values set or its defaults."""

    def value(name: str) -> Any:
        return values.get(name, class_variables(cluster_class)[name][1].get('default'))

    found: dict[str, str] = {}
    for name, (_, schema) in class_variables(cluster_class).items():
        word = plain(name)
        if word == 'identityref':  # an object with both, each with a default of its own
            inner = schema.get('properties') or {}
            given = value(name) or {}
            for key, field in (('secret', 'name'), ('cloud', 'cloudName')):
                found[key] = str(given.get(field) or (inner.get(field) or {}).get('default') or 'openstack')
        elif word in ('cloudname', 'secretname', 'identitysecretname'):
            found['cloud' if word == 'cloudname' else 'secret'] = str(value(name) or 'openstack')
    return Identity(**found)


def plain(name: str) -> str:
    """A variable's name without its spelling: `apiserver_loadbalancer` -> `apiserverloadbalancer`."""
    return re.sub('[^a-z0-9]', '', name.lower())


def _smallest(name: str, schema: Mapping[str, Any], cloud: CloudChoice) -> Any:
    """The small value for a recognized variable, None for all others."""
    for pattern, kind, make in RECOGNIZED:
        if schema.get('type') == kind and re.fullmatch(pattern, plain(name)):
            value = make(cloud)
            return value if value not in (None, '') and allows(schema, value) else None
    return None


# pattern of the plain name, type, value. The first match decides.
RECOGNIZED: tuple[tuple[str, str, Callable[[CloudChoice], Any]], ...] = (
    # Saves a load balancer and half of the time; one control plane needs none.
    (r'(kube)?apiserverloadbalancer', 'string', lambda cloud: 'none'),
    # Local disk: no volume, and etcd does not suffer from the network's latency. Without one, the class knows the size.
    (r'\w*rootdisk(size)?', 'integer', lambda cloud: 0 if cloud.local_disk else None),
    (r'(controlplane|controller|worker)\w*flavor', 'string', lambda cloud: cloud.flavor),
    (r'(network)?external(network)?id|externalnetwork', 'string', lambda cloud: cloud.external_network),
)


def allows(schema: Mapping[str, Any], value: Any) -> bool:
    """True when enum and bounds of a schema admit the value."""
    if 'enum' in schema and value not in schema['enum']:
        return False
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(schema.get('minimum', value) <= value <= schema.get('maximum', value))
    return True


def _example(name: str, schema: Mapping[str, Any]) -> Any:
    for key in ('example', 'x-example'):
        if key in schema:
            return schema[key]
    if schema.get('enum'):
        return schema['enum'][0]
    raise ProductProblem(
        'cannot choose a value for',
        f'required variable {name}',
        'it has neither default nor example',
        'give the variable an example, or pass a value with --variables',
    )


def find_class(objects: Iterable[Object], name: str) -> Object:
    """The ClusterClass among rendered objects; a chart without the one its release promises is defective."""
    classes = [obj for obj in objects if obj.get('kind') == 'ClusterClass']
    for obj in classes:
        if name_of(obj) == name:
            return obj
    found = ', '.join(name_of(obj) for obj in classes) or 'none'
    raise ProductProblem('class chart lacks', f'ClusterClass {name}', f'it renders {found}', 'name it so')
