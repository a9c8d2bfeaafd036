"""Options of `scs-ci versions`: which stacks, whom to ask, and what they answer for these stacks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.clock import SystemClock
from ..core.errors import ProductProblem, UsageProblem
from ..stack import discover, indexes, resolve
from ..stack.bucket import BUCKET
from ..stack.charts import chart_source
from ..stack.indexes import IndexSource
from ..stack.model import Stack
from ..stack.resolve import REPOSITORY, Sources
from ..stack.versions import Kubernetes, parse_kubernetes
from ..stack.webfiles import Mirror, Network, Remembered, WebFiles

# Only its images are in the bucket; those of other providers come with the provider.
PROVIDER = 'openstack'
NEWEST = 'newest'


@dataclass(frozen=True)
class Chosen:
    """A stack of the command line. checkout: of the path that was given; name: as the caller sees it."""

    checkout: Path
    stack: Stack
    name: str


def add_stacks(parser: argparse.ArgumentParser, several: str) -> None:
    parser.add_argument('paths', nargs=several, type=Path, metavar='PATH', help='checkouts or stacks')
    parser.add_argument('--stack', action='append', default=[], metavar='GLOB', help='only these stacks (repeatable)')


def add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--mirror', type=Path, metavar='DIR', help='files as <host>/<path> instead of the network: bucket, indexes, …'
    )
    parser.add_argument(
        '--indexes', type=Path, metavar='DIR', help='indexes as <host>_<path>.yaml instead of asking (SCS_CI_INDEXES)'
    )
    parser.add_argument(
        '--bucket', default=BUCKET, metavar='URL', help='where node images are (default: that of the community)'
    )


def add_archives(parser: argparse.ArgumentParser) -> None:
    """For charts that stacks carry packed."""
    parser.add_argument(
        '--charts', type=Path, metavar='DIR', help='charts as <host>/<path>/index.yaml (or SCS_CI_CHARTS)'
    )
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )


def choose(options: argparse.Namespace) -> list[Chosen]:
    """The stacks of the paths; those of other providers are left out, which is told. UsageProblem when none is left."""
    found = []
    for path in options.paths:
        for place in discover.choose(discover.find(path), options.stack):
            stack = discover.load(path, place)
            name = place.path if len(options.paths) == 1 else (path / place.path).as_posix()
            if stack.provider.text == PROVIDER and stack.version:
                found.append(Chosen(path, stack, name))
            else:
                print(f'scs-ci versions: {name}: left out, {_why(stack)}', file=sys.stderr)
    if options.paths and not found:
        advice = f'name stacks of provider {PROVIDER} that declare a version'
        raise UsageProblem('cannot resolve versions of', ', '.join(map(str, options.paths)), 'no stack is left', advice)
    return found


def _why(stack: Stack) -> str:
    if stack.provider.text == PROVIDER:
        return f'{stack.kubernetes.file} declares no Kubernetes version'
    return f'node images of provider {stack.provider.text!r} are not in a bucket'


def tied_charts(stack: Stack) -> dict[str, str]:
    """Charts of the stack that are tied to a minor -> their repository."""
    return resolve.tied((d.name, d.repository) for chart in stack.addon_charts for d in chart.dependencies)


def usual_charts() -> dict[str, str]:
    """What is asked for where no stack says what it needs."""
    return dict.fromkeys(('openstack-cinder-csi', 'openstack-cloud-controller-manager'), REPOSITORY)


def sources(options: argparse.Namespace, repositories: Iterable[str]) -> Sources:
    """Whom the options name: a mirror, index files, else the network."""
    files: WebFiles = Network()
    if options.mirror:
        files = Mirror(_directory(options.mirror, '--mirror'))
    named = options.indexes or (Path(os.environ['SCS_CI_INDEXES']) if os.environ.get('SCS_CI_INDEXES') else None)
    directory = _directory(named, '--indexes') if named else options.mirror
    cache = chart_source(None, {k: v for k, v in os.environ.items() if k != 'SCS_CI_CHARTS'}).cache
    known = indexes.latest(
        sorted(set(repositories)), IndexSource(cache.parent / 'indexes', directory), SystemClock().now()
    )
    return Sources(Remembered(files), known, f'{options.bucket.rstrip("/")}/')


def _directory(path: Path, option: str) -> Path:
    if not path.is_dir():
        raise UsageProblem('cannot read', f'directory {path}', 'no such directory', f'correct {option}')
    return path


def minor(text: str) -> Kubernetes:
    """Type of an option: a minor such as 1.34."""
    version = parse_kubernetes(text)
    if version is None or version.patch is not None:
        raise argparse.ArgumentTypeError(f'{text!r} is no minor like 1.34')
    return version


def minor_or_newest(text: str) -> Kubernetes | None:
    """Type of an option: a minor, or `newest`, which is None."""
    return None if text == NEWEST else minor(text)


def minor_of(stack: Stack) -> Kubernetes:
    version = stack.version
    if version is None:
        raise ProductProblem(
            'cannot resolve versions of', stack.path, 'it declares no version', f'correct {stack.kubernetes.file}'
        )
    return Kubernetes(version.major, version.minor)


def resolution(of: Kubernetes | None, charts: Mapping[str, str], asked: Sources) -> resolve.Resolution:
    """The triple of a minor; of the newest one for None."""
    return resolve.newest(charts, asked) if of is None else resolve.resolve(of, charts, asked)
