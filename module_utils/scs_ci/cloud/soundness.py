"""Is the connection sound for the whole run: credential, versions of APIs, names of hosts? Read only."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..core.clock import Clock
from ..core.errors import Problem
from . import failures, retry
from .connect import COMPUTE_MICROVERSION, Cloud
from .rows import Row

SERVICES = ('identity', 'compute', 'network', 'image', 'block-storage', 'load-balancer')
NEEDED = ('identity', 'compute', 'network', 'image')
# Least versions of APIs: of Nova for what connect.py pins; the others as major versions that the product speaks.
FLOORS: Mapping[str, tuple[int, int]] = {
    'compute': (int(COMPUTE_MICROVERSION.split('.')[0]), int(COMPUTE_MICROVERSION.split('.')[1])),
    'identity': (3, 0),
    'network': (2, 0),
    'image': (2, 0),
    'block-storage': (3, 0),
    'load-balancer': (2, 0),
}
# Plugins that keep only a token cannot get another one.
FIXED_TOKENS = frozenset({'token', 'v3token', 'admin_token', 'none'})
ADVICE = 'the run would lose the cloud before it has cleaned up'


def endpoints(cloud: Cloud) -> dict[str, str]:
    """Name of each service that the cloud has, to its address."""
    found = {name: cloud.sdk.endpoint_for(name) for name in SERVICES}
    return {name: str(address) for name, address in found.items() if address}


def service_rows(have: Iterable[str]) -> list[Row]:
    """The services without which there are no nodes. Pure."""
    missing = [name for name in NEEDED if name not in set(have)]
    return [
        Row('service', f'service {name}', False, 'not in the catalog', verdict='infrastructure') for name in missing
    ]


def versions(cloud: Cloud, have: Iterable[str], clock: Clock | None = None) -> dict[str, tuple[int, int] | None]:
    """The newest version that each service speaks: the microversion where it has them; None where it does not tell."""
    return {name: _version(cloud, name, clock) for name in have}


def _version(cloud: Cloud, service: str, clock: Clock | None) -> tuple[int, int] | None:
    def ask() -> Any:
        # where the service does not answer, even its proxy cannot be had
        return getattr(cloud.sdk, service.replace('-', '_')).get_endpoint_data()

    try:
        data = retry.reading(ask, clock)
    except failures.sdk_errors():
        return None
    except (KeyError, TypeError, ValueError):  # keystoneauth trips over documents of versions in a form of their own
        return None
    # of a service that does not answer the major version is still known, from its address in the catalog
    major = data.api_version if data and not FLOORS[service][1] else None
    newest = (data.max_microversion or major) if data else None
    return (int(newest[0]), int(newest[1]) if len(newest) > 1 else 0) if newest else None


def version_rows(found: Mapping[str, tuple[int, int] | None]) -> list[Row]:
    """Too old APIs are shortfalls. Pure."""
    rows = []
    for name, version in found.items():
        floor = FLOORS[name]
        if version is None:
            rows.append(Row('version', f'API {name}', None, f'needs {_dotted(floor)}, the cloud does not tell'))
            continue
        ok = version >= floor
        text = f'{_dotted(version)}, needs {_dotted(floor)}'
        rows.append(Row('version', f'API {name}', ok, text, verdict='' if ok else 'infrastructure'))
    return rows


def _dotted(version: tuple[int, int]) -> str:
    return f'{version[0]}.{version[1]}'


def credential(
    cloud: Cloud, clock: Clock | None = None
) -> tuple[str, datetime.datetime | None, datetime.datetime | None]:
    """Kind of login, when its token ends, and when its application credential ends; None where there is none."""
    session = cloud.sdk.session
    kind = str(getattr(getattr(cloud.sdk, 'config', None), 'config', {}).get('auth_type') or 'password')
    with failures.cloud_errors('cannot look at', f'credential of cloud {cloud.name}'):
        access = session.auth.get_access(session)
    identity = getattr(access, 'application_credential_id', None)
    return kind, access.expires, _credential_end(cloud, identity, clock) if identity else None


def _credential_end(cloud: Cloud, identity: str, clock: Clock | None) -> datetime.datetime | None:
    def ask() -> Any:
        return cloud.sdk.identity.get_application_credential(cloud.user_id, identity)

    try:
        text = retry.reading(ask, clock).expires_at
    except failures.sdk_errors():  # rules of access may forbid it; then it ends unseen
        return None
    if not text:
        return None
    end = datetime.datetime.fromisoformat(str(text))
    return end if end.tzinfo else end.replace(tzinfo=datetime.UTC)


def credential_row(
    kind: str, token: datetime.datetime | None, end: datetime.datetime | None, until: datetime.datetime
) -> Row:
    """Does the login last until the run's end? Pure."""
    last = min((moment for moment in (end, token if kind in FIXED_TOKENS else None) if moment), default=None)
    if last is None:
        return Row('credential', 'credential', True, f'{kind}: can be renewed, no end is known')
    ok = last >= until
    text = f'{kind} ends {_moment(last)}, the run may last until {_moment(until)}'
    return Row('credential', 'credential', ok, text if ok else f'{text}: {ADVICE}', verdict='' if ok else 'credential')


def _moment(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def resolve(host: str) -> list[str]:
    """Addresses of a name, by this machine's resolver; OSError when there is none."""
    return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)})


def name_rows(addresses: Mapping[str, str], lookup: Callable[[str], list[str]]) -> list[Row]:
    """Do the names of the catalog lead somewhere from here? Addresses need no lookup. addresses: by service."""
    hosts: dict[str, list[str]] = {}
    for service, address in addresses.items():
        hosts.setdefault(urlsplit(address).hostname or '', []).append(service)
    return [_name(host, services, lookup) for host, services in hosts.items() if host and not _is_address(host)]


def _is_behind_proxy(address: str) -> bool:
    """Then the proxy looks the name up, and this machine need not know it."""
    parts = urlsplit(address)
    return bool(urllib.request.getproxies().get(parts.scheme)) and not urllib.request.proxy_bypass(parts.netloc)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name(host: str, services: Iterable[str], lookup: Callable[[str], list[str]]) -> Row:
    try:
        found = lookup(host)
    except OSError as error:
        answer = f'{error} (address of {", ".join(services)} in the catalog): see /etc/resolv.conf'
        return Row('name', f'name {host}', False, answer, verdict='network')
    return Row('name', f'name {host}', True, ', '.join(found))


def rows(cloud: Cloud, until: datetime.datetime, clock: Clock | None = None) -> list[Row]:
    """All of the above; one that cannot be seen hides no other, but a name that leads nowhere: nobody answers there."""
    have = endpoints(cloud)
    found = [*service_rows(have), *name_rows({s: a for s, a in have.items() if not _is_behind_proxy(a)}, resolve)]
    if any(row.ok is False and row.kind == 'name' for row in found):
        return found
    found += version_rows(versions(cloud, have, clock))
    try:
        return [*found, credential_row(*credential(cloud, clock), until)]
    except Problem as problem:
        return [*found, Row('credential', 'credential', False, problem.reason, verdict=problem.verdict)]
