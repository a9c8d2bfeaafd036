"""Keystone: login, tokens that end, the catalog, application credentials; and the version documents of all services."""

from __future__ import annotations

import datetime

from .store import PROJECT, USER, Store
from .wire import Body, Call, Refused, Reply

# type: (host, path in the catalog). Like the sandbox's, and like most clouds', they name no project.
ENDPOINTS = {
    'identity': ('keystone', '/v3'),
    'image': ('glance', ''),
    'compute': ('nova', '/v2.1'),
    'network': ('neutron', ''),
    'block-storage': ('cinder', '/v3'),
    'load-balancer': ('octavia', ''),
}
DOMAIN = {'id': 'default', 'name': 'Default'}
# Nobody resolves these names: a request that is not caught fails at once.
ZONE = 'cloudsim.invalid'
RESTRICTED = "Using method 'application_credential' is not allowed for managing additional application credentials."


def url(service: str) -> str:
    host, path = ENDPOINTS[service]
    return f'http://{host}.{ZONE}{path}'


def service_of(host: str) -> str:
    """Type of the service at a host."""
    return next(kind for kind, (name, _) in ENDPOINTS.items() if host == f'{name}.{ZONE}')


class Identity:
    """tokens: token to the time of its end. life: seconds that a new one is good for."""

    def __init__(self, store: Store) -> None:
        self.store, self.tokens, self.life = store, dict[str, float](), 4 * 3600.0
        self.password = 'secret'
        self.restricted = set[str]()  # tokens of restricted application credentials

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v3').strip('/').split('/'):
            case 'POST', ['auth', 'tokens']:
                return self._login(call.body['auth']['identity'])
            case 'GET', ['users', _, 'application_credentials', identity]:
                found = self.store.get('application_credential', identity, 'Not Found')
                return Reply({'application_credential': _shown(found)})
            case 'GET', ['users', _, 'application_credentials']:
                found = [_shown(item) for item in self.store.of('application_credential').values()]
                return Reply(
                    {'application_credentials': found, 'links': {'self': call.path, 'previous': None, 'next': None}}
                )
            case 'POST', ['users', _, 'application_credentials']:
                self._demand_unrestricted(call)
                wish = call.body['application_credential']
                secret = wish.pop('secret', None) or f'secret of {wish["name"]}'
                made = {**wish, 'project_id': PROJECT, 'unrestricted': bool(wish.get('unrestricted')), 'system': None}
                item = self.store.add('application_credential', {**made, '_secret': secret})
                return Reply({'application_credential': {**_shown(item), 'secret': secret}}, 201)
            case 'DELETE', ['users', _, 'application_credentials', identity]:
                self._demand_unrestricted(call)
                del self.store.of('application_credential')[
                    self.store.get('application_credential', identity, 'Not Found')['id']
                ]
                return Reply(status=204)
        raise Refused(404, 'Not Found', f'Could not find {call.method} {call.path}.')

    def demand(self, call: Call) -> None:
        """401 unless the request has a token that is still good."""
        token = call.headers.get('X-Auth-Token', '')
        if self.tokens.get(token, 0.0) <= self.store.turns.time:
            raise Refused(401, 'Unauthorized', 'The request you have made requires authentication.')

    def _demand_unrestricted(self, call: Call) -> None:
        if call.headers.get('X-Auth-Token', '') in self.restricted:
            raise Refused(403, 'Forbidden', RESTRICTED)

    def expire(self) -> None:
        """All tokens end now; logging in gives new ones."""
        self.tokens.clear()

    def _login(self, identity: Body) -> Reply:
        if identity.get('password', {}).get('user', {}).get('password', self.password) != self.password:
            raise Refused(401, 'Unauthorized', 'The request you have made requires authentication.')
        credential = self._credential(identity.get('application_credential'))
        now = self.store.turns.now()
        token = self.store.identity().replace('-', '')
        self.tokens[token] = self.store.turns.time + self.life
        if credential and credential['restricted']:
            self.restricted.add(token)
        catalog = [_entry(kind, self.store.identity()) for kind in ENDPOINTS]
        roles = [{'id': name, 'name': name} for name in ('member', 'reader', 'load-balancer_member')]
        body = {
            'methods': identity['methods'],
            'user': {'id': USER, 'name': 'user', 'domain': DOMAIN, 'password_expires_at': None},
            'audit_ids': [token[:22]],
            'issued_at': _stamp(now),
            'expires_at': _stamp(now + datetime.timedelta(seconds=self.life)),
            'project': {'id': PROJECT, 'name': 'project', 'domain': DOMAIN},
            'is_domain': False,
            'roles': roles,
            'catalog': catalog,
            **({'application_credential': credential} if credential else {}),
        }
        return Reply({'token': body}, 201, {'X-Subject-Token': token})

    def _credential(self, given: Body | None) -> Body | None:
        """What the token tells of the application credential that logs in; None without one."""
        if given is None:
            return None
        found = self.store.get('application_credential', given['id'], 'Not Found')
        if given['secret'] != found['_secret']:
            raise Refused(401, 'Unauthorized', 'The request you have made requires authentication.')
        return {'id': found['id'], 'name': found['name'], 'restricted': not found['unrestricted']}


def _shown(item: Body) -> Body:
    return {key: value for key, value in item.items() if not key.startswith('_')}


def _stamp(time: datetime.datetime) -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%S.000000Z')


def _entry(kind: str, identity: str) -> Body:
    endpoint = {
        'id': identity,
        'interface': 'public',
        'region': 'RegionOne',
        'region_id': 'RegionOne',
        'url': url(kind),
    }
    return {'id': kind, 'name': ENDPOINTS[kind][0], 'type': kind, 'endpoints': [endpoint]}


def versions(service: str) -> Reply | None:
    """What a service says at the root of its address: which versions of its API it has."""
    base = url(service).rstrip('/')
    one = {'status': 'CURRENT', 'updated': '2026-01-01T00:00:00Z', 'links': [{'rel': 'self', 'href': f'{base}/'}]}
    match service:
        case 'identity':
            return Reply({'version': {**one, 'id': 'v3.14', 'status': 'stable', 'media-types': []}})
        case 'compute':
            return Reply(
                {'version': {**one, 'id': 'v2.1', 'version': '2.100', 'min_version': '2.1', 'media-types': []}}
            )
        case 'block-storage':
            version = {**one, 'id': 'v3.0', 'version': '3.71', 'min_version': '3.0', 'media-types': []}
            return Reply({'versions': [version]})
        case 'image':
            return Reply(
                {'versions': [_version('v2.17', 'CURRENT', base, 'v2'), _version('v2.16', 'SUPPORTED', base, 'v2')]},
                300,
            )
        case 'network':
            return Reply({'versions': [_version('v2.0', 'CURRENT', base, 'v2.0')]})
        case 'load-balancer':
            return Reply(
                {'versions': [_version('v2.0', 'SUPPORTED', base, 'v2'), _version('v2.27', 'CURRENT', base, 'v2')]}
            )
    return None


def _version(identity: str, status: str, base: str, path: str) -> Body:
    return {'id': identity, 'status': status, 'links': [{'rel': 'self', 'href': f'{base}/{path}/'}]}
