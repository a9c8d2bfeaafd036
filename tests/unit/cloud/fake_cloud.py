"""A stateful stand-in for a cloud behind the calls of openstacksdk that the cloud room makes, on a virtual clock.

It knows dependencies (409), servers that boot, fail and double, lost answers and refusals; it counts calls by name.
"""

from __future__ import annotations

import collections
import datetime
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace as Item
from typing import Any

from fake_lists import Service
from keystoneauth1.exceptions import ConnectFailure
from openstack import exceptions

from scs_ci.cloud.connect import Cloud

PROJECT, USER = 'project', 'user'


class FakeClock:
    """Virtual time; sleeping advances it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.lock = threading.Lock()

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.time)

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.time += seconds


@dataclass
class Fault:
    """Fails `count` calls of that name with a status, after the first `skip` of them.

    after: the call is carried out all the same (a lost answer).
    """

    call: str
    status: int
    count: int = 1
    after: bool = False
    text: str = 'injected'
    skip: int = 0


def error(status: int, text: str) -> Exception:
    """As the SDK raises it; status 0: the connection broke."""
    if status == 0:
        return ConnectFailure(f'Connection reset by peer: {text}')
    kinds = {404: exceptions.NotFoundException, 409: exceptions.ConflictException, 403: exceptions.ForbiddenException}
    problem = kinds.get(status, exceptions.HttpException)(message=text)
    problem.status_code = status
    return problem


@dataclass
class FakeCloud:
    """kinds: kind to id to object. boot: seconds until a server is ACTIVE. errors: server name to fault message.

    limit: quota of servers. full: flavor name and zone ('' for any) that no host can take.
    """

    boot: float = 30.0
    limit: int = 60
    clock: FakeClock = field(default_factory=FakeClock)
    services: set[str] = field(
        default_factory=lambda: {'compute', 'network', 'image', 'block-storage', 'load-balancer', 'identity'}
    )

    def __post_init__(self) -> None:
        self.kinds: dict[str, dict[str, Item]] = collections.defaultdict(dict)
        self.calls: collections.Counter[str] = collections.Counter()
        self.faults: list[Fault] = []
        self.errors: dict[str, str] = {}
        self.bodies: list[dict[str, Any]] = []
        self.full: set[tuple[str, str]] = set()
        self.zones = ['nova']
        self.volume_status = 'available'
        self.cut = (0.0, 0.0)  # from when until when no request reaches the cloud
        self.versions: dict[str, tuple[int, int]] = {}
        self.volume_quotas: dict[str, Any] = {}
        self.types: list[Item] = []
        self.default_type: str | None = '__DEFAULT__'
        self.ids = itertools.count(1)
        self.lock = threading.RLock()
        self.external = self.add('network', name='public', external=True, project='other')
        self.flavors = [_flavor('SCS-2V-4-10', 2, 4096, 10), _flavor('SCS-4V-16', 4, 16384, 0)]
        self.images = [_image('Debian 12', os_distro='debian', os_version='12'), _image('Ubuntu', os_distro='ubuntu')]

    @property
    def cloud(self) -> Cloud:
        return Cloud('fake', _Sdk(self), PROJECT, USER, frozenset())

    def add(self, kind: str, name: str = '', project: str = PROJECT, external: bool = False, **more: Any) -> Item:
        """Put an object there, as somebody else would."""
        with self.lock:
            identity = name if kind == 'key_pair' else f'{kind}-{next(self.ids):04}'
            defaults = {
                'description': '',
                'metadata': {},
                'status': 'ACTIVE',
                'is_router_external': external,
                'subnet_ids': [],
            }
            item = Item(**{**defaults, 'id': identity, 'name': name, 'project_id': project, **more})
            self.kinds[kind][identity] = item
            return item

    def names(self, kind: str) -> list[str]:
        return sorted(item.name for item in self.kinds[kind].values())

    def do(self, call: str, work: Any) -> Any:
        """Count, inject faults, carry out."""
        with self.lock:
            self.calls[call] += 1
            if self.cut[0] <= self.clock.time < self.cut[1]:
                raise error(0, 'no route')
            fault = next((f for f in self.faults if f.call == call and f.count > 0), None)
            if fault and fault.skip:
                fault.skip -= 1
            elif fault:
                fault.count -= 1
                if fault.after:
                    work()
                raise error(fault.status, fault.text)
            return work()

    def listed(self, kind: str, **wanted: Any) -> Iterator[Item]:
        def work() -> list[Item]:
            self._advance()
            found = self.kinds[kind].values()
            return [i for i in found if all(getattr(i, k, None) == v for k, v in wanted.items() if v is not None)]

        return iter(self.do(f'list {kind}', work))

    def delete(self, kind: str, identity: str) -> None:
        def work() -> None:
            if identity not in self.kinds[kind]:
                raise error(404, f'{kind} {identity} not found')
            if users := self.users(kind, identity):
                raise error(409, f'{kind} {identity} is in use by {users[0]}')
            self.remove(kind, identity)

        self.do(f'delete {kind}', work)

    def remove(self, kind: str, identity: str) -> None:
        gone = self.kinds[kind].pop(identity)
        if kind == 'server':
            for volume in _volumes_of(getattr(gone, 'body', {})):
                self.kinds['volume'].pop(volume, None)  # delete_on_termination
            for port in [p for p in self.kinds['port'].values() if p.device_id == identity]:
                self._free(port)
        if kind == 'network':
            for subnet in [s for s in self.kinds['subnet'].values() if s.network_id == identity]:
                del self.kinds['subnet'][subnet.id]

    def _free(self, port: Item) -> None:
        del self.kinds['port'][port.id]
        for address in self.kinds['floating_ip'].values():
            if address.port_id == port.id:
                address.port_id = None

    def users(self, kind: str, identity: str) -> list[str]:
        """Who keeps an object from being deleted."""
        links = {
            'network': [('port', 'network_id')],
            'subnet': [('port', 'subnet_id')],
            'router': [('port', 'device_id')],
            'security_group': [('port', 'security_group')],
            'volume': [('snapshot', 'volume_id'), ('server', 'volume')],
        }
        return [
            other.id for user, link in links.get(kind, ()) for other in self.kinds[user].values()
            if getattr(other, link, None) == identity
        ]  # fmt: skip

    def server(self, body: dict[str, Any]) -> Item:
        network = body['networks'][0]['uuid']
        self.bodies.append(body)
        if (zone := body.get('availability_zone', '')) and zone not in self.zones:
            raise error(400, f'The requested availability zone is not available: {zone}')
        made = self.add(
            'server', body['name'], metadata=body['metadata'], status='BUILD', task_state='spawning', fault=None,
            availability_zone=body.get('availability_zone', 'nova'), key_name=body['key_name'],
            created_at=f'{self.clock.time:09.1f}', ready=self.clock.time + self.boot, body=body,
            volume=next(iter(_volumes_of(body)), None),
        )  # fmt: skip
        for volume in _volumes_of(body):
            self.kinds['volume'][volume].status = 'in-use'
            self.kinds['volume'][volume].attachments = [{'server_id': made.id}]
        fixed = [{'ip_address': f'10.254.0.{len(self.kinds["port"]) + 10}', 'subnet_id': 's'}]
        self.add('port', network_id=network, device_id=made.id, device_owner='compute:nova', fixed_ips=fixed,
                 security_group=body['security_groups'][0]['name'])  # fmt: skip
        return made

    def _advance(self) -> None:
        for item in self.kinds['server'].values():
            if item.status == 'BUILD' and self.clock.time >= item.ready:
                message = self.errors.get(item.name) or self._no_host(item.body)
                item.status, item.task_state = ('ERROR', None) if message else ('ACTIVE', None)
                item.fault = {'message': message} if message else None

    def _no_host(self, body: dict[str, Any]) -> str:
        pair = (body['flavor_id'].removeprefix('flavor '), body.get('availability_zone', ''))
        return 'No valid host was found. There are not enough hosts available.' if pair in self.full else ''


def _volumes_of(body: dict[str, Any]) -> list[str]:
    return [d['uuid'] for d in body.get('block_device_mapping', ()) if d['source_type'] == 'volume']


def _flavor(name: str, vcpus: int, ram: int, disk: int) -> Item:
    return Item(id=f'flavor {name}', name=name, vcpus=vcpus, ram=ram, disk=disk, extra_specs={})


def _image(name: str, **properties: str) -> Item:
    everything = {'os_purpose': 'generic', 'architecture': 'x86_64', 'os_version': '1', **properties}
    return Item(
        id=f'image {name}', name=name, status='active', visibility='public', is_hidden=False, min_disk=5, min_ram=0,
        size=2**30, created_at='2026', properties=everything, to_dict=lambda original_names: {}, owner='other',
    )  # fmt: skip


class _Sdk:
    """openstack.connection.Connection, as far as it is used."""

    def __init__(self, fake: FakeCloud) -> None:
        self.fake = fake
        self.compute, self.network = _Compute(fake), _Network(fake)
        self.block_storage, self.image = _Volumes(fake), _Images(fake)
        self.load_balancer, self.identity = _Balancers(fake), _Identity(fake)
        self.config = Item(config={'auth_type': 'password'})
        access = Item(expires=fake.clock.now(), application_credential_id=None)
        self.session = Item(session=Item(hooks={'response': []}), auth=Item(get_access=lambda session: access))

    def endpoint_for(self, service: str) -> str | None:
        return f'http://198.18.0.1/{service}' if service in self.fake.services else None


class _Part(Service):
    def get_endpoint_data(self) -> Item:
        return Item(max_microversion=self.fake.versions.get(type(self).__name__, (3, 99)), api_version=(2, 1))


class _Compute(_Part):
    def create_server(self, **body: Any) -> Item:
        return self.fake.do('create server', lambda: self.fake.server(body))

    def delete_server(self, identity: str) -> None:
        self.fake.delete('server', identity)

    def get_server_console_output(self, identity: str) -> dict[str, str]:
        return self.fake.do(
            'console', lambda: {'output': getattr(self.fake.kinds['server'].get(identity), 'console', '')}
        )

    def flavors(self, details: bool) -> list[Item]:
        return self.fake.do('list flavor', lambda: self.fake.flavors)

    def availability_zones(self) -> list[Item]:
        return self.fake.do(
            'list zone', lambda: [Item(name=zone, state={'available': True}) for zone in self.fake.zones]
        )

    def get_keypair(self, name: str) -> Item:
        def work() -> Item:
            if name not in self.fake.kinds['key_pair']:
                raise error(404, 'no key pair')
            return self.fake.kinds['key_pair'][name]

        return self.fake.do('get key_pair', work)

    def create_keypair(self, name: str, public_key: str) -> Item:
        return self.fake.do('create key_pair', lambda: self.fake.add('key_pair', name, public_key=public_key))

    def delete_keypair(self, name: str) -> None:
        self.fake.delete('key_pair', name)

    def get_limits(self) -> Item:
        used = len(self.fake.kinds['server'])
        absolute = Item(
            instances=self.fake.limit, instances_used=used, total_cores=80, total_cores_used=2 * used,
            total_ram=-1, total_ram_used=4096 * used, keypairs=100, server_groups=10, server_groups_used=0,
            server_group_members=10,
        )  # fmt: skip
        return self.fake.do('limits', lambda: Item(absolute=absolute))

    def keypairs(self) -> Iterator[Item]:
        return self.fake.listed('key_pair')

    def server_groups(self) -> Iterator[Item]:
        return self.fake.listed('server_group')

    def create_server_group(self, name: str, policy: str) -> Item:
        return self.fake.do('create server_group', lambda: self.fake.add('server_group', name, policy=policy))

    def delete_server_group(self, identity: str) -> None:
        self.fake.delete('server_group', identity)


class _Network(_Part):
    def get_quota(self, project: str, details: bool) -> Item:
        kinds = {'networks': 'network', 'subnets': 'subnet', 'routers': 'router', 'ports': 'port',
                 'floating_ips': 'floating_ip', 'security_groups': 'security_group'}  # fmt: skip
        used = {name: {'limit': 50, 'used': len(self.fake.kinds[kind]), 'reserved': 0} for name, kind in kinds.items()}
        return self.fake.do('quota', lambda: Item(**used, security_group_rules=None))

    def network_ip_availabilities(self, network_id: str) -> list[Item]:
        return self.fake.do('availability', list)

    def networks(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('network', **wanted)

    def subnets(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('subnet', **wanted)

    def routers(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('router', **wanted)

    def ports(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('port', **wanted)

    def ips(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('floating_ip', **wanted)

    def security_groups(self, **wanted: Any) -> Iterator[Item]:
        return self.fake.listed('security_group', **wanted)

    def create_network(self, **body: Any) -> Item:
        return self.fake.do('create network', lambda: self.fake.add('network', **body))

    def create_subnet(self, **body: Any) -> Item:
        return self.fake.do('create subnet', lambda: self.fake.add('subnet', **body))

    def create_router(self, **body: Any) -> Item:
        return self.fake.do('create router', lambda: self.fake.add('router', **body))

    def create_security_group(self, **body: Any) -> Item:
        return self.fake.do(
            'create security_group', lambda: self.fake.add('security_group', security_group_rules=[], **body)
        )

    def create_security_group_rules(self, bodies: list[dict[str, Any]]) -> list[Any]:
        def work() -> list[Any]:
            for body in bodies:
                self.fake.kinds['security_group'][body['security_group_id']].security_group_rules.append(body)
            return bodies

        return self.fake.do('create rules', work)

    def add_interface_to_router(self, router: str, subnet_id: str) -> Item:
        def work() -> Item:
            network = self.fake.kinds['subnet'][subnet_id].network_id
            fixed = [{'subnet_id': subnet_id, 'ip_address': '10.254.0.1'}]
            return self.fake.add('port', device_id=router, device_owner='network:router_interface', network_id=network,
                                 subnet_id=subnet_id, fixed_ips=fixed)  # fmt: skip

        return self.fake.do('add interface', work)

    def remove_interface_from_router(self, router: str, port_id: str) -> None:
        self.fake.delete('port', port_id)

    def create_ip(self, **body: Any) -> Item:
        def work() -> Item:
            address = f'198.18.1.{len(self.fake.kinds["floating_ip"]) + 1}'
            return self.fake.add('floating_ip', address, floating_ip_address=address, fixed_ip_address='', **body)

        return self.fake.do('create floating_ip', work)

    def update_ip(self, identity: str, port_id: str) -> Item:
        def work() -> Item:
            self.fake.kinds['floating_ip'][identity].port_id = port_id
            return self.fake.kinds['floating_ip'][identity]

        return self.fake.do('update floating_ip', work)

    def delete_ip(self, identity: str) -> None:
        self.fake.delete('floating_ip', identity)

    def delete_port(self, identity: str) -> None:
        self.fake.delete('port', identity)

    def delete_router(self, identity: str) -> None:
        self.fake.delete('router', identity)

    def delete_subnet(self, identity: str) -> None:
        self.fake.delete('subnet', identity)

    def delete_network(self, identity: str) -> None:
        self.fake.delete('network', identity)

    def delete_security_group(self, identity: str) -> None:
        self.fake.delete('security_group', identity)


class _Volumes(_Part):
    def volumes(self, details: bool = True) -> Iterator[Item]:
        return self.fake.listed('volume')

    def get_limits(self) -> Item:
        absolute = Item(
            max_total_volumes=10, total_volumes_used=0, max_total_volume_gigabytes=100, total_gigabytes_used=0,
            max_total_snapshots=10, total_snapshots_used=0,
        )  # fmt: skip
        return self.fake.do('volume limits', lambda: Item(absolute=absolute))

    def snapshots(self, details: bool = True) -> Iterator[Item]:
        return self.fake.listed('snapshot')

    def create_volume(self, **body: Any) -> Item:
        made = {**body, 'status': self.fake.volume_status, 'attachments': []}
        return self.fake.do('create volume', lambda: self.fake.add('volume', **made))

    def get_type(self, name: str) -> Item:
        def work() -> Item:
            if self.fake.default_type is None:
                raise error(404, 'Default volume type can not be found.')
            return Item(name=self.fake.default_type)

        return self.fake.do('get type', work)

    def get_quota_set(self, project: str, usage: bool) -> Item:
        return self.fake.do('volume quotas', lambda: Item(to_dict=lambda: self.fake.volume_quotas))

    def types(self) -> list[Item]:
        return self.fake.do('list type', lambda: self.fake.types)

    def delete_volume(self, identity: str) -> None:
        self.fake.delete('volume', identity)

    def delete_snapshot(self, identity: str) -> None:
        self.fake.delete('snapshot', identity)


class _Images(_Part):
    def images(self, owner: str | None = None) -> list[Item]:
        return self.fake.do('list image', lambda: [i for i in self.fake.images if owner in (None, i.owner)])

    def delete_image(self, identity: str) -> None:
        self.fake.delete('image', identity)


class _Balancers(_Part):
    def get_quota(self, project: str) -> Item:
        kinds = ('load_balancers', 'listeners', 'pools', 'members', 'health_monitors')
        return self.fake.do('balancer quota', lambda: Item(**dict.fromkeys(kinds, -1)))

    def listeners(self, project_id: str) -> Iterator[Item]:
        return self.fake.listed('listener', project_id=project_id)

    def pools(self, project_id: str) -> Iterator[Item]:
        return self.fake.listed('pool', project_id=project_id)

    def health_monitors(self, project_id: str) -> Iterator[Item]:
        return self.fake.listed('health_monitor', project_id=project_id)

    def load_balancers(self, project_id: str) -> Iterator[Item]:
        return self.fake.listed('load_balancer', project_id=project_id)

    def delete_load_balancer(self, identity: str, cascade: bool) -> None:
        self.fake.delete('load_balancer', identity)


class _Identity(_Part):
    def application_credentials(self, user: str) -> Iterator[Item]:
        return self.fake.listed('application_credential')

    def get_application_credential(self, user: str, identity: str) -> Item:
        def work() -> Item:
            if identity not in self.fake.kinds['application_credential']:
                raise error(404, 'no such credential')
            return self.fake.kinds['application_credential'][identity]

        return self.fake.do('get application_credential', work)

    def create_application_credential(self, user: str, name: str, **body: Any) -> Item:
        def work() -> Item:
            if name in self.fake.names('application_credential'):
                raise error(409, f'duplicate name {name}')
            roles = body.pop('roles')
            implied = [{'name': 'reader'}] if {'name': 'member'} in roles else []
            made = self.fake.add('application_credential', name, roles=[*roles, *implied], **body)
            # Keystone tells the secret in this answer and never again
            return Item(**{**vars(made), 'secret': f'secret-of-{made.id}'})

        return self.fake.do('create application_credential', work)

    def delete_application_credential(self, user: str, identity: str) -> None:
        self.fake.delete('application_credential', identity)
