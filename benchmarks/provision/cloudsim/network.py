"""Neutron: networks, subnets, routers, ports, floating IPs, security groups and who depends on whom; quotas."""

from __future__ import annotations

from collections.abc import Callable

from .store import OTHER, PROJECT, Store
from .wire import Body, Call, Refused, Reply

# path: name in bodies, kind in the store, error of a missing one
KINDS = {
    'networks': ('network', 'Network'),
    'subnets': ('subnet', 'Subnet'),
    'routers': ('router', 'Router'),
    'ports': ('port', 'Port'),
    'floatingips': ('floatingip', 'FloatingIP'),
    'security-groups': ('security_group', 'SecurityGroup'),
    'security-group-rules': ('security_group_rule', 'SecurityGroupRule'),
}
ROUTER_PORT = 'network:router_interface'
QUOTAS = ('network', 'subnet', 'router', 'port', 'floatingip', 'security_group', 'security_group_rule')


class Network:
    """The network service of one cloud, with the external network `public`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.external = store.add('network', {**_network('public', OTHER), 'router:external': True, 'shared': False})
        self.store.add('security_group', self._group_body('default', ''))
        self.makers: dict[str, Callable[[Body], Body]] = {
            'network': lambda wish: _network(wish.get('name', ''), PROJECT) | _text(wish),
            'subnet': self._subnet,
            'router': self._router,
            'port': self._port,
            'floatingip': self._floating_ip,
            'security_group': lambda wish: self._group_body(wish['name'], wish.get('description', '')),
            'security_group_rule': _rule,
        }

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v2.0').strip('/').split('/'):
            case 'GET', ['quotas', _, 'details.json' | 'details']:
                return Reply({'quota': self._quotas()})
            case 'GET', ['network-ip-availabilities']:
                return Reply({'network_ip_availabilities': []})  # only administrators may see it
            case 'PUT', ['routers', identity, 'add_router_interface']:
                return self.connect(self.store.get('router', identity, 'RouterNotFound'), call.body)
            case 'PUT', ['routers', identity, 'remove_router_interface']:
                return self._disconnect(self.store.get('router', identity, 'RouterNotFound'), call.body)
            case method, [path, *rest] if path in KINDS and len(rest) < 2:
                return self._object(method, path, rest[0] if rest else '', call)
        raise Refused(404, 'HTTPNotFound', f'The resource could not be found: {call.method} {call.path}')

    def _object(self, method: str, path: str, identity: str, call: Call) -> Reply:
        kind, error = KINDS[path]
        if method == 'POST':
            return self._create(kind, path.replace('-', '_'), call.body)
        if method == 'GET' and not identity:
            return Reply({path.replace('-', '_'): self._listed(kind, call)})
        item = self.store.get(kind, identity, f'{error}NotFound')
        if method == 'DELETE':
            self._delete(kind, item)
            return Reply(status=204)
        if method == 'PUT':
            self._update(kind, item, call.body[kind])
        return Reply({kind: item})

    def _listed(self, kind: str, call: Call) -> list[Body]:
        wanted = {key: value for key, value in call.query.items() if key not in ('fields', 'limit', 'marker')}
        return [
            self._shown(kind, item) for item in self.store.of(kind).values() if _visible(item) and _fits(item, wanted)
        ]

    def _shown(self, kind: str, item: Body) -> Body:
        if kind == 'network':
            return item | {'subnets': [subnet['id'] for subnet in self.store.find('subnet', network_id=item['id'])]}
        if kind == 'security_group':
            return item | {
                'security_group_rules': list(self.store.find('security_group_rule', security_group_id=item['id']))
            }
        return item

    def _create(self, kind: str, plural: str, body: Body) -> Reply:
        if plural in body:  # several at once, all or nothing
            return Reply({plural: [self.make(kind, wish) for wish in body[plural]]}, 201)
        return Reply({kind: self._shown(kind, self.make(kind, body[kind]))}, 201)

    def make(self, kind: str, wish: Body) -> Body:
        """An object that somebody asks for."""
        self._demand_quota(kind)
        item = self.store.add(kind, self.makers[kind](wish))
        if kind == 'security_group':
            for family in ('IPv4', 'IPv6'):
                self.store.add(
                    'security_group_rule',
                    _rule({'direction': 'egress', 'ethertype': family, 'security_group_id': item['id']}),
                )
        return item

    def _demand_quota(self, kind: str) -> None:
        quota = self.store.settings.quota
        limits = {'port': quota.ports, 'floatingip': quota.floating_ips, 'network': quota.networks}
        if kind in limits and self.store.mine(kind) >= limits[kind]:
            raise Refused(409, 'OverQuota', f"Quota exceeded for resources: ['{kind}'].")
        if kind == 'floatingip' and len(self.store.of('floatingip')) >= quota.addresses:
            raise Refused(
                409, 'IpAddressGenerationFailure', f'No more IP addresses available on network {self.external["id"]}.'
            )

    def _subnet(self, wish: Body) -> Body:
        self.store.get('network', wish['network_id'], 'NetworkNotFound')
        more = {
            'gateway_ip': '10.254.0.1',
            'enable_dhcp': True,
            'dns_nameservers': [],
            'host_routes': [],
            'allocation_pools': [],
        }
        return {
            **_common(wish),
            **more,
            'network_id': wish['network_id'],
            'cidr': wish['cidr'],
            'ip_version': wish['ip_version'],
        }

    def _router(self, wish: Body) -> Body:
        gateway = wish.get('external_gateway_info')
        return {
            **_common(wish),
            'status': 'ACTIVE',
            'admin_state_up': True,
            'external_gateway_info': gateway,
            'routes': [],
        }

    def _port(self, wish: Body) -> Body:
        self.store.get('network', wish['network_id'], 'NetworkNotFound')
        fixed = [{'subnet_id': '', 'ip_address': self.store.address('10.254')}]
        return {
            **_common(wish),
            'network_id': wish['network_id'],
            'device_id': '',
            'device_owner': '',
            'fixed_ips': fixed,
            'status': 'DOWN',
            'security_groups': wish.get('security_groups', []),
            'mac_address': 'fa:16:3e:00:00:02',
            'admin_state_up': True,
        }

    def _floating_ip(self, wish: Body) -> Body:
        port = self.store.get('port', wish['port_id'], 'PortNotFound') if wish.get('port_id') else None
        made = {
            **_nameless(wish),
            'floating_network_id': wish['floating_network_id'],
            'port_id': None,
            'fixed_ip_address': None,
            'floating_ip_address': self.store.address('198.18'),
            'status': 'DOWN',
            'router_id': None,
        }
        return made | (_bound(port) if port else {})

    def _group_body(self, name: str, description: str) -> Body:
        return {**_common({'name': name, 'description': description}), 'stateful': True, 'shared': False}

    def _update(self, kind: str, item: Body, wish: Body) -> None:
        if kind == 'floatingip' and 'port_id' in wish:
            free = {'port_id': None, 'fixed_ip_address': None, 'status': 'DOWN'}
            item.update(_bound(self.store.get('port', wish['port_id'], 'PortNotFound')) if wish['port_id'] else free)
            return
        item.update(wish)

    def connect(self, router: Body, body: Body) -> Reply:
        subnet = self.store.get('subnet', body['subnet_id'], 'SubnetNotFound')
        if next(
            (p for p in self.store.find('port', device_id=router['id']) if p['network_id'] == subnet['network_id']),
            None,
        ):
            raise Refused(400, 'BadRequest', f'Bad router request: Router already has a port on subnet {subnet["id"]}.')
        fixed = [{'subnet_id': subnet['id'], 'ip_address': subnet['gateway_ip']}]
        port = self.store.add(
            'port',
            {
                **_common({}),
                'network_id': subnet['network_id'],
                'device_id': router['id'],
                'device_owner': ROUTER_PORT,
                'fixed_ips': fixed,
                'status': 'ACTIVE',
                'security_groups': [],
                'mac_address': 'fa:16:3e:00:00:03',
                'admin_state_up': True,
            },
        )
        return Reply(_interface(router, port, subnet['id']))

    def _disconnect(self, router: Body, body: Body) -> Reply:
        for port in self.store.find('port', device_id=router['id']):
            subnet = port['fixed_ips'][0]['subnet_id']
            if port['id'] == body.get('port_id') or subnet == body.get('subnet_id'):
                users = {p['id'] for p in self.store.find('port', network_id=port['network_id'])}
                if any(ip['port_id'] in users for ip in self.store.of('floatingip').values()):
                    text = f'Router interface for subnet {subnet} is required by one or more floating IPs.'
                    raise Refused(409, 'RouterInterfaceInUseByFloatingIP', text)
                del self.store.of('port')[port['id']]
                return Reply(_interface(router, port, subnet))
        raise Refused(
            404, 'RouterInterfaceNotFound', f'Router {router["id"]} does not have an interface with id {body}'
        )

    def _delete(self, kind: str, item: Body) -> None:
        if reason := self._users(kind, item):
            raise Refused(409, *reason)
        del self.store.of(kind)[item['id']]
        if kind == 'network':
            for subnet in list(self.store.find('subnet', network_id=item['id'])):
                del self.store.of('subnet')[subnet['id']]
        if kind == 'security_group':
            for rule in list(self.store.find('security_group_rule', security_group_id=item['id'])):
                del self.store.of('security_group_rule')[rule['id']]
        if kind == 'port':
            for address in self.store.find('floatingip', port_id=item['id']):
                address.update(port_id=None, fixed_ip_address=None, status='DOWN')

    def _users(self, kind: str, item: Body) -> tuple[str, str] | None:
        """Why Neutron refuses to delete the object, or None."""
        identity, ports = item['id'], self.store.of('port').values()
        if kind == 'network' and any(port['network_id'] == identity for port in ports):
            text = f'Unable to complete operation on network {identity}. There are one or more ports still in use.'
            return 'NetworkInUse', text
        if kind == 'subnet' and any(fixed['subnet_id'] == identity for port in ports for fixed in port['fixed_ips']):
            return (
                'SubnetInUse',
                f'Unable to complete operation on subnet {identity}: ports have an IP allocation from it.',
            )
        if kind == 'router' and any(port['device_id'] == identity for port in ports):
            return 'RouterInUse', f'Router {identity} still has ports'
        if kind == 'port' and item['device_owner'] == ROUTER_PORT:
            return (
                'ServicePortInUse',
                f'Port {identity} cannot be deleted directly via the port API: has device owner {ROUTER_PORT}.',
            )
        if kind == 'security_group' and any(identity in port['security_groups'] for port in ports):
            return 'SecurityGroupInUse', f'Security Group {identity} in use.'
        return None

    def _quotas(self) -> Body:
        quota = self.store.settings.quota
        limits = {'network': quota.networks, 'port': quota.ports, 'floatingip': quota.floating_ips}
        return {kind: {'limit': limits.get(kind, -1), 'used': self.store.mine(kind), 'reserved': 0} for kind in QUOTAS}


def _common(wish: Body) -> Body:
    return {**_text(wish), 'tenant_id': PROJECT, 'project_id': PROJECT, 'tags': [], 'revision_number': 1}


def _nameless(wish: Body) -> Body:
    return {key: value for key, value in _common(wish).items() if key != 'name'}


def _text(wish: Body) -> Body:
    return {'name': wish.get('name', ''), 'description': wish.get('description', '')}


def _network(name: str, project: str) -> Body:
    return {
        'name': name,
        'description': '',
        'tenant_id': project,
        'project_id': project,
        'tags': [],
        'status': 'ACTIVE',
        'admin_state_up': True,
        'router:external': False,
        'shared': False,
        'mtu': 1500,
        'subnets': [],
        'availability_zones': [],
        'availability_zone_hints': [],
        'port_security_enabled': True,
        'revision_number': 1,
    }


def _rule(wish: Body) -> Body:
    keys = ('protocol', 'port_range_min', 'port_range_max', 'remote_ip_prefix', 'remote_group_id')
    plain = {key: wish.get(key) for key in keys}
    about = {key: value for key, value in _nameless(wish).items() if key != 'tags'}
    return {
        **about,
        **plain,
        'direction': wish['direction'],
        'ethertype': wish.get('ethertype', 'IPv4'),
        'security_group_id': wish['security_group_id'],
    }


def _bound(port: Body) -> Body:
    return {'port_id': port['id'], 'fixed_ip_address': port['fixed_ips'][0]['ip_address'], 'status': 'ACTIVE'}


def _interface(router: Body, port: Body, subnet: str) -> Body:
    return {
        'id': router['id'],
        'project_id': PROJECT,
        'port_id': port['id'],
        'network_id': port['network_id'],
        'subnet_id': subnet,
        'subnet_ids': [subnet],
    }


def _visible(item: Body) -> bool:
    return bool(item.get('project_id', PROJECT) == PROJECT or item.get('router:external') or item.get('shared'))


def _fits(item: Body, wanted: Body) -> bool:
    return all(
        str(item.get('project_id' if key == 'tenant_id' else key)) == str(value) for key, value in wanted.items()
    )
