"""scs-ci registry: look whether registries work."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..core import shape
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..stack import artifacts
from ..stack.registry import Credentials
from ..stack.registry_check import Look, Wanted, check
from .common import add_json, positive
from .each import print_json
from .publish import add_ca

# A pull of a release takes some ten requests: with slower answers it takes a minute.
SLOWEST = 5.0
# Those who renew certificates by themselves do it a month before the end; two weeks before, that has failed.
DAYS = 14.0
WORDS = {True: 'ok', False: 'problem', None: 'unknown'}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    text = 'answers, certificate, login, pull, push and artifacts; nothing is stored'
    verb = verbs.add_parser('check', help=text, description=text)
    verb.add_argument(
        'repositories', nargs='*', metavar='HOST[:PORT]/REPOSITORY', help='where to pull from and push to'
    )
    verb.add_argument('--artifacts', type=Path, metavar='FILE', help='list of artifacts that must be there (TOML)')
    verb.add_argument('--private', action='store_true', help='also pulls are made with the account')
    verb.add_argument(
        '--slowest', type=positive, default=SLOWEST, metavar='SECONDS', help=f'of an answer (default {SLOWEST:g})'
    )
    verb.add_argument(
        '--days', type=positive, default=DAYS, metavar='DAYS', help=f'left to the certificate (default {DAYS:g})'
    )
    add_ca(verb)
    add_json(verb)
    verb.epilog = 'The account of the registry comes from OCI_USERNAME and OCI_PASSWORD.'


def run(options: argparse.Namespace) -> Exit:
    """One line for each thing that was looked at; 1 when one is a problem."""
    if not options.repositories and not options.artifacts:
        raise UsageProblem('cannot check', 'without a subject', 'neither a repository nor --artifacts', 'give one')
    listed = artifacts.read(options.artifacts) if options.artifacts else ()
    wanted = Wanted(
        ca=options.ca,
        credentials=Credentials.of(os.environ),
        private=options.private,
        slowest=options.slowest,
        days=options.days,
        now=SystemClock().now(),
    )
    looks = list(check(options.repositories, listed, wanted))
    problems = sum(look.ok is False for look in looks)
    if options.json:
        print_json({'format': 1, 'checks': shape.dump(looks), 'problems': problems})
    else:
        print('\n'.join(map(_line, looks)))
    return Exit.FAILED if problems else Exit.PASSED


def _line(look: Look) -> str:
    return ' '.join(f'{WORDS[look.ok]}: {look.subject}: {look.check}: {look.text}'.split())
