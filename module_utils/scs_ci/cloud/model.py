"""What is wanted of the cloud and what it offers, as frozen dataclasses without any SDK type."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FlavorWish:
    """Least properties of a flavor: vcpus, ram in MiB, disk in GB; a diskless flavor boots from a volume of that size.

    properties: extra specs that must be equal. name: exactly this flavor instead.
    """

    vcpus: int = 2
    ram: int = 4096
    disk: int = 10
    properties: dict[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class ImageWish:
    """properties: of the image, all must be equal; a comma separates alternatives. name: exactly this image instead."""

    properties: dict[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class VolumeWish:
    """A volume beside the root disk, empty, gone with its node. size in GB; type: by name, '' for the default."""

    size: int
    type: str = ''


@dataclass(frozen=True)
class SecurityRule:
    """Ports that are open from outside. protocol: tcp, udp, icmp or another that Neutron knows; remote: a CIDR.

    port to last, both included; last 0 is the port alone, port 0 all ports.
    """

    protocol: str = 'tcp'
    port: int = 0
    last: int = 0
    remote: str = '0.0.0.0/0'


@dataclass(frozen=True)
class Group:
    """Equal nodes.

    zones: in order of preference, empty leaves the choice to the cloud; user_data: plain text for cloud-init.
    volume_type: of root volumes and of volumes that name none; security: what is open beside SSH and ICMP.
    server_group: policy, such as soft-anti-affinity, of a server group with these nodes; '' for none.
    """

    name: str = 'node'
    count: int = 1
    flavor: FlavorWish = field(default_factory=FlavorWish)
    image: ImageWish = field(default_factory=ImageWish)
    floating_ip: bool = True
    zones: tuple[str, ...] = ()
    user_data: str = ''
    volumes: tuple[VolumeWish, ...] = ()
    volume_type: str = ''
    security: tuple[SecurityRule, ...] = ()
    server_group: str = ''


@dataclass(frozen=True)
class ClusterWish:
    """What the clusters of one run ask of the cloud. parallel: how many exist at the same time, 0 means all of them."""

    control_planes: int = 1
    workers: int = 0
    flavor: FlavorWish = field(default_factory=lambda: FlavorWish(vcpus=2, ram=4096, disk=20))
    load_balancer: bool = False
    parallel: int = 0  # deploy keeps every cluster until all versions are through
    image: str = 'ubuntu-capi-image-{version}'


@dataclass(frozen=True)
class Topology:
    """Everything a run wants.

    network: an existing one by name or id, None makes one per run; external: external network by name or id, None takes
    the only one; cidr: of the run's own subnet; dns: its name servers, empty leaves them to the cloud.
    """

    groups: tuple[Group, ...] = field(default_factory=lambda: (Group(),))
    clusters: ClusterWish = field(default_factory=ClusterWish)
    network: str | None = None
    external: str | None = None
    cidr: str = '10.254.0.0/24'
    dns: tuple[str, ...] = ()

    def count(self) -> int:
        """Number of nodes."""
        return sum(group.count for group in self.groups)


@dataclass(frozen=True)
class Flavor:
    """ram in MiB, disk in GB; disk 0: boots only from a volume."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """min_disk in GB, min_ram in MiB, size in bytes; created: ISO 8601."""

    id: str
    name: str
    status: str
    visibility: str
    hidden: bool
    min_disk: int
    min_ram: int
    size: int
    created: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """external: offers floating IPs; subnets: ids; mine: belongs to the project."""

    id: str
    name: str
    external: bool
    status: str
    subnets: tuple[str, ...] = ()
    mine: bool = False


@dataclass(frozen=True)
class Zone:
    name: str
    available: bool


@dataclass(frozen=True)
class Server:
    """A server of the run. fault: Nova's message when status is ERROR; address: a floating one before a fixed one."""

    id: str
    name: str
    status: str
    task: str
    metadata: dict[str, str]
    zone: str
    fault: str
    key: str
    created: str
    address: str = ''


@dataclass(frozen=True)
class Rejected:
    """A candidate that was passed over, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Node:
    """A usable node. host_keys: 'type base64'; known_hosts: complete lines; passed_over: candidates not chosen.

    host_keys_from: 'console' or 'scan'. simulated: what is not real about it (image property scs_ci_simulated).
    """

    name: str
    id: str
    group: str
    address: str
    fixed_address: str
    user: str
    flavor: str
    image: str
    zone: str
    host_keys: tuple[str, ...] = ()
    host_keys_from: str = ''
    known_hosts: tuple[str, ...] = ()
    key_file: str = ''
    seconds: dict[str, float] = field(default_factory=dict)
    passed_over: tuple[Rejected, ...] = ()
    simulated: tuple[str, ...] = ()
