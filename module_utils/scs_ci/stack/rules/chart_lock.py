"""Chart.yaml, Chart.lock and the packed charts name the same versions."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Chart, Dependency, Stack
from ..rule import Example, Hit, Rule
from ..semver import satisfies

CHART = 'cluster-addon/cni/Chart.yaml'
LOCK = 'cluster-addon/cni/Chart.lock'


def check(stack: Stack) -> Iterable[Hit]:
    for chart in stack.charts:
        yield from _lock(chart)
        yield from _archives(chart)
        yield from _missing(chart)


def _numbered(entries: Iterable[Dependency]) -> dict[tuple[str, int], Dependency]:
    """Entries by name and how often the name came before: one chart may be used twice, with an alias each."""
    found: dict[tuple[str, int], Dependency] = {}
    for entry in entries:
        found[entry.name, sum(1 for name, _ in found if name == entry.name)] = entry
    return found


def _lock(chart: Chart) -> Iterable[Hit]:
    if chart.lock is None:
        return
    file = f'{chart.path}/Chart.lock'
    locked, declared = _numbered(chart.lock), _numbered(chart.dependencies)
    packed = {(archive.name, archive.version) for archive in chart.archives}
    for key, entry in locked.items():
        name, wanted = entry.name, declared.get(key)
        if wanted is None:
            message = f'{name} is locked, but {chart.meta.path} does not depend on it: run helm dependency update'
            yield Hit(file, entry.line, message, seen=name)
        elif not _fits(wanted, entry.version):
            held = 'locked and packed' if (name, entry.version) in packed else 'locked'
            message = f'{name} is {held} at {entry.version}, but {chart.meta.path} wants {wanted.version}'
            message += ': run helm dependency update'
            yield Hit(file, entry.version_line, message, seen=entry.version, wanted=wanted.version)
        elif _place(entry.repository) != _place(wanted.repository):
            message = f'{name} is locked from {entry.repository}, but {chart.meta.path} takes it from elsewhere'
            message += ': run helm dependency update'
            # a packed chart is rendered all the same; only who builds the dependencies anew is told to lock again
            yield Hit(file, entry.line, message, entry.repository, wanted.repository, severity=Severity.WARNING)
    for key, entry in declared.items():
        if key not in locked:
            message = f'{entry.name} is missing in {file}: run helm dependency update'
            yield Hit(chart.meta.path, entry.line, message, wanted=f'{entry.name} {entry.version}')


def _place(repository: str) -> str:
    return repository.rstrip('/')


def _archives(chart: Chart) -> Iterable[Hit]:
    locked = {(entry.name, entry.version) for entry in chart.lock or ()}
    for archive in chart.archives:
        if archive.problem:
            yield Hit(archive.path, 1, archive.problem)
            continue
        users = [entry for entry in chart.dependencies if entry.name == archive.name]
        held = f'{archive.path} holds {archive.name} {archive.version}'
        if not users:
            message = f'{held}, which nothing depends on: helm renders it, too; remove it'
            yield Hit(chart.meta.path, 1, message, seen=archive.name)
        elif (
            not any(_fits(entry, archive.version) for entry in users) and (archive.name, archive.version) not in locked
        ):
            message = f'{held}, wanted is {users[0].version}: run helm dependency update'
            yield Hit(chart.meta.path, users[0].version_line, message, seen=archive.version, wanted=users[0].version)


def _missing(chart: Chart) -> Iterable[Hit]:
    packed = [archive.name for archive in chart.archives if not archive.problem]
    for name in sorted(set(packed)):
        users = sum(1 for entry in chart.dependencies if entry.name == name)
        if packed.count(name) > max(users, 1):
            versions = ', '.join(archive.version for archive in chart.archives if archive.name == name)
            message = f'{name} is packed {packed.count(name)} times: {versions}; remove what is not wanted'
            yield Hit(chart.meta.path, 1, message, seen=name)
    for entry in chart.dependencies:
        remote = entry.repository and not entry.repository.startswith('file:')
        if chart.archives and entry.name not in packed and remote:
            message = f'other charts are packed in {chart.path}/charts, {entry.name} is not: helm downloads all again'
            yield Hit(chart.meta.path, entry.line, message, wanted=f'{entry.name}-{entry.version}.tgz')


def _fits(declared: Dependency, version: str) -> bool:
    """A range that cannot be understood fits: helm itself says what is wrong with it."""
    if declared.version.removeprefix('v') == version.removeprefix('v'):
        return True
    return satisfies(version, declared.version) is not False


def _chart(version: str) -> str:
    return (
        'apiVersion: v2\nname: cni\nversion: v1\ndependencies:\n'
        f'  - name: cilium\n    repository: https://helm.example/\n    version: {version}\n'
    )


def _locked(version: str, name: str = 'cilium') -> str:
    return (
        f'dependencies:\n- name: {name}\n  repository: https://helm.example/\n  version: {version}\ndigest: sha256:0\n'
    )


RULE = Rule(
    id='chart-lock',
    severity=Severity.ERROR,
    title='Chart.yaml, Chart.lock and charts/*.tgz agree',
    motivation=(
        'helm uses a packed chart by its name and does not look at its version: a stack declared metrics-server 3.12.2 '
        'and had 3.12.0 locked and packed, and that is what clusters got (pull request 147).'
    ),
    check=check,
    bad=(
        Example({CHART: _chart('^1.15'), LOCK: _locked('1.14.9')}, hits=((LOCK, 4),)),
        Example({CHART: _chart('1.15.6'), LOCK: _locked('1.15.6').replace('.example', '.other')}, hits=((LOCK, 2),)),
        Example({CHART: _chart('1.15.6'), LOCK: _locked('1.15.2')}, hits=((LOCK, 4),)),
        Example({CHART: _chart('1.15.6'), LOCK: _locked('1.15.6', 'calico')}, hits=((LOCK, 2), (CHART, 5))),
        Example(
            {CHART: _chart('1.15.6'), 'cluster-addon/cni/charts/cilium-1.15.6.tgz': 'x'},
            hits=(('cluster-addon/cni/charts/cilium-1.15.6.tgz', 1), (CHART, 5)),
        ),
    ),
    good=(
        Example({CHART: _chart('1.15.6'), LOCK: _locked('1.15.6')}),
        Example({CHART: _chart('^1.15'), LOCK: _locked('1.15.8')}),
        Example({CHART: _chart('1.15.6')}),
    ),
)
