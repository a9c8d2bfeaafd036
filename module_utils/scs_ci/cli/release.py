"""scs-ci release: build, publish, list and compare releases of cluster stacks, without a run."""

from __future__ import annotations

import argparse

from . import release_build, release_diff, release_list, release_publish

VERBS = {
    'build': (release_build, 'make release directories of the stacks of a checkout'),
    'publish': (release_publish, 'push release directories to a registry and verify them'),
    'list': (release_list, 'list the releases in a registry'),
    'diff': (release_diff, 'compare two releases: versions, objects, values, images'),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    for name, (module, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        module.arguments(verb)
        verb.set_defaults(work=module.run)


def run(options: argparse.Namespace) -> int:
    return int(options.work(options))
