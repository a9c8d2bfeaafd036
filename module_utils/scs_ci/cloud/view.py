"""What a cloud knows of a cluster whose coming up failed: servers with their faults and consoles, addresses, and all
that bears the cluster's name. Read only; a server or address that is not there is None, an error is a Problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..core.errors import Problem
from . import choose, failures, observe
from .connect import Cloud


class View:
    """Questions to one cloud. connected: logs in at the first question."""

    def __init__(self, connected: Callable[[], Cloud]) -> None:
        self._connected = connected

    @property
    def _sdk(self) -> Any:
        return self._connected().sdk

    def server(self, server_id: str) -> dict[str, Any] | None:
        """{'id', 'name', 'status', 'fault'}; fault: Nova's message, empty without."""
        with failures.cloud_errors('cannot look at', f'server {server_id}'):
            found = self._sdk.compute.find_server(server_id, ignore_missing=True)
        if found is None:
            return None
        fault = (found.fault or {}).get('message') or ''
        return {'id': found.id, 'name': found.name, 'status': found.status, 'fault': fault}

    def simulated(self, server_id: str) -> tuple[str, ...]:
        """What is not real about a server, as its image says; nothing of one that is gone or boots from a volume."""
        with failures.cloud_errors('cannot look at', f'image of server {server_id}'):
            found = self._sdk.compute.find_server(server_id, ignore_missing=True)
            image_id = ((found.image if found else None) or {}).get('id')
            image = self._sdk.image.find_image(image_id, ignore_missing=True) if image_id else None
        return choose.simulated_of(observe.image(image)) if image else ()

    def console(self, server_id: str) -> str:
        """What the cloud still has of the server's serial console, all of it: the cause is often at the beginning."""
        with failures.cloud_errors('cannot read', f'console of server {server_id}'):
            answer = self._sdk.compute.get_server_console_output(server_id)
        return str((answer or {}).get('output') or '')

    def address(self, address: str) -> dict[str, Any] | None:
        """The project's floating IP of that address: {'id', 'port_id', 'status'}."""
        with failures.cloud_errors('cannot look at', f'floating IP {address}'):
            found = next(iter(self._sdk.network.ips(floating_ip_address=address)), None)
        return {'id': found.id, 'port_id': found.port_id, 'status': found.status} if found else None

    def resources(self, cluster: str) -> dict[str, list[dict[str, Any]]]:
        """Everything whose name or description has the cluster's name, and the ports of its servers, by kind.

        A kind that cannot be listed has one entry {'error': text}: another may tell more.
        """
        named = {kind: self._listed(kind, ask, cluster) for kind, ask in self._kinds().items()}
        servers = {server['id'] for server in named['servers'] if server.get('id')}
        known = {port.get('id') for port in named['ports']}
        named['ports'] += self._listed('ports', lambda: self._ports(servers, known), '')
        return named

    def _kinds(self) -> dict[str, Callable[[], Iterable[Any]]]:
        sdk = self._sdk
        kinds: dict[str, Callable[[], Iterable[Any]]] = {
            'servers': lambda: sdk.compute.servers(details=True),
            'networks': sdk.network.networks,
            'subnets': sdk.network.subnets,
            'routers': sdk.network.routers,
            'ports': sdk.network.ports,
            'security_groups': sdk.network.security_groups,
            'floating_ips': sdk.network.ips,
        }
        for service, kind, ask in (
            ('block-storage', 'volumes', lambda: sdk.block_storage.volumes(details=True)),
            ('load-balancer', 'load_balancers', lambda: sdk.load_balancer.load_balancers()),
        ):
            if self._connected().has(service):
                kinds[kind] = ask
        return kinds

    def _ports(self, servers: set[str], known: set[Any]) -> list[Any]:
        return [port for port in self._sdk.network.ports() if port.device_id in servers and port.id not in known]

    def _listed(self, kind: str, ask: Callable[[], Iterable[Any]], name: str) -> list[dict[str, Any]]:
        try:
            with failures.cloud_errors('cannot list', kind):
                return [plain(item) for item in ask() if not name or _bears(item, name)]
        except Problem as problem:
            return [{'error': str(problem)}]


def plain(item: Any) -> dict[str, Any]:
    """A resource of the SDK as plain data, without what it did not say."""
    content: Mapping[str, Any] = item.to_dict(computed=False)
    return {key: _plain(value) for key, value in content.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _bears(item: Any, name: str) -> bool:
    return any(name in str(text) for text in (item.name, getattr(item, 'description', '')) if text)
