"""What a cloud is made of: regions, services with their addresses, credentials, content. Plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ADDRESS = '198.19.0.1'
BASE_PORT = 20000
PORTS_PER_REGION = 100
EXTERNAL_CIDR = '198.18.0.0/16'
EXTERNAL_GATEWAY = '198.18.0.1'
# Regions share the external network, so each has its own part of the floating pool.
POOLS = (('198.18.1.1', '198.18.20.250'), ('198.18.21.1', '198.18.40.250'), ('198.18.41.1', '198.18.60.250'))
REGION_NAMES = ('RegionOne', 'RegionTwo', 'RegionThree')
COMPUTE_HOSTS = ('compute-a', 'compute-b', 'compute-c')
VOLUME_TYPE = 'ssd'
VOLUME_BACKEND = 'sandbox'


@dataclass(frozen=True)
class Service:
    """One OpenStack project, which is one process. path: what its URL in the catalogue ends with."""

    name: str
    offset: int
    type: str
    path: str = ''


SERVICES = (
    Service('keystone', 0, 'identity', '/v3'),
    Service('placement', 1, 'placement'),
    Service('glance', 2, 'image'),
    Service('nova', 3, 'compute', '/v2.1'),
    Service('neutron', 4, 'network'),
    Service('cinder', 5, 'block-storage', '/v3'),
    Service('octavia', 6, 'load-balancer'),
)
# One identity for all regions.
HOME_SERVICES = ('keystone',)
DATABASES = ('keystone', 'placement', 'glance', 'nova_api', 'nova_cell0', 'nova_cell1', 'neutron', 'cinder', 'octavia')


@dataclass(frozen=True)
class Region:
    """A region and where its files are.

    index: 0 is the home region, which holds Keystone. home: directory of the region (etc/, data/, log/, run/).
    state: directory of the whole sandbox (agent.sock, faults.json).
    """

    index: int
    home: Path
    state: Path
    address: str = ADDRESS

    @property
    def name(self) -> str:
        return REGION_NAMES[self.index]

    @property
    def etc(self) -> Path:
        return self.home / 'etc'

    @property
    def data(self) -> Path:
        return self.home / 'data'

    @property
    def log(self) -> Path:
        return self.home / 'log'

    @property
    def run(self) -> Path:
        return self.home / 'run'

    @property
    def services(self) -> tuple[Service, ...]:
        """The services of this region, in the order in which they are started."""
        return tuple(s for s in SERVICES if self.index == 0 or s.name not in HOME_SERVICES)

    def port(self, name: str) -> int:
        """TCP port of a service as this region sees it; Keystone is that of the home region."""
        service = next(s for s in SERVICES if s.name == name)
        index = 0 if name in HOME_SERVICES else self.index
        return BASE_PORT + PORTS_PER_REGION * index + service.offset

    def url(self, name: str) -> str:
        """URL of a service as the catalogue says it."""
        service = next(s for s in SERVICES if s.name == name)
        return f'http://{self.address}:{self.port(name)}{service.path}'


@dataclass(frozen=True)
class Credentials:
    """The secrets of a sandbox: passwords of users (name -> password) and the secret of demo1's application
    credential."""

    passwords: dict[str, str]
    application_credential_id: str
    application_credential_secret: str


USERS = ('admin', 'service', 'demo1', 'demo2')
PROJECTS = ('demo1', 'demo2')
MEMBER_ROLES = ('member', 'reader', 'load-balancer_member')
APPLICATION_CREDENTIAL = 'sandbox'
