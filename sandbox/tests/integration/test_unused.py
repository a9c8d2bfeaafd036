"""What Neutron is kept from loading: it exists under these names, and nothing is ever in it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest
from cloud_world import CloudWorld

from scs_sandbox import environments
from scs_sandbox.services import unused

pytestmark = pytest.mark.integration
SANDBOX = Path(__file__).resolve().parents[2]
# All models, also those of extensions that a sandbox does not load.
SCRIPT = """
import json
from neutron.db.migration.models import head
from scs_sandbox.services import unused

found = unused.relationships()
unused.never_load_empty_tables()
print(json.dumps({
    'names': sorted([r.parent.class_.__name__, r.key] for r in found),
    'tables': sorted({(r.secondary if r.secondary is not None else r.mapper.local_table).name for r in found}),
    'strategies': sorted({type(r.strategy).__name__ for r in found}),
}))
"""


def test_tables_that_are_never_asked_for_exist_and_are_empty(cloud: CloudWorld) -> None:
    python = environments.openstack() / 'bin/python'
    done = subprocess.run([python, '-c', SCRIPT], cwd=SANDBOX, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told['names'] == sorted([model, name] for model, names in unused.EMPTY.items() for name in names)
    assert told['strategies'] == ['_NoLoader']
    network = cloud.ask(lambda c: c.network.create_network(name='unused').id)
    with sqlite3.connect(f'file:{cloud.state}/cloud/RegionOne/data/neutron.db?mode=ro', uri=True) as database:
        count = {t: database.execute(f'SELECT count(*) FROM {t}').fetchone()[0] for t in told['tables']}
        assert database.execute('SELECT count(*) FROM networks WHERE id = ?', (network,)).fetchone() == (1,)
    cloud.ask(lambda c: c.network.delete_network(network))
    assert set(count.values()) == {0}, count


def test_extensions_whose_tables_are_left_out_are_not_offered(cloud: CloudWorld) -> None:
    offered = cloud.ask(lambda c: {extension.alias for extension in c.network.extensions()})
    assert 'security-group' in offered
    assert not offered & {'dns-integration', 'trunk', 'floating-ip-port-forwarding', 'l3-conntrack-helper', 'bgp'}
