"""Tables of Neutron and Octavia from their models, and the rows that their migrations would have put in.

Without the first kind of rows new security groups lack egress; without the second the first load balancer fails on a
foreign key.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import orm

# The migration that seeds the default rules. Its directory has a dot in its name, so it is loaded by path.
RULES_MIGRATION = 'db/migration/alembic_migrations/versions/2023.2/expand/c33da356b165_*.py'
DELETED = 'DELETED-PLACEHOLDER'


def neutron_rows(connection: str) -> None:
    """All tables of Neutron and the default security group rules."""
    from neutron.db.migration.models import head

    metadata = head.get_metadata()
    engine = sqlalchemy.create_engine(connection)
    metadata.create_all(engine)
    rules, attributes = metadata.tables['securitygroupdefaultrules'], metadata.tables['standardattributes']
    with engine.begin() as link:
        for rule in default_rules():
            row = dict(rule)
            values = {'resource_type': rules.name, 'description': row.pop('description', None)}
            key = link.execute(attributes.insert().values(**values)).inserted_primary_key[0]
            link.execute(rules.insert().values(standard_attr_id=key, **row))


def default_rules() -> list[dict[str, Any]]:
    """The rules out of Neutron's own migration file."""
    import neutron

    path = next(Path(str(neutron.__file__)).parent.glob(RULES_MIGRATION))
    spec = importlib.util.spec_from_file_location('default_rules', path)
    if spec is None or spec.loader is None:
        raise ImportError(f'{path} is no Python module')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lists = [v for v in vars(module).values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return next(v for v in lists if 'used_in_default_sg' in v[0])


def octavia_rows(connection: str) -> None:
    """All tables of Octavia, its lookup tables and the placeholders of deleted flavors and zones."""
    from octavia.common import constants
    from octavia.db import base_models, models

    engine = sqlalchemy.create_engine(connection)
    base_models.BASE.metadata.create_all(engine)
    lookups = (
        (constants.SUPPORTED_PROVISIONING_STATUSES, models.ProvisioningStatus),
        (constants.SUPPORTED_OPERATING_STATUSES, models.OperatingStatus),
        (constants.SUPPORTED_HEALTH_MONITOR_TYPES, models.HealthMonitorType),
        (constants.SUPPORTED_LB_ALGORITHMS, models.Algorithm),
        (constants.SUPPORTED_PROTOCOLS, models.Protocol),
        (constants.SUPPORTED_SP_TYPES, models.SessionPersistenceType),
        (constants.SUPPORTED_AMPHORA_ROLES, models.AmphoraRoles),
        (constants.SUPPORTED_LB_TOPOLOGIES, models.LBTopology),
        (constants.SUPPORTED_VRRP_AUTH, models.VRRPAuthMethod),
        (constants.SUPPORTED_L7RULE_TYPES, models.L7RuleType),
        (constants.SUPPORTED_L7RULE_COMPARE_TYPES, models.L7RuleCompareType),
        (constants.SUPPORTED_L7POLICY_ACTIONS, models.L7PolicyAction),
        (constants.SUPPORTED_CLIENT_AUTH_MODES, models.ClientAuthenticationMode),
    )
    nil = constants.NIL_UUID
    with orm.Session(engine) as session, session.begin():
        session.add_all([model(name=name) for names, model in lookups for name in names])
        session.add(models.FlavorProfile(id=nil, name=DELETED, provider_name=constants.DELETED, flavor_data='{}'))
        session.add(
            models.AvailabilityZoneProfile(
                id=nil, name=DELETED, provider_name=constants.DELETED, availability_zone_data='{}'
            )
        )
        session.flush()
        session.add(models.Flavor(id=nil, flavor_profile_id=nil, name=DELETED, enabled=False))
        session.add(models.AvailabilityZone(availability_zone_profile_id=nil, name=nil, enabled=False))
