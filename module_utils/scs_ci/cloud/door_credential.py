"""The way from a command or module to the run's credential: which run, which cloud, which file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.run import RunDirectory, timestamp
from . import connect, credential, keys
from .marks import Mark
from .stages import mark_of

FILE = 'clouds.yaml'
TIMEOUT = 6 * 3600.0  # seconds; longer than any job of ours, and than a working session by hand
SPEC: dict[str, dict[str, Any]] = {
    'run_dir': {'type': 'path'},
    'run_id': {'type': 'str'},
    'owner': {'type': 'str'},
    # a path, not a secret
    'file': {'type': 'path', 'no_log': False},
    'roles': {'type': 'list', 'elements': 'str', 'default': []},
    'job_timeout': {'type': 'float', 'default': TIMEOUT},
    'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
}


def run_credential(parameters: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """scs_credential: present or absent. Never the secret: it is in the file."""
    directory = RunDirectory.open(Path(parameters['run_dir'])) if parameters.get('run_dir') else None
    name = parameters.get('cloud') or (directory.info.cloud if directory else '')
    if not name:
        raise UsageProblem('cannot connect', 'to a cloud', 'no cloud given', 'name a cloud of clouds.yaml')
    run = directory.info.id if directory else str(parameters['run_id'])
    file = Path(parameters['file']) if parameters.get('file') else keys.default_directory(run) / FILE
    cloud = connect.connect(name)
    if parameters['state'] == 'absent':
        return _revoked(credential.absent(cloud, run, file, check=check_mode), file)
    mark = mark_of(directory.info) if directory else _mark(run, parameters)
    wish = credential.Wish(mark, file, parameters['job_timeout'], tuple(parameters['roles']))
    return _shown(credential.present(cloud, wish, check=check_mode))


def _mark(run: str, parameters: Mapping[str, Any]) -> Mark:
    expires = SystemClock().now() + datetime.timedelta(seconds=parameters['job_timeout'])
    return Mark(run, parameters.get('owner') or 'ansible', timestamp(expires))


def _shown(made: credential.Credential) -> dict[str, Any]:
    after = {'name': made.name, 'expires': made.expires, 'roles': list(made.roles), 'file': made.file}
    return {
        'changed': made.changed,
        'credential': shape.dump(made),
        'diff': {'before': {} if made.changed else after, 'after': after},
    }


def _revoked(gone: list[str], file: Path) -> dict[str, Any]:
    return {
        'changed': bool(gone),
        'revoked': gone,
        'diff': {'before': {'credentials': gone, 'file': str(file)} if gone else {}, 'after': {}},
    }
