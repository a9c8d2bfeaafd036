"""scs-ci build: build the releases of a run's versions."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.outcome import Exit
from ..core.records import PlannedVersion
from ..core.run import StageRun, version_stage
from ..stack.build import build, facts
from ..stack.discover import Place, load
from ..stack.helm import helm
from .common import add_run, add_versions, open_run, show

RELEASES = 'release'  # directory of a version's release, below its place in the run


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_versions(parser)
    parser.add_argument('--checkout', type=Path, metavar='PATH', help='default: the checkout of the run')
    parser.add_argument('--mode', choices=('hash',), default='hash', help='a run has no other')
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )


def run(options: argparse.Namespace) -> Exit:
    directory = open_run(options)
    checkout = options.checkout or Path(directory.info.checkout)
    with helm(options.tools) as program:

        def body(state: StageRun, version: PlannedVersion) -> None:
            stack = load(checkout, Place(version.path, version.layout))
            built = build(stack, state.directory / RELEASES, program)
            state.facts.update(facts(built, stack))
            state.artifact(built.directory)
            state.say(f'{built.tag} in {built.directory}')

        return show(version_stage(directory, 'build', body, tuple(options.version)), options.json)
