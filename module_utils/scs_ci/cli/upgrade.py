"""scs-ci upgrade: take the clusters that deploy created to the next release of their stack."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from ..core.errors import Problem
from ..core.records import PlannedVersion
from ..core.redact import Redactor
from ..core.run import RunDirectory, StageRun, version_stage
from ..deploy import addons, probe
from ..deploy.deployment import Rendered
from ..deploy.kinds import Object
from ..deploy.probing import Probing
from ..deploy.upgrade import Wanted, upgrade
from ..plane.kube import Api
from ..stack import discover
from ..stack.build import build, facts
from ..stack.charts import chart_source
from ..stack.helm import helm
from ..stack.model import Stack
from ..stack.publish import publish, read_release
from ..stack.registry import Credentials, Repository
from .build import RELEASES
from .common import is_planned, open_run, positive, show
from .deploy import add_place, blaming_plane, make_setup
from .publish import add_registry, manifest_annotations

# Silence of the probed workload that is still no failure: a load balancer without health monitor loses requests that
# it sends to a node that went, until the cloud controller manager has told it.
LONGEST_GAP = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    add_registry(parser)
    parser.add_argument(
        '--to',
        type=Path,
        metavar='PATH',
        help='checkout with the next release (default: that of the run, with the next minor, else released again)',
    )
    parser.add_argument(
        '--roll', action='store_true', help='replace all machines, also where the next release does not ask for it'
    )
    parser.add_argument(
        '--longest-gap',
        type=positive,
        default=LONGEST_GAP,
        metavar='SECONDS',
        help=f'silence of a workload that is still no failure (default {LONGEST_GAP:g})',
    )
    # the machines are those of the cluster, and there is no upgrade of less than a cluster
    parser.set_defaults(variables=None, until='cluster', control_planes=1, workers=1, zone=[])


def run(options: argparse.Namespace) -> int:
    """Upgrade the cluster of every planned version; exit code of the worst."""
    directory = open_run(options)
    wanted = _wanted(options, directory) if is_planned('upgrade', options, directory) else None

    def body(state: StageRun, version: PlannedVersion) -> None:
        if wanted is None:
            raise AssertionError('a version without the stage is skipped before its body')
        with blaming_plane(directory, f'upgrade {version.key}'):
            upgrade(state, version, wanted)

    return show(version_stage(directory, 'upgrade', body, tuple(options.version)), options.json)


def _wanted(options: argparse.Namespace, directory: RunDirectory) -> Wanted:
    checkout = options.checkout or Path(directory.info.checkout)
    return Wanted(
        setup=make_setup(options, directory),
        current=lambda version: discover.load(checkout, discover.Place(version.path, version.layout)),
        offered=lambda: discover.readable((options.to or checkout).absolute()),
        bring=_bringer(options, directory),
        addons=_addons(options.charts, options.tools),
        probing=Probing(_fetcher(), _through),
        roll=options.roll,
        longest_gap=options.longest_gap,
    )


def _bringer(options: argparse.Namespace, directory: RunDirectory) -> Callable[[StageRun, Stack], Mapping[str, Any]]:
    credentials = Credentials.of(os.environ)
    directory.keep_secret(Redactor([*directory.redactor.secrets, credentials.password]))
    repository = Repository(options.registry, options.ca, credentials)

    def bring(state: StageRun, stack: Stack) -> Mapping[str, Any]:
        with helm(options.tools) as program:
            built = build(stack, state.directory / RELEASES, program)
        made = facts(built, stack)
        state.artifact(built.directory)
        done = publish(
            read_release(built.directory), built.tag, manifest_annotations(made, directory.clock), repository
        )
        state.say(f'{done.reference}@{done.digest}')
        return {**made, 'reference': done.reference, 'digest': done.digest}

    return bring


def _addons(charts: Path | None, tools: Path | None) -> Callable[[Stack], Rendered]:
    """Addons of a stack as the operator applies them at an upgrade."""
    source = chart_source(charts, os.environ)

    def of_stack(stack: Stack) -> Rendered:
        def rendered(version: PlannedVersion, objects: Mapping[str, Object]) -> list[addons.Expected]:
            with helm(tools) as program:
                return addons.expected(stack, objects, program, source, addons.UPGRADE_HOOK)

        return rendered

    return of_stack


def _fetcher() -> Callable[[str], bool]:
    """Each request with a connection of its own, as a new user would have it, and past every proxy."""
    pool = urllib3.PoolManager(retries=False)
    limit = urllib3.Timeout(probe.REQUEST_SECONDS)

    def fetch(url: str) -> bool:
        try:
            return pool.request('GET', url, timeout=limit, headers={'Connection': 'close'}).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    return fetch


def _through(inside: Api, path: str) -> bool:
    try:
        inside.call('GET', path, timeout=probe.REQUEST_SECONDS, parse=False)
    except Problem:
        return False
    return True
