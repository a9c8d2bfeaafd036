"""Fill Keystone's database through its own managers: users, projects, roles, catalogue, one application credential."""

from __future__ import annotations

import uuid
from typing import Any


def fill(document: dict[str, Any]) -> None:
    """document: region, urls (service name -> [type, URL]), passwords (user -> password), projects, member_roles,
    application_credential."""
    from keystone.cmd import bootstrap
    from keystone.common import provider_api

    providers = provider_api.ProviderAPIs
    base = bootstrap.Bootstrapper()
    base.admin_username, base.admin_password = 'admin', document['passwords']['admin']
    base.project_name, base.admin_role_name, base.service_name = 'admin', 'admin', 'keystone'
    base.region_id = document['region']
    base.public_url = base.internal_url = base.admin_url = document['urls']['keystone'][1]
    base.bootstrap()
    roles = {role['name']: role['id'] for role in providers.role_api.list_roles()}
    for name in document['member_roles']:
        if name not in roles:
            roles[name] = _new()
            providers.role_api.create_role(
                roles[name], {'id': roles[name], 'name': name, 'domain_id': None, 'options': {}}
            )
    _user(providers, 'service', document, [roles['admin'], roles['service']])
    for name in document['projects']:
        _user(providers, name, document, [roles[role] for role in document['member_roles']])
    _catalogue(providers, document)
    _application_credential(providers, document['application_credential'], [roles[r] for r in document['member_roles']])


def _new() -> str:
    return uuid.uuid4().hex


def _user(providers: Any, name: str, document: dict[str, Any], roles: list[str]) -> None:
    """A project and a user of the same name with these roles in it."""
    project = {
        'id': _new(),
        'name': name,
        'domain_id': 'default',
        'parent_id': 'default',
        'enabled': True,
        'description': '',
        'is_domain': False,
        'tags': [],
        'options': {},
    }
    providers.resource_api.create_project(project['id'], project)
    user = providers.identity_api.create_user(
        {
            'name': name,
            'password': document['passwords'][name],
            'domain_id': 'default',
            'enabled': True,
            'default_project_id': project['id'],
            'options': {},
        }
    )
    for role in roles:
        providers.assignment_api.create_grant(role, user_id=user['id'], project_id=project['id'])


def _catalogue(providers: Any, document: dict[str, Any]) -> None:
    for name, (kind, url) in document['urls'].items():
        if name == 'keystone':
            continue
        service = providers.catalog_api.create_service(
            service_id := _new(), {'id': service_id, 'name': name, 'type': kind, 'enabled': True}
        )
        for interface in ('public', 'internal', 'admin'):
            key = _new()
            providers.catalog_api.create_endpoint(
                key,
                {
                    'id': key,
                    'service_id': service['id'],
                    'interface': interface,
                    'url': url,
                    'region_id': document['region'],
                    'enabled': True,
                },
            )


def _application_credential(providers: Any, wanted: dict[str, str], roles: list[str]) -> None:
    user = providers.identity_api.get_user_by_name(wanted['user'], 'default')
    providers.application_credential_api.create_application_credential(
        {
            'id': wanted['id'],
            'name': wanted['name'],
            'secret': wanted['secret'],
            'user_id': user['id'],
            'project_id': user['default_project_id'],
            'unrestricted': False,
            'description': 'Made by the sandbox',
            'roles': [{'id': role} for role in roles],
        }
    )
