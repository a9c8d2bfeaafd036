"""Glance, Cinder and Octavia, and what of Keystone lies behind the login."""

from __future__ import annotations

import re

from .paging import page
from .store import OTHER, PROJECT, USER, Store
from .wire import Body, Call, Refused, Reply


class Images:
    """Two public images for general use, and what the test adds."""

    def __init__(self, store: Store) -> None:
        self.store = store
        for name, distro, version in (('Debian 12', 'debian', '12'), ('Ubuntu 24.04', 'ubuntu', '24.04')):
            self.add(name, {'os_distro': distro, 'os_version': version, 'os_purpose': 'generic'})

    def add(self, name: str, properties: dict[str, str], owner: str = OTHER) -> Body:
        return self.store.add(
            'image',
            {
                'name': name,
                'status': 'active',
                'visibility': 'public',
                'os_hidden': False,
                'min_disk': 5,
                'min_ram': 0,
                'size': 2**29,
                'virtual_size': 5 * 2**30,
                'owner': owner,
                'protected': False,
                'tags': [],
                'architecture': 'x86_64',
                'container_format': 'bare',
                'disk_format': 'raw',
                'checksum': '0' * 32,
                'created_at': '2026-01-01T00:00:00Z',
                'updated_at': '2026-01-01T00:00:00Z',
                **properties,
            },
        )

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v2').strip('/').split('/'):
            case 'GET', ['images']:
                owner = call.query.get('owner')
                found = [i for i in self.store.of('image').values() if owner in (None, i['owner'])]
                return page(call, 'images', found, self.store.settings.images)
            case 'GET', ['images', identity]:
                return Reply(self.store.get('image', identity, 'notFound'))
            case 'DELETE', ['images', identity]:
                del self.store.of('image')[self.store.get('image', identity, 'notFound')['id']]
                return Reply(status=204)
        raise Refused(404, 'notFound', f'The resource could not be found: {call.method} {call.path}')


