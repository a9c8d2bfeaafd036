"""scs-ci release build: make release directories of the stacks of a checkout."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UsageProblem
from ..core.outcome import Exit
from ..stack import cleantree, discover, modes, pulling
from ..stack.build import build, facts, node_images
from ..stack.content import Content
from ..stack.helm import Helm, helm
from ..stack.model import Stack
from ..stack.registry import Credentials, Repository
from ..stack.release import Versions, demand_identity
from ..stack.treehash import hashes
from .common import add_json
from .each import each, print_each
from .publish import add_registry

OUTPUT = Path('.release')


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('path', type=Path, metavar='PATH', help='a checkout or a stack')
    parser.add_argument('--stack', action='append', default=[], metavar='GLOB', help='only these stacks (repeatable)')
    parser.add_argument(
        '--mode',
        choices=modes.MODES,
        default='hash',
        help='v0-sha.<hash>, the stable version after the last one, or the given one (default hash)',
    )
    parser.add_argument(
        '--cluster-stack-version', default='', metavar='V', help='for custom: the version, e.g. v2-beta.1'
    )
    parser.add_argument('--cluster-addon-version', default='', metavar='V', help='for custom: default the same')
    parser.add_argument('--node-image-version', default='', metavar='V', help='for custom: default the same')
    add_registry(parser, 'for stable: where the releases before are', required=False)
    parser.add_argument(
        '--previous', default='', metavar='RELEASE', help='for stable: the release before (directory, tar.gz or tag)'
    )
    parser.add_argument(
        '--clean',
        choices=('refuse', 'export'),
        help='only committed files: refuse a stack with others, or leave these out (default: all files, as csctl)',
    )
    parser.add_argument('--output', type=Path, default=OUTPUT, metavar='DIR', help=f'where to (default {OUTPUT})')
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Exit:
    """Build every chosen stack; the exit code of the worst."""
    _demand_fitting(options)
    places = discover.choose(discover.find(options.path), options.stack)
    if options.previous and len(places) != 1:
        names = ', '.join(place.path for place in places)
        raise UsageProblem(
            'cannot use', '--previous', f'it is of one stack, these are {names}', 'choose one by --stack'
        )
    committed = cleantree.exported(options.path) if options.clean else nullcontext(options.path)
    with committed as clean, helm(options.tools) as program:
        builder = Builder(options, clean, program)
        results, code = each('release build', places, builder.one, lambda place: place.path)
    print_each(results, options.json, lambda result: f'{result["tag"]} in {result["directory"]}')
    return code


def _demand_fitting(options: argparse.Namespace) -> None:
    given = options.cluster_stack_version or options.cluster_addon_version or options.node_image_version
    if (options.mode == 'custom') != bool(given) or (given and not options.cluster_stack_version):
        answer = f'it is {options.mode}' if options.mode != 'custom' else 'the version of the stack is missing'
        raise UsageProblem('cannot build in', 'this mode', answer, 'give --mode custom --cluster-stack-version V')
    if (options.mode == 'stable') != bool(options.registry or options.previous):
        answer = (
            'the release before is not named' if options.mode == 'stable' else f'mode {options.mode} has none before'
        )
        raise UsageProblem(
            'cannot build in', f'mode {options.mode}', answer, 'give --mode stable with --registry or --previous'
        )


@dataclass(frozen=True)
class Builder:
    """Builds one stack after the other. clean: the checkout, or what is committed of it."""

    options: argparse.Namespace
    clean: Path
    program: Helm

    def one(self, place: discover.Place) -> dict[str, Any]:
        stack = self._stack(place)
        output: Path = self.options.output
        if output.resolve().is_relative_to((self.options.path / place.path).resolve()):
            answer = 'it is inside of the stack, so the release would be a part of the next one'
            raise UsageProblem('cannot write to', f'directory {output}', answer, 'give another --output')
        built = build(stack, output, self.program, self._versions(stack))
        return {**facts(built, stack), 'path': place.path, 'directory': str(built.directory)}

    def _stack(self, place: discover.Place) -> Stack:
        if not self.options.clean:
            return discover.load(self.options.path, place)
        if self.options.clean == 'refuse':
            here = discover.load(self.options.path, place)
            cleantree.demand_clean(here, cleantree.committed(self.clean, place))
            return here
        return cleantree.committed(self.clean, place)

    def _versions(self, stack: Stack) -> Versions | None:
        if self.options.mode == 'hash':
            return None
        if self.options.mode == 'custom':
            given = self.options
            return modes.custom(given.cluster_stack_version, given.cluster_addon_version, given.node_image_version)
        return modes.stable(hashes(stack.files), node_images(stack), self._before(stack))

    def _before(self, stack: Stack) -> Content | None:
        options, identity = self.options, demand_identity(stack)
        credentials = Credentials.of(os.environ)
        if options.previous:
            before = pulling.load(options.previous, options.ca, credentials)
            if before.kubernetes.dashed_minor != identity.kubernetes.dashed_minor:
                answer = f'it is of Kubernetes {before.kubernetes}, the stack of {identity.kubernetes}'
                raise UsageProblem(
                    'cannot count on from', f'release {before.title}', answer, 'name one of the same minor'
                )
            return before
        repository = Repository(options.registry, options.ca, credentials)
        tag = modes.newest_stable(repository.tags(), identity)
        return pulling.pull(tag, repository) if tag else None
