"""`scs-ci credential make|revoke`: the application credential of a run. Its secret is only in the file."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from ..cloud import door_credential
from ..core.errors import UsageProblem
from ..core.outcome import Exit
from . import cloud_options
from .common import add_json, positive


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'action', choices=('make', 'revoke'), help='make one that can be used, or revoke all of the run'
    )
    cloud_options.add_cloud(parser)
    parser.add_argument(
        '--file', type=Path, metavar='FILE', help='clouds.yaml to write or remove (default: beside the key of the run)'
    )
    parser.add_argument(
        '--role', action='append', default=[], metavar='NAME', help='instead of the few that are needed (repeatable)'
    )
    parser.add_argument(
        '--job-timeout', type=positive, default=door_credential.TIMEOUT, metavar='S',
        help='seconds that the job may still take; the credential lives longer (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--optional', action='store_true', help='where the login may make none, say why and make none: no error'
    )
    parser.add_argument('--dry-run', action='store_true', help='only say what would be done')
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if not options.run and not options.run_id:
        raise UsageProblem('cannot tell', 'which run', 'neither --run nor --run-id given', 'give one of them')
    parameters = {
        'cloud': options.cloud,
        'run_dir': options.run,
        'run_id': options.run_id,
        'owner': getpass.getuser(),
        'file': options.file,
        'roles': options.role,
        'job_timeout': options.job_timeout,
        'optional': options.optional,
        'state': 'present' if options.action == 'make' else 'absent',
    }
    result = door_credential.run_credential(parameters, options.dry_run)
    if options.json:
        cloud_options.print_json({name: value for name, value in result.items() if name != 'diff'})
        return Exit.PASSED
    would = 'would be ' if options.dry_run else ''
    if options.action == 'revoke':
        print(f'{len(result["revoked"])} credentials {would}revoked')
        return Exit.PASSED
    made = result['credential']
    if not made:
        print(f'none {would}made: {result["reason"]}')
        return Exit.PASSED
    what = f'{would}made ({made["reason"]})' if result['changed'] else 'there already'
    print(f'{made["name"]}: {what}, roles {", ".join(made["roles"])}, expires {made["expires"]}')
    print(f'OS_CLIENT_CONFIG_FILE={made["file"]}')
    return Exit.PASSED
