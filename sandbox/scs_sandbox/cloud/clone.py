"""A cloud of its own from the template: databases copied, paths, passwords, keys and regions made those of the new
sandbox."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from . import layout, secrets, sqlite, template
from .model import DATABASES, HOME_SERVICES, POOLS, SERVICES, Credentials, Region

Statement = tuple[str, tuple[Any, ...]]


def clone(source: Path, region: Region, credentials: Credentials, prefix: Path) -> None:
    """Make the files of a region from the template in the directory source. Region 0 first: it holds Keystone.

    Raises SandboxError when the template does not fit this program.
    """
    info = read_info(source)
    layout.write(region, credentials.passwords['service'], prefix)
    for name in DATABASES:
        if name not in HOME_SERVICES or region.index == 0:
            shutil.copyfile(source / f'{name}.db', region.data / f'{name}.db')
            (region.data / f'{name}.db').chmod(0o600)
    shutil.copytree(source / 'images', region.data / 'images', dirs_exist_ok=True)
    old, new = str(info['home']), str(region.home)
    _change(
        region,
        'nova_api',
        [('update cell_mappings set database_connection = replace(database_connection, ?, ?)', (old, new))],
    )
    _change(region, 'glance', [('update image_locations set value = replace(value, ?, ?)', (old, new))])
    _change(region, 'neutron', pool_statements(region.index))
    if region.index == 0:
        _change(region, 'keystone', credential_statements(credentials))
    for name in DATABASES:
        if (region.data / f'{name}.db').exists():
            _change(region, name, [('pragma journal_mode=wal', ())])


def add_region(home: Region, region: Region) -> None:
    """Tell the Keystone of the home region about the services of another one."""
    database = home.data / 'keystone.db'
    with sqlite.opened(database) as link:
        link.execute('begin')
        known = link.execute('select count(*) from region where id = ?', (region.name,)).fetchone()[0]
        if known:
            link.execute('rollback')
            return
        link.execute('insert into region (id, description, extra) values (?, ?, ?)', (region.name, '', '{}'))
        rows = link.execute('select service.id, service.extra from service').fetchall()
        names = {json.loads(extra)['name']: key for key, extra in rows}
        for service in SERVICES:
            for interface in ('public', 'internal', 'admin'):
                link.execute(
                    'insert into endpoint (id, interface, service_id, url, extra, enabled, region_id)'
                    ' values (?, ?, ?, ?, ?, 1, ?)',
                    (uuid.uuid4().hex, interface, names[service.name], region.url(service.name), '{}', region.name),
                )
        link.execute('commit')


def read_info(source: Path) -> dict[str, Any]:
    """What the template says about itself. Raises SandboxError."""
    try:
        found: dict[str, Any] = json.loads((source / template.INFO).read_text())
    except (OSError, ValueError) as error:
        raise SandboxError(
            'cannot read cloud template', str(source), str(error), f'remove {source} and try again'
        ) from error
    return found


def credential_statements(credentials: Credentials) -> list[Statement]:
    """SQL for Keystone: the passwords of this sandbox instead of the template's."""
    statements: list[Statement] = [
        (
            'update password set password_hash = ? where local_user_id = (select id from local_user where name = ?)',
            (secrets.hashed(password), name),
        )
        for name, password in credentials.passwords.items()
    ]
    secret = secrets.hashed(credentials.application_credential_secret)
    return [
        *statements,
        (
            'update application_credential set secret_hash = ? where id = ?',
            (secret, credentials.application_credential_id),
        ),
    ]


def pool_statements(index: int) -> list[Statement]:
    """SQL for Neutron: each region takes floating addresses from its own part of the external network.

    The first table is what the API shows, the second what the address management takes from.
    """
    return [
        (f'update {table} set first_ip = ?, last_ip = ? where first_ip = ?', (*POOLS[index], POOLS[0][0]))
        for table in ('ipallocationpools', 'ipamallocationpools')
    ]


def _change(region: Region, name: str, statements: Iterable[Statement]) -> None:
    with sqlite.opened(region.data / f'{name}.db') as link:
        for text, values in statements:
            link.execute(text, values)
