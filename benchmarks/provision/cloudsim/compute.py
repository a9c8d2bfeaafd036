"""Nova: servers that boot, fail and go in their time, with their ports; flavors, zones, key pairs, groups, limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .paging import page
from .store import PROJECT, USER, Store
from .wire import Body, Call, Refused, Reply

FLAVORS = (
    ('SCS-1V-2-5', 1, 2048, 5),
    ('SCS-2V-4-20s', 2, 4096, 20),
    ('SCS-4V-16', 4, 16384, 0),
    ('SCS-4V-16-100s', 4, 16384, 100),
)
HOST_KEY = '-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 {key} root@{name}\n-----END SSH HOST KEY KEYS-----\n'
ABORTED = 'Build of instance {id} aborted: Injected'
EXHAUSTED = (
    'Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance {id}.'
)
RESCHEDULE = 1.0  # seconds until the next host begins
NO_HOST = 'No valid host was found. There are not enough hosts available.'


def host_key(address: str) -> str:
    """The key that the server with that fixed address would have."""
    return 'AAAA' + address.replace('.', '')


class Compute:
    """The compute service of one cloud."""

    def __init__(self, store: Store) -> None:
        self.store = store
        for name, vcpus, ram, disk in FLAVORS:
            store.add('flavor', {'name': name, 'vcpus': vcpus, 'ram': ram, 'disk': disk})

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v2.1').strip('/').split('/'):
            case 'GET', ['servers', 'detail']:
                return page(call, 'servers', self._servers(call), self.store.settings.page, self._shown)
            case 'POST', ['servers']:
                return self.boot(call.body['server'], call.body.get('OS-SCH-HNT:scheduler_hints', {}).get('group', ''))
            case 'GET', ['servers', identity]:
                return Reply({'server': self._shown([self.store.get('server', identity, 'itemNotFound')])[0]})
            case 'DELETE', ['servers', identity]:
                return self._delete(self.store.get('server', identity, 'itemNotFound'))
            case 'POST', ['servers', identity, 'action'] if 'os-getConsoleOutput' in call.body:
                return self._console(self.store.get('server', identity, 'itemNotFound'))
            case 'GET', ['flavors', 'detail']:
                return Reply({'flavors': [_flavor(item) for item in self.store.of('flavor').values()]})
            case 'GET', ['flavors', identity]:
                return Reply({'flavor': _flavor(self.store.get('flavor', identity, 'itemNotFound'))})
            case 'GET', ['os-availability-zone']:
                zones = [
                    {'zoneName': z, 'zoneState': {'available': True}, 'hosts': None} for z in self.store.settings.zones
                ]
                return Reply({'availabilityZoneInfo': zones})
            case 'GET', ['limits']:
                return Reply({'limits': {'rate': [], 'absolute': self._limits()}})
            case method, ['os-keypairs', *rest]:
                return self._key_pairs(method, rest, call.body)
            case method, ['os-server-groups', *rest]:
                return self._groups(method, rest, call.body)
        raise Refused(404, 'itemNotFound', f'The resource could not be found: {call.method} {call.path}')

    def _servers(self, call: Call) -> list[Body]:
        pattern = re.compile(call.query.get('name', ''))
        found = self.store.find('server', tenant_id=PROJECT)
        # the newest first, as Nova does
        return [item for item in reversed(list(found)) if pattern.search(item['name'])]

    def _shown(self, items: list[Body]) -> list[Body]:
        """Servers as the API shows them; addresses appear when a server is up."""
        # once for the whole list: to look for the ports of each server in turn takes the square of their number
        ports = _grouped(self.store.of('port').values(), 'device_id')
        floating = _grouped(self.store.of('floatingip').values(), 'port_id')
        return [self._one(item, ports.get(item['id'], []), floating) for item in items]

    def _one(self, item: Body, plugged: list[Body], floating: dict[str, list[Body]]) -> Body:
        ports = [] if item['status'] == 'BUILD' else plugged
        addresses = [_address(port) for port in ports]
        for port in ports:
            addresses += [_floating(port, ip) for ip in floating.get(port['id'], ())]
        network = self.store.of('network').get(ports[0]['network_id'], {}).get('name', '') if ports else ''
        shown = {key: value for key, value in item.items() if not key.startswith('_') and value is not None}
        return shown | {
            'addresses': {network: addresses} if ports else {},
            'OS-EXT-STS:task_state': item['OS-EXT-STS:task_state'],
        }

    def boot(self, wish: Body, group: str = '') -> Reply:
        """A server that somebody asks for; group: id of its server group."""
        self._demand_quota(wish)
        flavor = self.store.get('flavor', str(wish['flavorRef']), 'badRequest')
        network = wish['networks'][0]['uuid'] if isinstance(wish.get('networks'), list) else ''
        if network and network not in self.store.of('network'):
            raise Refused(400, 'badRequest', f'Network {network} could not be found.')
        if flavor['disk'] == 0 and not wish.get('block_device_mapping_v2'):
            text = 'Only volume-backed servers are allowed for flavors with zero disk.'
            raise Refused(403, 'forbidden', text)
        item = self.store.add('server', self._new(wish, flavor))
        if group:
            self.store.get('server_group', group, 'badRequest')['members'].append(item['id'])
        self._start(item, wish, flavor, self.store.of('server_group').get(group))
        links = [{'rel': 'self', 'href': f'/v2.1/servers/{item["id"]}'}]
        groups = [{'name': g['name']} for g in wish.get('security_groups', ())]
        made = {
            'id': item['id'],
            'links': links,
            'OS-DCF:diskConfig': 'MANUAL',
            'security_groups': groups,
            'adminPass': 'x' * 12,
        }
        return Reply({'server': made}, 202)

    def _new(self, wish: Body, flavor: Body) -> Body:
        image = {'id': wish['imageRef']} if wish.get('imageRef') else ''
        embedded = {
            'original_name': flavor['name'],
            'vcpus': flavor['vcpus'],
            'ram': flavor['ram'],
            'disk': flavor['disk'],
            'ephemeral': 0,
            'swap': 0,
            'extra_specs': {},
        }
        volumes = [v['uuid'] for v in wish.get('block_device_mapping_v2', ()) if v.get('source_type') == 'volume']
        for volume in volumes:
            self.store.get('volume', volume, 'badRequest').update(status='in-use')
        return {
            'name': wish['name'],
            'status': 'BUILD',
            'tenant_id': PROJECT,
            'user_id': USER,
            'image': image,
            'flavor': embedded,
            'metadata': dict(wish.get('metadata', {})),
            'created': self.store.stamp(),
            'updated': self.store.stamp(),
            'key_name': wish.get('key_name'),
            'hostId': '',
            'accessIPv4': '',
            'accessIPv6': '',
            'config_drive': 'True' if wish.get('config_drive') else '',
            'links': [],
            'OS-EXT-AZ:availability_zone': wish.get('availability_zone', ''),
            'OS-EXT-STS:task_state': 'scheduling',
            'OS-EXT-STS:vm_state': 'building',
            'OS-EXT-STS:power_state': 0,
            'fault': None,
            'locked': False,
            'tags': [],
            'os-extended-volumes:volumes_attached': [{'id': v, 'delete_on_termination': True} for v in volumes],
            '_vcpus': flavor['vcpus'],
            '_volumes': volumes,
        }

    def _demand_quota(self, wish: Body) -> None:
        """As Nova: servers and cores of its own, ports of Neutron, all before anything is made."""
        quota, have = self.store.settings.quota, self.store.mine('server')
        cores = sum(item.get('_vcpus', 0) for item in self.store.find('server', tenant_id=PROJECT))
        for name, used, limit in (('instances', have, quota.servers), ('cores', cores, quota.cores)):
            if used >= limit:
                text = f'Quota exceeded for {name}: Requested 1, but already used {used} of {limit} {name}'
                raise Refused(403, 'forbidden', text)
        if self.store.mine('port') >= quota.ports:
            raise Refused(403, 'forbidden', 'Maximum number of ports exceeded')

    def _start(self, item: Body, wish: Body, flavor: Body, group: Body | None) -> None:
        """What happens by itself: a host is found or not, a port appears, the server is up or failed."""
        trouble, settings = self.store.troubles, self.store.settings
        zone = item['OS-EXT-AZ:availability_zone']
        free = [z for z in settings.zones if zone in ('', z) and not _is_full(trouble.full, z, flavor['name'])]
        if not free or self._is_apart(group):
            return self.store.later(1.0, lambda: self._fail(item, NO_HOST, 500))
        item['OS-EXT-AZ:availability_zone'] = free[0]
        self.store.later(min(settings.port, settings.boot / 2), lambda: self._plug(item, wish))
        if trouble.spawn_error and re.search(trouble.spawn_error, item['name']):
            return self._start_badly(item)
        return self.store.later(settings.boot, lambda: self._up(item))

    def _start_badly(self, item: Body) -> None:
        """The first host fails: an abort is final, a failure of the host sends the server to the next one."""
        bad, settings = self.store.troubles.bad_hosts, self.store.settings
        if 0 < bad < settings.hosts:
            return self.store.later(settings.boot + bad * RESCHEDULE, lambda: self._up(item))
        text = (EXHAUSTED if bad else ABORTED).format(id=item['id'])
        return self.store.later(settings.boot, lambda: self._fail(item, text, 500))

    def _is_apart(self, group: Body | None) -> bool:
        """Whether each host has a server of that group already, and they must not share one."""
        if group is None or group['policy'] != 'anti-affinity':
            return False
        return sum(member in self.store.of('server') for member in group['members']) > self.store.settings.hosts

    def _alive(self, item: Body) -> bool:
        return self.store.of('server').get(item['id']) is item

    def _plug(self, item: Body, wish: Body) -> None:
        if not self._alive(item) or item['OS-EXT-STS:task_state'] == 'deleting':
            return None
        if self.store.mine('port') >= self.store.settings.quota.ports:  # others were faster since the request
            return self._fail(item, f'Build of instance {item["id"]} aborted: Maximum number of ports exceeded', 500)
        item['OS-EXT-STS:task_state'] = 'spawning'
        network = wish['networks'][0]['uuid']
        names = [group['name'] for group in wish.get('security_groups', ())]
        groups = [g['id'] for g in self.store.of('security_group').values() if g['name'] in names or g['id'] in names]
        subnets = [subnet['id'] for subnet in self.store.find('subnet', network_id=network)] or ['']
        fixed = [{'subnet_id': subnets[0], 'ip_address': self.store.address('10.254')}]
        self.store.add(
            'port',
            {
                'name': '',
                'network_id': network,
                'tenant_id': PROJECT,
                'project_id': PROJECT,
                'device_id': item['id'],
                'device_owner': f'compute:{item["OS-EXT-AZ:availability_zone"]}',
                'fixed_ips': fixed,
                'security_groups': groups,
                'status': 'ACTIVE',
                'description': '',
                'tags': [],
                'admin_state_up': True,
                'mac_address': 'fa:16:3e:00:00:01',
            },
        )
        return None

    def _up(self, item: Body) -> None:
        if self._alive(item) and item['status'] == 'BUILD' and item['OS-EXT-STS:task_state'] != 'deleting':
            item.update(
                {
                    'status': 'ACTIVE',
                    'OS-EXT-STS:task_state': None,
                    'OS-EXT-STS:vm_state': 'active',
                    'OS-EXT-STS:power_state': 1,
                }
            )

    def _fail(self, item: Body, text: str, code: int) -> None:
        """ERROR, and the port is taken away again, as Nova does."""
        if not self._alive(item) or item['OS-EXT-STS:task_state'] == 'deleting':
            return
        fault = {'message': text, 'code': code, 'created': self.store.stamp()}
        item.update({'status': 'ERROR', 'OS-EXT-STS:task_state': None, 'OS-EXT-STS:vm_state': 'error', 'fault': fault})
        self._unplug(item)

    def _unplug(self, item: Body) -> None:
        for port in list(self.store.find('port', device_id=item['id'])):
            del self.store.of('port')[port['id']]
            for address in self.store.find('floatingip', port_id=port['id']):
                address.update(port_id=None, fixed_ip_address=None, status='DOWN')

    def _delete(self, item: Body) -> Reply:
        trouble = self.store.troubles
        if trouble.destroy_error and re.search(trouble.destroy_error, item['name']) and item['status'] != 'ERROR':
            self.store.later(1.0, lambda: self._fail(item, 'Injected', 500))
            return Reply(status=204)
        hangs = bool(trouble.destroy_hang and re.search(trouble.destroy_hang, item['name']))
        if item['OS-EXT-STS:task_state'] != 'deleting':
            item['OS-EXT-STS:task_state'] = 'deleting'
            self.store.later(trouble.stuck if hangs else self.store.settings.delete, lambda: self._gone(item))
        return Reply(status=204)

    def _gone(self, item: Body) -> None:
        if not self._alive(item):
            return
        self._unplug(item)
        del self.store.of('server')[item['id']]
        for volume in item.get('_volumes', ()):  # delete_on_termination
            self.store.of('volume').pop(volume, None)

    def _console(self, item: Body) -> Reply:
        if item['status'] != 'ACTIVE':
            return Reply({'output': ''})
        port = next(self.store.find('port', device_id=item['id']), None)
        key = host_key(port['fixed_ips'][0]['ip_address']) if port else ''
        return Reply({'output': HOST_KEY.format(key=key, name=item['name'])})

    def _limits(self) -> Body:
        quota, servers = self.store.settings.quota, list(self.store.find('server', tenant_id=PROJECT))
        cores = sum(item.get('_vcpus', 0) for item in servers)
        return {
            'maxTotalInstances': quota.servers,
            'totalInstancesUsed': len(servers),
            'maxTotalCores': quota.cores,
            'totalCoresUsed': cores,
            'maxTotalRAMSize': -1,
            'totalRAMUsed': 0,
            'maxTotalKeypairs': 100,
            'maxServerMeta': 128,
            'maxServerGroups': 10,
            'maxServerGroupMembers': 10,
            'totalServerGroupsUsed': len(self.store.of('server_group')),
        }

    def _key_pairs(self, method: str, rest: list[str], body: Body) -> Reply:
        if method == 'POST':
            wish = body['keypair']
            if wish['name'] in self.store.of('key_pair'):
                raise Refused(409, 'conflictingRequest', f"Key pair '{wish['name']}' already exists.")
            pair = {'name': wish['name'], 'public_key': wish['public_key'], 'type': 'ssh', 'fingerprint': '00'}
            self.store.add('key_pair', pair, wish['name'])
            return Reply({'keypair': {**pair, 'user_id': USER}}, 201)
        if not rest:
            return Reply(
                {'keypairs': [{'keypair': _without(pair, 'id')} for pair in self.store.of('key_pair').values()]}
            )
        pair = self.store.get('key_pair', rest[0], 'itemNotFound')
        if method == 'DELETE':
            del self.store.of('key_pair')[rest[0]]
            return Reply(status=204)
        return Reply({'keypair': {**pair, 'id': 1, 'user_id': USER, 'deleted': False}})

    def _groups(self, method: str, rest: list[str], body: Body) -> Reply:
        if method == 'POST':
            wish = body['server_group']
            group = {
                'name': wish['name'],
                'policy': wish['policy'],
                'rules': {},
                'members': [],
                'project_id': PROJECT,
                'user_id': USER,
            }
            return Reply({'server_group': self.store.add('server_group', group)})
        if not rest:
            return Reply({'server_groups': list(self.store.of('server_group').values())})
        self.store.get('server_group', rest[0], 'itemNotFound')
        del self.store.of('server_group')[rest[0]]
        return Reply(status=204)


def _flavor(item: Body) -> Body:
    more = {
        'extra_specs': {},
        'swap': 0,
        'OS-FLV-EXT-DATA:ephemeral': 0,
        'rxtx_factor': 1.0,
        'description': None,
        'os-flavor-access:is_public': True,
        'OS-FLV-DISABLED:disabled': False,
        'links': [],
    }
    return {**item, **more}


def _is_full(full: list[tuple[str, str]], zone: str, flavor: str) -> bool:
    return any(z in ('', zone) and f in ('', flavor) for z, f in full)


def _address(port: Body) -> Body:
    return {
        'version': 4,
        'addr': port['fixed_ips'][0]['ip_address'],
        'OS-EXT-IPS:type': 'fixed',
        'OS-EXT-IPS-MAC:mac_addr': port['mac_address'],
    }


def _floating(port: Body, address: Body) -> Body:
    return {**_address(port), 'addr': address['floating_ip_address'], 'OS-EXT-IPS:type': 'floating'}


def _grouped(items: Iterable[Body], key: str) -> dict[str, list[Body]]:
    found: dict[str, list[Body]] = {}
    for item in items:
        found.setdefault(item[key], []).append(item)
    return found


def _without(item: Body, *keys: str) -> Body:
    kept: dict[str, Any] = {key: value for key, value in item.items() if key not in keys}
    return kept
