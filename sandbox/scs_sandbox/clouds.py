"""clouds.yaml of a sandbox: an administrator, two ordinary projects and an application credential, for every region."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .cloud.model import Credentials, Region
from .cloud.secrets import write_private

# cloud name -> user; user and project have the same name
USERS = {'sandbox-admin': 'admin', 'sandbox': 'demo1', 'sandbox2': 'demo2'}
API_TIMEOUT = 120  # seconds for one answer; with fifty servers at once on two cores Nova takes some


def document(credentials: Credentials, regions: Sequence[Region]) -> dict[str, Any]:
    """The content of clouds.yaml. Clouds of the home region have the plain names, those of others end with
    -<region>."""
    clouds: dict[str, Any] = {}
    for region in regions:
        suffix = f'-{region.name}' if region.index else ''
        common = {
            'region_name': region.name,
            'interface': 'public',
            'identity_api_version': '3',
            'api_timeout': API_TIMEOUT,
        }
        url = region.url('keystone')
        for name, user in USERS.items():
            auth = {
                'auth_url': url,
                'username': user,
                'password': credentials.passwords[user],
                'project_name': user,
                'user_domain_id': 'default',
                'project_domain_id': 'default',
            }
            clouds[name + suffix] = {'auth': auth, **common}
        clouds['sandbox-appcred' + suffix] = {
            'auth_type': 'v3applicationcredential',
            'auth': {
                'auth_url': url,
                'application_credential_id': credentials.application_credential_id,
                'application_credential_secret': credentials.application_credential_secret,
            },
            **common,
        }
    return {'clouds': clouds}


def write(path: Path, credentials: Credentials, regions: Sequence[Region]) -> None:
    """Write clouds.yaml, readable for its owner only."""
    write_private(path, yaml.safe_dump(document(credentials, regions), sort_keys=False))
