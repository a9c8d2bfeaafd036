"""Faults on request: faults.json of a sandbox, checked before the services see it. doc: sandbox/README.md."""

from __future__ import annotations

import http
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .cloud.model import COMPUTE_HOSTS
from .cloud.secrets import write_private
from .errors import SandboxError

NUMBER = (int, float)
NOVA: dict[str, tuple[type, ...]] = {
    'spawn_delay': NUMBER,
    'spawn_error': (str,),
    'spawn_reschedule': (bool, int),
    'destroy_hang': (str,),
    'destroy_hang_s': NUMBER,
    'destroy_error': (str,),
}
HOST: dict[str, tuple[type, ...]] = {**NOVA, 'down': (bool,)}
HOST_WAIT = 60.0  # seconds; servers lose their power in a tenth of a second each, but start in a second each
SECTIONS: dict[str, dict[str, tuple[type, ...]]] = {
    'nova': NOVA,
    'cinder': {'create_error': (str,), 'delete_error': (str,), 'create_delay': NUMBER, 'capacity_gb': NUMBER},
    'octavia': {'delay': NUMBER},
}
HTTP: dict[str, tuple[type, ...]] = {
    'service': (str,),
    'method': (str,),
    'path': (str,),
    'status': (int,),
    'count': (int,),
    'delay': NUMBER,
    'rate': (list,),
    'headers': (dict,),
    'body': (str,),
    'after': (bool,),
}
PATTERNS = ('spawn_error', 'destroy_hang', 'destroy_error', 'create_error', 'delete_error', 'path', 'method')


def problems(document: object) -> list[str]:
    """What is wrong with a document of faults, one line each; none when it is right."""
    if not isinstance(document, dict):
        return ['it is no JSON object']
    found = [f'unknown section {name}' for name in document if name not in (*SECTIONS, 'http')]
    for name, keys in SECTIONS.items():
        section = document.get(name, {})
        found += _section(name, section, {**keys, 'hosts': (dict,)} if name == 'nova' else keys)
        hosts = section.get('hosts', {}) if isinstance(section, dict) else {}
        for host, own in hosts.items() if isinstance(hosts, dict) else ():
            found += _section(f'{name}.hosts.{host}', own, HOST)
    rules = document.get('http', [])
    if not isinstance(rules, list):
        return [*found, 'http is no list']
    for number, rule in enumerate(rules):
        found += _section(f'http[{number}]', rule, HTTP) or _rule(f'http[{number}]', rule)
    return found


def _section(name: str, section: object, keys: Mapping[str, tuple[type, ...]]) -> list[str]:
    if not isinstance(section, dict):
        return [f'{name} is no object']
    found = []
    for key, value in section.items():
        if key not in keys:
            found.append(f'{name}.{key} is unknown; known are {", ".join(keys)}')
        elif not isinstance(value, keys[key]):
            found.append(f'{name}.{key} is a {type(value).__name__}')
        elif key in PATTERNS and isinstance(value, str) and (error := _pattern_error(value)):
            found.append(f'{name}.{key} is no regular expression: {error}')
    return found


def _pattern_error(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ''


def _rule(name: str, rule: dict[str, Any]) -> list[str]:
    found = []
    if rule.get('status') is not None and rule['status'] not in [s.value for s in http.HTTPStatus]:
        found.append(f'{name}.status {rule["status"]} is no HTTP status')
    rate = rule.get('rate')
    if rate is not None and (len(rate) != 2 or not all(isinstance(n, NUMBER) and n > 0 for n in rate)):
        found.append(f'{name}.rate is not [requests, seconds]')
    if not rule.get('status') and not rule.get('delay'):
        found.append(f'{name} has neither status nor delay, so it does nothing')
    return found


def load(text: str, source: str) -> dict[str, Any]:
    """Faults from JSON text. Raises SandboxError with everything that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SandboxError('cannot set faults from', source, f'it is no JSON: {error}', 'correct the file') from error
    if wrong := problems(document):
        raise SandboxError(
            'cannot set faults from',
            source,
            '; '.join(wrong),
            'correct the file; sandbox/README.md lists what can be said',
        )
    return dict(document)


def with_host(document: Mapping[str, Any], host: str, *, down: bool) -> dict[str, Any]:
    """The faults with a compute host down or up, everything else as it was. Raises SandboxError for an unknown host."""
    if host not in COMPUTE_HOSTS:
        raise SandboxError(
            'cannot change', f'host {host}', 'there is no such compute host', f'name one of {", ".join(COMPUTE_HOSTS)}'
        )
    nova = dict(document.get('nova', {}))
    hosts = {name: dict(own) for name, own in nova.get('hosts', {}).items()}
    hosts[host] = {**{key: value for key, value in hosts.get(host, {}).items() if key != 'down'}}
    if down:
        hosts[host]['down'] = True
    nova['hosts'] = {name: own for name, own in hosts.items() if own}
    kept = {key: value for key, value in nova.items() if value != {}}
    found = {**{key: value for key, value in document.items() if key != 'nova'}}
    return {**found, 'nova': kept} if kept else found


def await_host(state: Path, regions: Sequence[str], host: str, *, down: bool, seconds: float = HOST_WAIT) -> None:
    """Wait until the Nova of every region has taken a host down or up. Raises SandboxError when one does not."""
    limit = time.monotonic() + seconds
    while waiting := [region for region in regions if (host in _down(state, region)) != down]:
        if time.monotonic() > limit:
            raise SandboxError(
                f'cannot take {"down" if down else "up"}',
                f'host {host} of {", ".join(waiting)}',
                f'Nova has not done it within {seconds:.0f} s',
                'look whether it runs: scs-sandbox status; scs-sandbox logs nova',
            )
        time.sleep(0.1)


def _down(state: Path, region: str) -> dict[str, Any]:
    """Hosts that are down, as services/hosts.py records them."""
    try:
        return dict(json.loads((state / 'hosts' / f'{region}.json').read_text()))
    except FileNotFoundError:
        return {}


def write(state: Path, document: dict[str, Any]) -> None:
    """Make faults effective; services see them at their next request."""
    write_private(state / 'faults.json', json.dumps(document, indent=1) + '\n')


def clear(state: Path) -> bool:
    """End all faults. Whether there were any."""
    try:
        (state / 'faults.json').unlink()
    except FileNotFoundError:
        return False
    return True


def read(state: Path) -> dict[str, Any]:
    """The faults in effect; empty for none."""
    try:
        return dict(json.loads((state / 'faults.json').read_text()))
    except FileNotFoundError:
        return {}
