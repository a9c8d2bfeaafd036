"""Lists of the stand-in as a real service answers them: JSON behind an adapter, whose requests openstacksdk makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace as Item
from typing import Any

from keystoneauth1.adapter import Adapter
from openstack.compute.v2.server import Server
from openstack.network.v2.floating_ip import FloatingIP
from openstack.network.v2.port import Port

from scs_ci.cloud import lists

KINDS: dict[str, tuple[str, Any]] = {
    '/servers/detail': ('server', Server),
    '/ports': ('port', Port),
    '/floatingips': ('floating_ip', FloatingIP),
}


class Service(Adapter):
    """A service of the stand-in, as far as openstacksdk lists something of it."""

    default_microversion = '2.79'  # as connect.py pins it; without one the SDK would look for the newest

    def __init__(self, fake: Any) -> None:
        self.fake = fake

    def get(self, uri: str, params: Mapping[str, str], **_: Any) -> Any:
        kind, model = KINDS[uri]
        prefix = params.get('name', '').removeprefix('^').replace('\\', '')
        wanted = {lists_name(key): value for key, value in params.items() if key != 'name'}
        found = [item for item in self.fake.listed(kind, **wanted) if item.name.startswith(prefix)]
        return Item(status_code=200, links={}, json=lambda: {model.resources_key: answer(model, found)})

    def _get_connection(self) -> None:
        return None


def lists_name(key: str) -> str:
    """What the stand-in calls a filter: Neutron's old name of the project is still the SDK's."""
    return {'tenant_id': 'project_id'}.get(key, key)


def answer(model: Any, found: Iterable[Any]) -> list[dict[str, Any]]:
    """Objects of the stand-in with the keys of the API."""
    keys = lists.names(model)
    return [{keys.get(name, name): value for name, value in vars(item).items()} for item in found]
