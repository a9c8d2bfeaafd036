"""Charts that addon stages depend on and do not carry: from a mirror directory, a cache or their repository."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from ..core import caching, files
from ..core.errors import InfrastructureProblem, Problem, UsageProblem
from .helm import PULL_SECONDS, Helm
from .indexes import MOST_NODES
from .model import Chart, Dependency
from .yamltext import Broken, Map, Node, parse

# What helm says when the repository answers and does not have the chart: then the stack is wrong, not the network.
ABSENT = ('not found in', 'no chart name found', 'no chart version found', 'is not a valid chart')


class NotInRepository(Exception):
    """The repository has no such chart or version: a defect of the stack."""

    def __init__(self, dependency: Dependency, answer: str) -> None:
        self.dependency, self.answer = dependency, answer
        super().__init__(answer)


class Offline(InfrastructureProblem):
    """The chart would have to be fetched, which the caller forbade."""


@dataclass(frozen=True)
class ChartSource:
    """Where charts come from. mirror: directory `<host>/<path>/index.yaml`, replaces the network when given.

    offline: nothing is fetched; what is neither in the mirror nor in the cache is not to be had.
    """

    cache: Path
    mirror: Path | None = None
    offline: bool = False


def chart_source(mirror: Path | None, environment: Mapping[str, str]) -> ChartSource:
    """The mirror that was named, or SCS_CI_CHARTS, or none; and the cache below XDG_CACHE_HOME."""
    named = mirror or (Path(environment['SCS_CI_CHARTS']) if environment.get('SCS_CI_CHARTS') else None)
    if named and not named.is_dir():
        raise UsageProblem('cannot read', f'charts directory {named}', 'no such directory', 'correct --charts')
    return ChartSource(Path(caching.directory(environment)) / 'charts', named)


def missing(chart: Chart, directories: frozenset[str]) -> tuple[Dependency, ...]:
    """What helm would download before rendering: everything, if one dependency is not in charts/, packed or unpacked.

    directories: names of unpacked charts there. Dependencies on local directories are left to helm.
    """
    present = {archive.name for archive in chart.archives} | directories
    if all(dependency.name in present for dependency in chart.dependencies):
        return ()
    return tuple(d for d in chart.dependencies if d.repository and not d.repository.startswith('file:'))


def fetch(dependency: Dependency, source: ChartSource, helm: Helm) -> bytes:
    """The archive of a dependency. Raises NotInRepository, or InfrastructureProblem when nobody answers."""
    if source.mirror:
        return _from_mirror(dependency, source.mirror)
    repository = hashlib.sha256(dependency.repository.encode()).hexdigest()[:16]
    cached = source.cache / repository / f'{dependency.name}-{dependency.version}.tgz'
    if cached.is_file():
        return cached.read_bytes()
    if source.offline:
        raise Offline(
            'cannot take',
            f'chart {dependency.name} {dependency.version} of {dependency.repository}',
            'it is not in the cache, and nothing is fetched offline',
            'check once without --offline, or give a directory of charts with --charts',
        )
    content = _from_network(dependency, helm)
    with suppress(Problem):  # a cache that cannot be written costs time, nothing else
        files.write_atomic(cached, content)
    return content


def _from_network(dependency: Dependency, helm: Helm) -> bytes:
    if dependency.repository.startswith('oci:'):
        words = ['pull', f'{dependency.repository.rstrip("/")}/{dependency.name}']
    else:
        words = ['pull', dependency.name, '--repo', dependency.repository]
    with TemporaryDirectory(prefix='scs-ci-pull-') as work:
        done = helm.run(*words, '--version', dependency.version, '-d', work, seconds=PULL_SECONDS, cwd=Path(work))
        archives = list(Path(work).glob('*.tgz'))
        if done.code == 0 and len(archives) == 1:
            return archives[0].read_bytes()
    if any(text in done.stderr for text in ABSENT):
        raise NotInRepository(dependency, done.last_words(1).removeprefix('Error: '))
    raise InfrastructureProblem(
        'cannot download',
        f'chart {dependency.name} {dependency.version} from {dependency.repository}',
        done.last_words(),
        'check the network, or give a directory of charts with --charts',
    )


def _from_mirror(dependency: Dependency, mirror: Path) -> bytes:
    where = urlsplit(dependency.repository)
    repository = mirror / where.netloc / where.path.strip('/')
    advice = 'add it to the directory, or leave --charts out to ask the repository itself'
    subject = f'chart {dependency.name} {dependency.version} of {dependency.repository}'
    if '..' in where.path.split('/') or not (repository / 'index.yaml').is_file():
        raise InfrastructureProblem(
            'cannot find', subject, f'no {where.netloc}{where.path}/index.yaml in {mirror}', advice
        )
    entries = _index(repository / 'index.yaml').items(dependency.name)
    entry = next((e for e in entries if _same(e.value('version'), dependency.version)), None)
    urls = entry.items('urls') if entry is not None else ()
    if entry is None or not urls:
        known = ', '.join(e.value('version') for e in entries) or 'none'
        raise InfrastructureProblem('cannot find', subject, f'{repository}/index.yaml has versions: {known}', advice)
    archive = repository / urls[0].text.rsplit('/', 1)[-1]
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise InfrastructureProblem('cannot read', f'chart {archive}', error.strerror or str(error), advice) from error
    if entry.value('digest') not in ('', hashlib.sha256(content).hexdigest()):
        raise InfrastructureProblem(
            'cannot use', f'chart {archive}', 'its digest is not that of the index', 'fetch it again'
        )
    return content


def _same(one: str, other: str) -> bool:
    return one.removeprefix('v') == other.removeprefix('v')


@lru_cache(maxsize=16)
def _index(path: Path) -> Node:
    """What an index has below `entries`; an empty mapping when it has none."""
    try:
        documents = parse(path.read_text(encoding='utf-8'), MOST_NODES)
    except (OSError, UnicodeDecodeError, Broken) as error:
        raise InfrastructureProblem(
            'cannot read', f'index {path}', str(error), 'repair the directory of charts'
        ) from error
    root = documents[0].root if documents else None
    return (root.get('entries') if root is not None else None) or Map(1, 1, ())
