"""python -m scs_sandbox.services.databases SERVICE CONFIG_FILE -- create the databases of one service, in one process.

Keystone also takes a JSON document on standard input: who and what is in the identity service.
Neutron and Octavia have migrations that need MySQL or PostgreSQL, so their tables are made from the models and
stamped as current; rows that those migrations seed are added.
"""

from __future__ import annotations

import configparser
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CELL1 = '6b1f2c9e-0d1a-4b7e-9a55-0123456789ab'


def keystone(config: Path) -> None:
    """Tables, users, projects, roles and catalogue, through Keystone's own managers: no server has to run for it."""
    import keystone.server
    from keystone.common.sql import upgrades

    sys.argv = ['keystone-manage']
    keystone.server.configure(config_files=[str(config)])
    upgrades.offline_sync_database_to_version()
    from .identity import fill

    fill(json.load(sys.stdin))


def nova(config: Path) -> None:
    """API database and both cells, in one process instead of the four of nova-manage."""
    import nova.conf
    from nova import config as nova_config
    from nova import context, objects
    from nova.db import migration

    nova_config.parse_args(['nova-manage', '--config-file', str(config)])
    objects.register_all()
    migration.db_sync(database='api')
    admin = context.get_admin_context()
    cell1 = nova.conf.CONF.database.connection
    mappings = (
        (objects.CellMapping.CELL0_UUID, 'cell0', 'none:///', cell1.replace('nova_cell1', 'nova_cell0')),
        (CELL1, 'cell1', nova.conf.CONF.transport_url, cell1),
    )
    for uuid, name, transport, connection in mappings:
        mapping = objects.CellMapping(
            admin, uuid=uuid, name=name, transport_url=transport, database_connection=connection
        )
        mapping.create()
        with context.target_cell(admin, mapping) as cell:
            migration.db_sync(database='main', context=cell)


def placement(config: Path) -> None:
    _main('placement.cmd.manage', ['placement-manage', '--config-file', str(config), 'db', 'sync'])


def glance(config: Path) -> None:
    _main('glance.cmd.manage', ['glance-manage', '--config-file', str(config), 'db_sync'])


def cinder(config: Path) -> None:
    _main('cinder.cmd.manage', ['cinder-manage', '--config-file', str(config), 'db', 'sync'])


def neutron(config: Path) -> None:
    from .seeds import neutron_rows

    neutron_rows(_connection(config))
    _main('neutron.db.migration.cli', ['neutron-db-manage', '--config-file', str(config), 'stamp', 'heads'])


def octavia(config: Path) -> None:
    from .seeds import octavia_rows

    octavia_rows(_connection(config))
    _main('octavia.db.migration.cli', ['octavia-db-manage', '--config-file', str(config), 'stamp', 'head'])


def _connection(config: Path) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(config)
    return parser['database']['connection']


def _main(module: str, argv: list[str]) -> None:
    """Run the project's own command. Its exit code is the only thing it says about failure."""
    sys.argv = argv
    code: Any = importlib.import_module(module).main()
    if code:
        raise SystemExit(f'{argv[0]} ended with {code}')


CREATE: dict[str, Callable[[Path], None]] = {
    'keystone': keystone,
    'placement': placement,
    'glance': glance,
    'nova': nova,
    'neutron': neutron,
    'cinder': cinder,
    'octavia': octavia,
}

if __name__ == '__main__':
    CREATE[sys.argv[1]](Path(sys.argv[2]))
