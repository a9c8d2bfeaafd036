"""scs-ci versions update and generate: state other versions in stacks, in place or beside them."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InfrastructureProblem, ProductProblem, UsageProblem
from ..core.outcome import Exit
from ..stack import charts, discover, generate, resolve, resolved
from ..stack.bucket import Image
from ..stack.helm import helm
from ..stack.model import Dependency, Stack
from ..stack.resolve import Refused, Resolution, Sources
from ..stack.resolved import Resolved
from ..stack.rewrite import Target
from ..stack.semver import parse_version
from ..stack.update import after, difference, updated
from ..stack.versions import Kubernetes
from ..stack.writing import write_all, write_trees
from .version_sources import Chosen, choose, minor_of, resolution, sources, tied_charts

MINOR_DIRECTORY = re.compile(r'\d+-\d+')


@dataclass
class Pending:
    """What is to be written. contents: real path -> content, None deletes; shown: the diff, in order of the stacks."""

    contents: dict[Path, bytes | None] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)


def update(options: argparse.Namespace) -> Exit:
    """Exit code 1 when a stack has no usable versions, and with --check when a file would change."""
    stacks = choose(options)
    wanted = {one.name: tied_charts(one.stack) for one in stacks}
    asked = sources(options, [repository for each in wanted.values() for repository in each.values()])
    found = [_resolution(options, one, wanted[one.name], asked) for one in stacks]
    unusable = [one for one in found if not one.resolution.usable]
    if unusable:
        print(resolved.text(unusable), file=sys.stderr)
        return Exit.FAILED
    pending = Pending()
    for one, known in zip(stacks, found, strict=True):
        _plan(one, known.resolution, asked.bucket, fetcher(options), pending)
    if not options.check:
        write_all(pending.contents)
    print(_told(options, found, pending) if options.json else ''.join(pending.shown), end='\n' if options.json else '')
    print(_summary(len(pending.contents), len(stacks), options.check), file=sys.stderr)
    return Exit.FAILED if options.check and pending.contents else Exit.PASSED


def _resolution(options: argparse.Namespace, one: Chosen, wanted: Mapping[str, str], asked: Sources) -> Resolved:
    of = options.minor or minor_of(one.stack)
    if MINOR_DIRECTORY.fullmatch(Path(one.checkout, one.stack.path).resolve().name) and of != minor_of(one.stack):
        advice = f'copy the directory to {of.dashed_minor} and update that one'
        raise UsageProblem('cannot update', one.name, f'its directory is of one minor, {of} is another', advice)
    return Resolved(resolution(of, wanted, asked), one.name, str(one.stack.version))


def _summary(files: int, stacks: int, only_check: bool) -> str:
    verb = 'would change' if only_check else 'changed'
    return f'scs-ci versions: {files} files of {stacks} stacks {verb}'


def _told(options: argparse.Namespace, found: list[Resolved], pending: Pending) -> str:
    document = {**resolved.document(found), 'files': sorted(map(str, pending.contents)), 'written': not options.check}
    return json.dumps({**document, 'diff': ''.join(pending.shown)}, indent=2)


def _plan(one: Chosen, known: Resolution, bucket: str, fetch: Callable[[Dependency], bytes], pending: Pending) -> None:
    """Add what changes in a stack. Files that stacks share are taken as the stacks before left them."""
    root = one.checkout / one.stack.path
    stack = after(one.stack, {name: _content(pending, root, name, old) for name, old in one.stack.shared.items()})
    if known.image is None:
        raise ProductProblem('cannot update', one.name, 'its node image is not known', 'see versions resolve')
    _demand_newer(one, known.image.version, known.charts)
    target = Target(known.image.version, known.charts, known.image, (bucket,))
    rewritten = updated(stack, target, fetch)
    pending.shown.append(difference(stack, rewritten, one.name))
    pending.contents |= {_real(root, name): content for name, content in rewritten.files.items()}


def _content(pending: Pending, root: Path, name: str, old: bytes) -> bytes:
    return pending.contents.get(_real(root, name)) or old


def _real(root: Path, name: str) -> Path:
    return Path(os.path.normpath(root / name))


def _demand_newer(one: Chosen, version: Kubernetes, found: Mapping[str, str]) -> None:
    """Indexes and buckets of yesterday must not take a stack back unseen."""
    declared = one.stack.version
    if declared and declared.dotted_minor == version.dotted_minor and declared.order > version.order:
        raise _older(one, f'Kubernetes {declared}', f'the newest usable is {version}')
    if declared and declared.dotted_minor != version.dotted_minor:
        return
    for entry in (d for chart in one.stack.addon_charts for d in chart.dependencies):
        stated, usable = parse_version(entry.version), parse_version(found.get(entry.name, ''))
        # one of another minor is wrong, not newer
        if stated and usable and stated.numbers[:2] == usable.numbers[:2] and stated > usable:
            raise _older(one, f'{entry.name} {entry.version}', f'the newest usable is {found[entry.name]}')


def _older(one: Chosen, what: str, answer: str) -> ProductProblem:
    advice = "see 'scs-ci versions resolve'; to go back, state the older version by hand"
    return ProductProblem('cannot update', f'{one.name}, it states {what}', answer, advice)


def make(options: argparse.Namespace) -> Exit:
    """`versions generate`: one directory per entry of the table, all or none."""
    stack, name = _single(options)
    chosen = generate.entries(stack, options.target)
    trees = generate.generate(stack, chosen, _image_finder(options), fetcher(options), (options.bucket,))
    output: Path = options.output
    differing = sorted(name for name, files in trees.items() if _differs(output / name, files))
    occupied = [one for one in differing if (output / one).exists()]
    if occupied and not options.replace:
        answer = f'{", ".join(occupied)} {"is" if len(occupied) == 1 else "are"} there with another content'
        raise UsageProblem(
            'cannot generate into', f'directory {output}', answer, 'remove it, name another, or --replace'
        )
    write_trees(output, {one: trees[one] for one in differing})
    rows = [
        {'directory': one, 'kubernetes': str(row.version), 'charts': row.charts, 'written': one in differing}
        for row, one in zip(chosen, trees, strict=True)
    ]
    if options.json:
        print(json.dumps({'format': resolved.FORMAT, 'stack': name, 'output': str(output), 'versions': rows}, indent=2))
    else:
        for row in rows:
            print(
                f'{output / str(row["directory"])}: {row["kubernetes"]}, {"written" if row["written"] else "unchanged"}'
            )
    return Exit.PASSED


def _single(options: argparse.Namespace) -> tuple[Stack, str]:
    places = discover.choose(discover.find(options.path), options.stack)
    if len(places) != 1:
        answer = f'it has {len(places)} stacks'
        raise UsageProblem('cannot generate from', str(options.path), answer, 'choose one with --stack')
    return discover.load(options.path, places[0]), places[0].path


def _image_finder(options: argparse.Namespace) -> Callable[[Kubernetes], Image]:
    def find(version: Kubernetes) -> Image:
        found = resolve.image_of(version, sources(options, []))
        if isinstance(found, Refused):
            advice = 'correct the table, or describe the image in the image list of the stack'
            raise ProductProblem('cannot generate', f'{found.what}', found.why, advice)
        return found

    return find


def _differs(directory: Path, files: Mapping[str, bytes]) -> bool:
    if not directory.is_dir():
        return True
    there = {path.relative_to(directory).as_posix(): path for path in directory.rglob('*') if not path.is_dir()}
    return there.keys() != files.keys() or any(path.read_bytes() != files[name] for name, path in there.items())


def fetcher(options: argparse.Namespace) -> Callable[[Dependency], bytes]:
    """Archives of charts that stacks carry: from --charts, else --mirror, else their repository with a cache."""
    source = charts.chart_source(options.charts or options.mirror, os.environ)

    def fetch(entry: Dependency) -> bytes:
        try:
            with helm(options.tools) as program:
                return charts.fetch(entry, source, program)
        except charts.NotInRepository as problem:
            raise InfrastructureProblem(
                'cannot download', f'chart {entry.name} {entry.version}', problem.answer, 'see versions resolve'
            ) from problem

    return fetch
