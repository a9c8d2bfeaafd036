"""Chart.yaml, Chart.lock and the packed charts name the same versions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..model import Chart, Dependency, Stack
from ..rule import Example, Hit, Rule

# A version that is one version; anything else is a range, whose resolution is the lock's business.
EXACT = re.compile(r'v?\d+\.\d+\.\d+([-+][\w.+-]+)?')
CHART = 'cluster-addon/cni/Chart.yaml'
LOCK = 'cluster-addon/cni/Chart.lock'


def check(stack: Stack) -> Iterable[Hit]:
    for chart in stack.charts:
        yield from _lock(chart)
        yield from _archives(chart)


def _lock(chart: Chart) -> Iterable[Hit]:
    if chart.lock is None:
        return
    file = f'{chart.path}/Chart.lock'
    locked = {entry.name: entry for entry in chart.lock}
    declared = {entry.name: entry for entry in chart.dependencies}
    for name, entry in locked.items():
        if name not in declared:
            yield Hit(file, entry.line, f'{name} is locked, but {chart.meta.path} does not depend on it', seen=name)
        elif not _fits(declared[name], entry.version):
            wanted = declared[name].version
            message = f'{name} is locked at {entry.version}, but {chart.meta.path} wants {wanted}'
            yield Hit(file, _version_line(entry), message, seen=entry.version, wanted=wanted)
    for name, entry in declared.items():
        if name not in locked:
            yield Hit(chart.meta.path, entry.line, f'{name} is missing in {file}', wanted=f'{name} {entry.version}')


def _version_line(entry: Dependency) -> int:
    """helm writes locks as name, repository, version, one line each."""
    return entry.line + (2 if entry.repository else 1)


def _archives(chart: Chart) -> Iterable[Hit]:
    declared = {entry.name: entry for entry in chart.dependencies}
    packed: dict[str, list[str]] = {}
    for archive in chart.archives:
        if archive.problem:
            yield Hit(archive.path, 1, archive.problem)
            continue
        packed.setdefault(archive.name, []).append(archive.version)
        if archive.name not in declared:
            message = (
                f'{archive.path} holds {archive.name} {archive.version}, which nothing depends on: helm renders it, too'
            )
            yield Hit(chart.meta.path, 1, message, seen=archive.name)
        elif not _fits(declared[archive.name], archive.version):
            entry = declared[archive.name]
            message = f'{archive.path} holds {archive.name} {archive.version}, wanted is {entry.version}'
            yield Hit(chart.meta.path, entry.line, message, seen=archive.version, wanted=entry.version)
    for name, versions in packed.items():
        if len(versions) > 1:
            yield Hit(chart.meta.path, 1, f'{name} is packed {len(versions)} times: {", ".join(versions)}', seen=name)
    for name, entry in declared.items():
        remote = entry.repository and not entry.repository.startswith('file:')
        if chart.archives and name not in packed and remote:
            message = f'other charts are packed in {chart.path}/charts, {name} is not: helm downloads all of them again'
            yield Hit(chart.meta.path, entry.line, message, wanted=f'{name}-{entry.version}.tgz')


def _fits(declared: Dependency, version: str) -> bool:
    if not EXACT.fullmatch(declared.version):
        return True
    return declared.version.removeprefix('v') == version.removeprefix('v')


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