class Volumes:
    """Volumes and snapshots; a volume is available after half a second."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v3').strip('/').split('/'):
            case 'GET', ['limits']:
                return Reply({'limits': {'rate': [], 'absolute': self._limits()}})
            case 'GET', ['os-quota-sets', _]:
                return Reply({'quota_set': self._quotas()})
            case 'GET', ['types', 'default']:
                return Reply({'volume_type': {'id': 'ssd', 'name': 'ssd', 'is_public': True, 'extra_specs': {}}})
            case 'GET', ['types']:
                return Reply({'volume_types': [{'id': 'ssd', 'name': 'ssd', 'is_public': True, 'extra_specs': {}}]})
            case 'GET', [('volumes' | 'snapshots') as path, *_]:
                kind = path.removesuffix('s')
                found = [_listed(item) for item in self.store.find(kind, project_id=PROJECT)]
                return page(call, path, found, self.store.settings.page)
            case 'POST', ['volumes']:
                return self._create(call.body['volume'])
            case 'DELETE', ['volumes', identity]:
                return self._delete(self.store.get('volume', identity, 'itemNotFound'))
            case 'DELETE', ['snapshots', identity]:
                item = self.store.get('snapshot', identity, 'itemNotFound')
                self.store.remove('snapshot', item, 0.5)
                return Reply(status=202)
        raise Refused(404, 'itemNotFound', f'The resource could not be found: {call.method} {call.path}')

    def _create(self, wish: Body) -> Reply:
        limit, used = self.store.settings.quota.volumes, self.store.mine('volume')
        if used >= limit:
            text = f"VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota 'volumes'."
            raise Refused(413, 'overLimit', text)
        item = self.store.add(
            'volume',
            {
                'name': wish.get('name'),
                'description': wish.get('description'),
                'size': wish['size'],
                'status': 'creating',
                'metadata': wish.get('metadata', {}),
                'bootable': 'true' if wish.get('imageRef') else 'false',
                'attachments': [],
                'volume_type': 'ssd',
                'project_id': PROJECT,
                'user_id': USER,
                'created_at': self.store.stamp(),
            },
        )
        trouble, taken = self.store.troubles, sum(volume['size'] for volume in self.store.of('volume').values())
        # the scheduler of Cinder finds no room only after the answer
        bad = _hit(trouble.volume_error, item) or 0 < trouble.capacity < taken
        self.store.later(0.5, lambda: item.update(status='error' if bad else 'available'))
        return Reply({'volume': {key: value for key, value in item.items() if key != 'project_id'}}, 202)

    def _delete(self, item: Body) -> Reply:
        if item['status'] not in ('available', 'error', 'error_deleting'):
            text = 'Invalid volume: Volume status must be available or error.'
            raise Refused(400, 'badRequest', text)
        if next(self.store.find('snapshot', volume_id=item['id']), None):
            raise Refused(400, 'badRequest', 'Invalid volume: Volume still has 1 dependent snapshots.')
        bad = _hit(self.store.troubles.volume_destroy_error, item) and item['status'] != 'error_deleting'
        item['status'] = 'deleting'
        if bad:
            self.store.later(0.5, lambda: item.update(status='error_deleting'))
        else:
            self.store.remove('volume', item, 0.5)
        return Reply(status=202)

    def _quotas(self) -> Body:
        """Of all volumes, and of those of the only type."""
        volumes = list(self.store.find('volume', project_id=PROJECT))
        used = {'volumes': len(volumes), 'gigabytes': sum(v['size'] for v in volumes)}
        limits = {'volumes': self.store.settings.quota.volumes, 'gigabytes': -1}
        return {
            'id': PROJECT,
            **{
                f'{kind}{of}': {'limit': limits[kind], 'in_use': used[kind], 'reserved': 0}
                for kind in used
                for of in ('', '_ssd')
            },
        }

    def _limits(self) -> Body:
        volumes = list(self.store.find('volume', project_id=PROJECT))
        return {
            'maxTotalVolumes': self.store.settings.quota.volumes,
            'totalVolumesUsed': len(volumes),
            'maxTotalSnapshots': -1,
            'totalSnapshotsUsed': len(self.store.of('snapshot')),
            'maxTotalVolumeGigabytes': -1,
            'maxTotalBackups': 10,
            'totalGigabytesUsed': sum(v['size'] for v in volumes),
            'maxTotalBackupGigabytes': 1000,
            'totalBackupsUsed': 0,
            'totalBackupGigabytesUsed': 0,
        }


def _hit(pattern: str, item: Body) -> bool:
    return bool(pattern and re.search(pattern, item['name'] or ''))


def _listed(item: Body) -> Body:
    plain = {key: value for key, value in item.items() if key != 'project_id'}
    return {**plain, 'os-vol-tenant-attr:tenant_id': item['project_id']}


class Balancers:
    """Load balancers that somebody made; deletion takes its time, and while it does they are immutable."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, name: str, status: str = 'ACTIVE') -> Body:
        return self.store.add(
            'load_balancer',
            {
                'name': name,
                'description': '',
                'provisioning_status': status,
                'operating_status': 'ONLINE',
                'project_id': PROJECT,
                'vip_port_id': '',
                'vip_address': '10.254.0.9',
                'listeners': [{'id': self.store.identity()}],
                'pools': [],
                'tags': [],
            },
        )

    def answer(self, call: Call) -> Reply:
        match call.method, call.path.removeprefix('/v2').removeprefix('.0').strip('/').split('/'):
            case 'GET', ['']:
                return Reply('v2')  # which is all that Octavia says of a version by itself
            case 'GET', ['lbaas', 'loadbalancers']:
                return Reply(
                    {'loadbalancers': list(self.store.of('load_balancer').values()), 'loadbalancers_links': []}
                )
            case 'GET', ['lbaas', 'quotas', *_]:
                kinds = ('load_balancer', 'listener', 'pool', 'member', 'health_monitor')
                limits = dict.fromkeys(kinds, -1) | {'load_balancer': self.store.settings.quota.load_balancers}
                return Reply({'quota': limits})
            case 'GET', ['lbaas', ('listeners' | 'pools' | 'healthmonitors') as path]:
                parts = [part for item in self.store.of('load_balancer').values() for part in item.get(path, ())]
                return Reply({path: parts, f'{path}_links': []})
            case 'DELETE', ['lbaas', 'loadbalancers', identity]:
                return self._delete(self.store.get('load_balancer', identity, 'NotFound'), call)
        raise Refused(404, 'NotFound', f'The resource could not be found: {call.method} {call.path}')

    def _delete(self, item: Body, call: Call) -> Reply:
        if item['provisioning_status'].startswith('PENDING'):
            raise Refused(409, 'Immutable', f'Load Balancer {item["id"]} is immutable and cannot be updated.')
        if item['listeners'] and call.query.get('cascade', '').lower() != 'true':
            raise Refused(400, 'ValidationException', f'Cannot delete Load Balancer {item["id"]} - it has children')
        item['provisioning_status'] = 'PENDING_DELETE'
        self.store.remove('load_balancer', item, self.store.troubles.balancer)
        return Reply(status=204)
