"""What the module scs_janitor calls: plain parameters in, plain results out. No Ansible here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.clock import SystemClock
from . import builds, connect, janitor, sightings

SPEC: dict[str, dict[str, Any]] = {
    'owners': {'type': 'list', 'elements': 'str', 'default': []},
    'zuul': {'type': 'list', 'elements': 'str', 'default': []},
    'state_file': {'type': 'path'},
    'look_again': {'type': 'float'},
    'again_after': {'type': 'float', 'default': janitor.AGAIN},
    'unmarked_hours': {'type': 'float', 'default': janitor.UNMARKED_HOURS},
    'timeout': {'type': 'float', 'default': 600.0},
}


def run_janitor(parameters: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """scs_janitor: one round; in check mode what it would do."""
    cloud, clock = connect.connect(parameters['cloud']), SystemClock()
    pause = parameters.get('look_again')
    rules = janitor.Rules(
        again=pause or parameters['again_after'],
        unmarked_hours=parameters['unmarked_hours'],
        owners=tuple(parameters['owners']),
        timeout=parameters['timeout'],
    )
    worker = janitor.Janitor(cloud, rules, say=_silent, running=lambda: builds.running(parameters['zuul']), clock=clock)
    memory = None if pause else Path(parameters.get('state_file') or sightings.default_file())
    before = sightings.read(memory, cloud.project_id) if memory else {}
    outcome = worker.look_twice(before, pause) if pause else worker.look(before)
    if not check_mode:
        remember(memory, cloud.project_id, outcome)
        worker.clean(outcome)
        remember(memory, cloud.project_id, outcome)
    return _result(outcome, cloud.name, janitor.data(outcome, clock.now()), check_mode)


def remember(memory: Path | None, project: str, outcome: janitor.Outcome) -> None:
    """Before anything is deleted, and again after it: what is forgotten delays the next call by a round."""
    if memory:
        sightings.write(memory, project, outcome.sightings)


def _result(outcome: janitor.Outcome, cloud: str, found: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    going = {row['run']: row['objects'] for row in found['runs'] if row['due']}
    result = found | {
        'changed': bool(going) if check_mode else any(outcome.deleted.values()),
        'diff': {'before': going, 'after': {}},
    }
    problem = janitor.problem(outcome, cloud)
    return result | ({'failed': True, 'msg': str(problem), 'verdict': problem.verdict} if problem else {})


def _silent(_text: str, _subject: str) -> None:
    """Modules have nobody to talk to while they run."""
