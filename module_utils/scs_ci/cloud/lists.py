"""The long lists of a cloud as plain entries.

openstacksdk makes an object of dozens of attributes from each entry, which takes milliseconds: a poll of a thousand
servers would take longer than the pause between two polls. Requests, pages and errors are those of openstacksdk.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from .connect import Cloud


class Entry:
    """One object of a list, with the attributes of openstacksdk; None where the cloud does not tell."""

    __slots__ = ('_body', '_names')

    def __init__(self, names: Mapping[str, str], body: Mapping[str, Any]) -> None:
        self._names, self._body = names, body

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(name)
        return self._body.get(self._names[name])


def servers(cloud: Cloud, **query: Any) -> Iterator[Any]:
    """All servers with their details; query: as of compute.servers()."""
    from openstack.compute.v2.server import Server

    return _light(Server).list(cloud.sdk.compute, base_path='/servers/detail', **query)  # type: ignore[no-any-return]


def ports(cloud: Cloud, **query: Any) -> Iterator[Any]:
    """All ports that the login sees; query: as of network.ports()."""
    from openstack.network.v2.port import Port

    return _light(Port).list(cloud.sdk.network, **query)  # type: ignore[no-any-return]


def floating_ips(cloud: Cloud, **query: Any) -> Iterator[Any]:
    """All floating IPs that the login sees; query: as of network.ips()."""
    from openstack.network.v2.floating_ip import FloatingIP

    return _light(FloatingIP).list(cloud.sdk.network, **query)  # type: ignore[no-any-return]


def names(kind: type) -> dict[str, str]:
    """Attribute of a class of openstacksdk to the key in the API's answers."""
    from openstack.fields import Body

    # what a class redefines counts, so bases come first
    parts = [part for base in reversed(kind.__mro__) for part in vars(base).items()]
    return {attribute: field.name for attribute, field in parts if isinstance(field, Body)}


@functools.cache
def _light(kind: Any) -> Any:
    """That class, making entries instead of its objects of what a list has."""
    known = names(kind)

    class Light(kind):  # type: ignore[misc]
        @classmethod
        def existing(cls, connection: Any = None, **body: Any) -> Entry:
            return Entry(known, body)

    return Light
