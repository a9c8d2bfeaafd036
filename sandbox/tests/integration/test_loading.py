"""What services load together or leave out, in their environment: nothing that a process of one service could miss."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scs_sandbox import environments

pytestmark = pytest.mark.integration
SANDBOX = Path(__file__).resolve().parents[2]
COMMON = """
import json, sys, threading
from scs_sandbox.services import loading

loading.common()
print(json.dumps({'modules': sorted(sys.modules), 'threads': threading.active_count()}))
"""
# Attributes of each type in the order that WSME knows them in; those that the type declares itself before the others.
TYPES = """
import json, sys
import wsme.types
from scs_sandbox.services import loading

if sys.argv[1] == 'ours':
    loading.order_attributes_as_declared()
from octavia.api.v2.types import health_monitor, l7policy, listener, load_balancer, pool, quotas

print(json.dumps({
    f'{module.__name__}.{name}': [
        [a.key for a in found._wsme_attributes if a.key in own], sorted(a.key for a in found._wsme_attributes)
    ]
    for module in (health_monitor, l7policy, listener, load_balancer, pool, quotas)
    for name, found in sorted(vars(module).items())
    if isinstance(found, type) and hasattr(found, '_wsme_attributes')
    for own in [{k for k in vars(found) if not any(k in vars(base) for base in found.__mro__[1:])}]
}))
"""
KEYSTONE = """
import json, sys
from scs_sandbox.services import loading

loading.no_schemas_of_saml()
import keystone.federation.idp
from saml2 import sigver

try:
    sigver.validate_doc_with_schema('<a/>')
except NotImplementedError as error:
    print(json.dumps({'said': str(error), 'loaded': 'xmlschema' in sys.modules}))
"""


def run(script: str, *words: str) -> Any:
    argv = [environments.openstack() / 'bin/python', '-W', 'ignore', '-c', script, *words]
    done = subprocess.run(argv, cwd=SANDBOX, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_common_starts_no_thread_and_decides_nothing_for_a_project() -> None:
    told = run(COMMON)
    roots = {name.partition('.')[0] for name in told['modules']}
    assert {'sqlalchemy', 'oslo_db', 'keystonemiddleware', 'openstack'} <= roots
    # Cinder chooses threads before it imports the one, Nova whether the other replaces the standard library's
    assert not roots & {'oslo_service', 'eventlet', *('nova', 'neutron', 'cinder', 'glance', 'keystone', 'octavia')}
    assert told['threads'] == 1


def test_types_have_the_attributes_and_the_order_that_their_source_has() -> None:
    ours, theirs = run(TYPES, 'ours'), run(TYPES, 'theirs')
    assert ours == theirs
    assert len(ours) > 20
    assert any(len(own) > 5 for own, _ in ours.values())


def test_keystone_loads_no_schema_and_refuses_to_validate_without() -> None:
    assert run(KEYSTONE) == {'said': 'a sandbox has no federation by SAML', 'loaded': False}
