"""scs-ci release list: list the releases in a registry."""

from __future__ import annotations

import argparse
import os

from ..core import shape
from ..core.outcome import Exit
from ..stack.registry import Credentials, Repository
from ..stack.releases import Listed, listed
from .common import add_json
from .each import print_json, table
from .publish import add_ca

HEAD = ('TAG', 'KUBERNETES', 'HASH', 'CREATED', 'DIGEST')
DIGEST = len('sha256:') + 12  # characters that are shown


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('registry', metavar='HOST[:PORT]/REPOSITORY', help='where the releases are')
    parser.add_argument('--tag', action='append', default=[], metavar='GLOB', help='only these tags (repeatable)')
    add_ca(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Exit:
    """Print them; a release that cannot be read is one line, and exit code 3."""
    repository = Repository(options.registry, options.ca, Credentials.of(os.environ))
    releases, others = listed(repository, tuple(options.tag))
    if options.json:
        print_json({'releases': shape.dump(releases), 'other_tags': list(others)})
    else:
        print(_text(releases, len(others)))
    return Exit.ERROR if any(release.problem for release in releases) else Exit.PASSED


def _text(releases: tuple[Listed, ...], others: int) -> str:
    rows = [(r.tag, r.kubernetes, r.hash, r.created, r.digest[:DIGEST]) for r in releases]
    lines = [table([HEAD, *rows])] if rows else ['no release']
    lines += [f'{r.tag}: {r.problem}' for r in releases if r.problem]
    lines += [f'{others} tags of other things'] if others else []
    return '\n'.join(lines)
