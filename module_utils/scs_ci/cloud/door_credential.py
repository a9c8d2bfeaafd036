"""The way from a command or module to the run's credential: which run, which cloud, which file."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core import run, shape
from ..core.clock import SystemClock
from ..core.errors import Problem, ToolProblem, UsageProblem
from ..core.outcome import Outcome
from ..core.run import RunDirectory, StageRun, timestamp
from . import connect, credential, keys
from .door import open_run
from .marks import Mark
from .stages import mark_of

Made = credential.Credential | str  # or why there is none
FILE = 'clouds.yaml'
STAGE = 'credential'  # of the record
WITHOUT = 'the plane host gets the login of the cloud'
TIMEOUT = 6 * 3600.0  # seconds; longer than any job of ours, and than a working session by hand
SPEC: dict[str, dict[str, Any]] = {
    'run_dir': {'type': 'path'},
    'run_id': {'type': 'str'},
    'owner': {'type': 'str'},
    # a path, not a secret
    'file': {'type': 'path', 'no_log': False},
    'roles': {'type': 'list', 'elements': 'str', 'default': []},
    'job_timeout': {'type': 'float', 'default': TIMEOUT},
    'optional': {'type': 'bool', 'default': False},
    'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
}


def run_credential(parameters: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """scs_credential: present or absent. Never the secret: it is in the file."""
    directory = open_run(parameters['run_dir']) if parameters.get('run_dir') else None
    name = parameters.get('cloud') or (directory.info.cloud if directory else '')
    if not name:
        raise UsageProblem('cannot connect', 'to a cloud', 'no cloud given', 'name a cloud of clouds.yaml')
    run_id = directory.info.id if directory else str(parameters['run_id'])
    file = Path(parameters['file']) if parameters.get('file') else keys.default_directory(run_id) / FILE
    cloud = connect.connect(name)
    if parameters['state'] == 'absent':
        return _revoked(credential.absent(cloud, run_id, file, check=check_mode), file)
    mark = mark_of(directory.info) if directory else _mark(run_id, parameters)
    wish = credential.Wish(mark, file, parameters['job_timeout'], tuple(parameters['roles']))
    make = credential.present_or_why_not if parameters.get('optional') else credential.present
    if directory and not check_mode:
        directory.keep_secret(cloud.redactor)
        return _shown(_recorded(directory, lambda: make(cloud, wish)))
    return _shown(make(cloud, wish, check=check_mode))


def _recorded(directory: RunDirectory, make: Callable[[], Made]) -> Made:
    """What make() returns, with a record that says whether the run has a credential, and why not."""
    made: list[Made] = []
    problems: list[Problem] = []

    def body(state: StageRun) -> None:
        try:
            found = make()
        except Problem as problem:
            problems.append(problem)
            raise
        made.append(found)
        if isinstance(found, str):
            state.end(Outcome.SKIPPED, f'{found}; {WITHOUT}')
        else:
            state.facts |= {'credential': shape.dump(found)}

    record = run.run_stage(directory, STAGE, body)
    if made:
        return made[0]
    # the record has it, and whoever called is told as without a run directory
    raise problems[0] if problems else ToolProblem('cannot make', 'a credential', record.reason, record.advice)


def _mark(run_id: str, parameters: Mapping[str, Any]) -> Mark:
    expires = SystemClock().now() + datetime.timedelta(seconds=parameters['job_timeout'])
    return Mark(run_id, parameters.get('owner') or 'ansible', timestamp(expires))


def _shown(made: Made) -> dict[str, Any]:
    if isinstance(made, str):
        return {'changed': False, 'credential': {}, 'reason': made, 'diff': {'before': {}, 'after': {}}}
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
