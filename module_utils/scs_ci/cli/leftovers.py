"""`scs-ci leftovers`: what runs left in a project, by age and owner, and what changed in it. Never changes anything."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..cloud import connect, inventory, runs
from ..cloud.inventory import Inventory
from ..cloud.runs import SeenRun
from ..core import files
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.outcome import Exit
from . import cloud_options
from .common import add_json
from .expired import summary

NO_LOOK = 'look at this project with the same cloud when it is saved and when it is compared'


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--cloud', required=True, metavar='NAME', help='cloud in clouds.yaml; a role that reads suffices'
    )
    parser.add_argument('--save', type=Path, metavar='FILE', help='write the inventory of the whole project')
    parser.add_argument('--since', type=Path, metavar='FILE', help='compare with an inventory that was saved before')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    before = _read(options.since) if options.since else None
    seen, _ = inventory.look(connect.connect(options.cloud))
    if before and before.project_id != seen.project_id:
        answer = f'it shows project {before.project_id}, cloud {options.cloud} is project {seen.project_id}'
        raise UsageProblem('cannot compare with', f'file {options.since}', answer, NO_LOOK)
    if options.save:
        files.write_json(options.save, inventory.dump(seen))
    found = data(seen, before, SystemClock().now())
    if options.json:
        cloud_options.print_json(found)
    else:
        _show(found)
    return Exit.LEFTOVERS if any(row['leftover'] for row in found['runs']) else Exit.PASSED


def _read(path: Path) -> Inventory:
    try:
        return inventory.load(files.read_json(path), f'file {path}')
    except FileNotFoundError:
        raise UsageProblem(
            'cannot read', f'file {path}', 'there is none', 'save one first: scs-ci leftovers --save FILE'
        ) from None


def data(seen: Inventory, before: Inventory | None, now: datetime.datetime) -> dict[str, Any]:
    """Runs, a summary by owner, kinds that cannot be looked at, and the difference; pure."""
    found = runs.seen(seen)
    result: dict[str, Any] = {
        'runs': [_row(run, now) for run in found],
        'owners': runs.by_owner(found, now),
        'objects': seen.counts(),
        'others': len(seen.resources) - sum(len(run.resources) for run in found),
        'missing': seen.missing,
        'unseen': seen.unseen,
    }
    return result | {'difference': inventory.difference(before, seen).by_kind()} if before else result


def _row(run: SeenRun, now: datetime.datetime) -> dict[str, Any]:
    expired = run.expired(now)
    return {
        'run': run.label,
        'owner': run.owner,
        'expires': run.expires,
        'expired': expired,
        # without a mark nothing will ever expire: what is named like a run and has none is a leftover, too
        'leftover': expired or not run.expires,
        'hours': run.hours(now),
        'objects': run.counts(),
    }


def _show(found: Mapping[str, Any]) -> None:
    for row in found['runs']:
        state = 'expired' if row['expired'] else 'expires'
        until = f'{state} {row["expires"]}' if row['expires'] else 'no mark, no expiry'
        age = f', {row["hours"]:g} h old' if row['hours'] is not None else ''
        print(f'run {row["run"]} of {row["owner"]}, {until}{age}: {runs.counted(row["objects"])}')
    for line in summary(found['owners']):
        print(line)
    for kind, reason in {**found['missing'], **found['unseen']}.items():
        print(f'not looked at: {kind}: {reason}')
    for kind, change in found.get('difference', {}).items():
        for word, names in change.items():
            print(f'{word}: {len(names)} {kind}: {", ".join(names)}')
    print(f'{len(found["runs"])} runs, {found["others"]} objects of others')
