"""scs-ci publish: push the releases of a run to a registry and verify them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.clock import Clock
from ..core.errors import ToolProblem
from ..core.outcome import Exit
from ..core.records import PlannedVersion
from ..core.redact import Redactor
from ..core.run import RunDirectory, StageRun, timestamp, version_stage
from ..stack.publish import publish, read_release
from ..stack.registry import Credentials, Repository
from ..stack.treehash import SUFFIX
from .build import RELEASES
from .common import add_run, add_versions, open_run, show


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_versions(parser)
    add_registry(parser)


def add_registry(parser: argparse.ArgumentParser, text: str = 'where to push', required: bool = True) -> None:
    """Where releases are."""
    parser.add_argument('--registry', required=required, metavar='HOST[:PORT]/REPOSITORY', help=text)
    add_ca(parser)


def add_ca(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--ca', type=Path, metavar='FILE', help="CA of the registry's certificate (default: the system's)"
    )
    parser.epilog = 'The account of the registry comes from OCI_USERNAME and OCI_PASSWORD.'


def run(options: argparse.Namespace) -> Exit:
    directory = open_run(options)
    credentials = Credentials.of(os.environ)
    directory.keep_secret(Redactor([credentials.password]))
    repository = Repository(options.registry, options.ca, credentials)

    def body(state: StageRun, version: PlannedVersion) -> None:
        built = _built(directory, version)
        tag = built['tag']
        files = read_release(state.directory / RELEASES / tag)
        done = publish(files, tag, manifest_annotations(built, directory.clock), repository)
        state.facts.update(
            built, reference=done.reference, digest=done.digest, new=done.new, repository=str(repository)
        )
        state.reason = '' if done.new else 'exactly this release was there already'
        state.say(f'{done.reference}@{done.digest}')

    return show(version_stage(directory, 'publish', body, tuple(options.version)), options.json)


def manifest_annotations(built: Mapping[str, Any], clock: Clock) -> dict[str, str]:
    """Annotations of a release's manifest, as csctl writes them. built: facts of the build."""
    return {
        'kubernetesVersion': built['kubernetes'],
        'hash': built['hash'][:SUFFIX],
        'org.opencontainers.image.created': timestamp(clock.now()),
    }


def _built(directory: RunDirectory, version: PlannedVersion) -> dict[str, str]:
    record = directory.record('build', version.key)
    if record is None:  # version_stage skips before; only a plan without build gets here
        raise ToolProblem('cannot publish', version.key, 'there is no build record', "run 'scs-ci build' first")
    return record.facts
