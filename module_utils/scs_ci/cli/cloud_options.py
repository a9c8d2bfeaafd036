"""Options and output of the commands that work on a cloud."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..cloud import ssh, topology
from ..cloud.model import Topology
from ..cloud.rows import Row, table
from ..cloud.stages import Options
from ..core import shape
from ..core.errors import UsageProblem
from .common import positive


def add_cloud(parser: argparse.ArgumentParser) -> None:
    """--cloud, and which run: a directory or an id."""
    parser.add_argument('--cloud', metavar='NAME', help='cloud in clouds.yaml (default: that of the run directory)')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--run', type=Path, metavar='DIR', help='run directory')
    which.add_argument('--run-id', metavar='ID', help='id of a run without its directory')


def add_topology(parser: argparse.ArgumentParser) -> None:
    """--topology and the two shortcuts for its commonest changes."""
    parser.add_argument('--topology', type=Path, metavar='FILE', help='YAML file with groups, network, clusters')
    parser.add_argument('--count', type=int, metavar='N', help='number of nodes of the first group')
    parser.add_argument('--external', metavar='NETWORK', help='external network, where the cloud has several')
    parser.add_argument('--public-key', type=Path, metavar='FILE', help='SSH key to use instead of one of the run')


def add_timeout(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument(
        '--timeout', type=positive, default=seconds, metavar='S', help='limit for everything (default: %(default)g)'
    )


def add_host_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--host-keys',
        choices=ssh.HOST_KEYS,
        default=ssh.CONSOLE,
        help='compare them with the console log of each node, or only two scans, a request less (default: %(default)s)',
    )


def options(given: argparse.Namespace) -> Options:
    """Options of the stages from the command line."""
    values = vars(given)
    chosen = Options(cloud=given.cloud, topology=_topology(values), public_key=values.get('public_key'))
    if values.get('key_dir'):
        chosen = dataclasses.replace(chosen, key_dir=values['key_dir'])
    others = {name: values[name] for name in ('timeout', 'seconds', 'host_keys') if values.get(name)}
    return dataclasses.replace(chosen, **others)


def _topology(values: Mapping[str, Any]) -> Topology:
    wanted = topology.load(values['topology']) if values.get('topology') else Topology()
    if values.get('count') is not None:
        if not wanted.groups:
            raise UsageProblem(
                'cannot use', '--count', 'the topology has no group of nodes', 'add one, or leave it out'
            )
        first, *others = wanted.groups
        wanted = dataclasses.replace(wanted, groups=(dataclasses.replace(first, count=values['count']), *others))
    return dataclasses.replace(wanted, external=values['external']) if values.get('external') else wanted


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2)
    print()


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """The preflight table from a record's facts."""
    if rows:
        print(table(shape.load(tuple[Row, ...], list(rows), 'preflight record')))
