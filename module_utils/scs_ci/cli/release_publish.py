"""scs-ci release publish: push release directories to a registry and verify them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..core.clock import SystemClock
from ..core.outcome import Exit
from ..stack.content import from_directory
from ..stack.publish import demand_publishable, publish
from ..stack.registry import Credentials, Repository
from .common import add_json
from .each import each, print_each
from .publish import add_registry, manifest_annotations


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'directories', nargs='+', type=Path, metavar='DIR', help='release directories, named by their tag'
    )
    add_registry(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Exit:
    """Publish each; the exit code of the worst."""
    repository = Repository(options.registry, options.ca, Credentials.of(os.environ))

    def one(directory: Path) -> dict[str, Any]:
        release = from_directory(directory)
        demand_publishable(release)
        facts = {'kubernetes': str(release.kubernetes), 'hash': release.hashes.cluster_stack}
        done = publish(release.files, release.title, manifest_annotations(facts, SystemClock()), repository)
        return {'directory': str(directory), 'tag': release.title, **vars(done)}

    results, code = each('release publish', options.directories, one)
    print_each(results, options.json, _line)
    return code


def _line(result: dict[str, Any]) -> str:
    known = '' if result['new'] else ' (was there already)'
    return f'{result["reference"]}@{result["digest"]}{known}'
