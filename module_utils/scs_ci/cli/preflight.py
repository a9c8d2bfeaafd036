"""`scs-ci preflight`: does the run fit into the cloud?"""

from __future__ import annotations

import argparse

from ..cloud import connect, preflight, rows, stages
from ..core.errors import UsageProblem
from ..core.naming import new_run_id
from ..core.outcome import Exit
from . import cloud_options
from .common import add_json, open_run, positive, show


def arguments(parser: argparse.ArgumentParser) -> None:
    cloud_options.add_cloud(parser)
    cloud_options.add_topology(parser)
    parser.add_argument('--kubernetes', action='append', default=[], metavar='VERSION',
                        help='without --run: version of a cluster to plan for, e.g. v1.34.7 (repeatable)')  # fmt: skip
    parser.add_argument('--upgraded', action='append', default=[], metavar='VERSION',
                        help='without --run: version to which such a cluster is upgraded (repeatable)')  # fmt: skip
    parser.add_argument('--seconds', type=positive, default=preflight.SECONDS, metavar='S',
                        help='how long the run may last, its cleanup included (default: %(default)g)')  # fmt: skip
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    chosen = cloud_options.options(options)
    if options.run:
        directory = open_run(options)
        record = stages.run_preflight(directory, chosen)
        if not options.json:
            cloud_options.print_rows(record.facts.get('rows', []))
        return show([record], options.json)
    if not chosen.cloud:
        raise UsageProblem('cannot check', 'a cloud', 'neither --cloud nor --run given', 'name one of clouds.yaml')
    cloud = connect.connect(chosen.cloud)
    run_id, asked = options.run_id or new_run_id(), chosen.preflight(options.upgraded)
    found = preflight.check(cloud, run_id, chosen.topology, options.kubernetes, asked)
    if options.json:
        cloud_options.print_json(found.data())
    else:
        print(rows.table(found.rows))
    if problem := found.problem():
        raise problem
    return Exit.PASSED
