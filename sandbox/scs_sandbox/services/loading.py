"""What services load, and how it takes less time: a third of the start of a sandbox is importing modules.

Nothing here changes what a service answers.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

# What all or nearly all projects import, without threads and without their configuration. Nothing of eventlet and
# oslo.service: projects choose what stands for them before they import it.
COMMON = (
    'cheroot.wsgi',
    'cryptography.x509',
    'jsonschema',
    'keystoneauth1.loading',
    'keystonemiddleware.auth_token',
    'openstack.connection',
    'oslo_config.cfg',
    'oslo_db.sqlalchemy.enginefacade',
    'oslo_log.log',
    'oslo_middleware',
    'oslo_policy.policy',
    'paste.deploy',
    'routes',
    'sqlalchemy.dialects.sqlite',
    'sqlalchemy.ext.declarative',
    'sqlalchemy.orm',
)


def common() -> None:
    """Load what each service would load for itself: modules, and the entry points of all packages."""
    import stevedore

    for name in COMMON:
        importlib.import_module(name)
    stevedore.ExtensionManager('scs_sandbox', invoke_on_load=False)


def order_attributes_as_declared() -> None:
    """WSME looks for the order of a type's attributes in its source, which it parses anew for each type of a file.

    Python keeps the order in which a class declares them; inherited ones come last.
    """
    import wsme.types

    def sort(declared: Any, attributes: list[Any]) -> None:
        names = getattr(declared, '_wsme_attr_order', None) or list(vars(declared))
        attributes.sort(key=lambda attribute: names.index(attribute.key))

    wsme.types.sort_attributes = sort


class NoSchema(Exception):
    """Raised by nobody: what code expects that validates by schemas of SAML."""


def _no_validation(*_: Any, **__: Any) -> None:
    raise NotImplementedError('a sandbox has no federation by SAML')


def no_schemas_of_saml() -> None:
    """Keystone loads them for federation by SAML, which no sandbox has; they take a third of its start."""
    absent = types.ModuleType('saml2.xml.schema', 'Stands for the schemas of SAML, which are not loaded in a sandbox.')
    vars(absent).update(XMLSchemaError=NoSchema, validate=_no_validation)
    sys.modules[absent.__name__] = absent
