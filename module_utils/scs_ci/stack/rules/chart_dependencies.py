"""Dependencies of charts are complete, unambiguous and always resolve to the same chart."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Chart, Dependency, Stack
from ..rule import Example, Hit, Rule
from ..semver import is_exact

SCHEMES = ('https://', 'oci://', 'file://')
CHART = 'cluster-addon/cni/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for chart in stack.charts:
        yield from _api(chart)
        seen: dict[str, Dependency] = {}
        for entry in chart.dependencies:
            yield from _entry(chart, entry)
            key = entry.alias or entry.name
            if key and key in seen:
                message = f'a second dependency {key!r}, the first one is in line {seen[key].line}: give it an alias'
                yield Hit(chart.meta.path, entry.line, message, seen=key)
            seen.setdefault(key, entry)


def _api(chart: Chart) -> Iterable[Hit]:
    root = chart.meta.root
    if root is not None and chart.dependencies and root.value('apiVersion') != 'v2':
        node = root.get('apiVersion') or root
        message = 'helm reads dependencies of this file only with apiVersion v2: it ignores them here'
        yield Hit(chart.meta.path, node.line, message, seen=node.text, wanted='v2')


def _entry(chart: Chart, entry: Dependency) -> Iterable[Hit]:
    file, name = chart.meta.path, entry.name or 'without name'
    for what, value in (('name', entry.name), ('version', entry.version)):
        if not value:
            yield Hit(file, entry.line, f'dependency {name} has no {what}: add it', wanted=what)
    local = not entry.repository or entry.repository.startswith('file://')
    if entry.repository.startswith('http://'):
        message = f'dependency {name} comes over an unprotected connection: use https'
        wanted = entry.repository.replace('http://', 'https://', 1)
        yield Hit(file, entry.line, message, entry.repository, wanted, severity=Severity.WARNING)
    elif not entry.repository.startswith(SCHEMES) and entry.repository:
        message = f'dependency {name} names a repository of one machine or nothing: give its address'
        yield Hit(file, entry.line, message, seen=entry.repository, wanted='https://… or oci://…')
    if entry.version and not is_exact(entry.version) and not local and chart.lock is None:
        message = f'dependency {name} may be any of {entry.version!r}: builds differ from day to day; name one version'
        yield Hit(file, entry.version_line, message, seen=entry.version, severity=Severity.WARNING)


def _chart(entry: str, api: str = 'v2') -> str:
    return f'apiVersion: {api}\nname: cni\nversion: v1\ndependencies:\n{entry}'


def _dependency(version: str = '1.18.9', repository: str = 'https://helm.example/', more: str = '') -> str:
    return f'  - name: cilium\n    version: {version}\n    repository: {repository}\n{more}'


RULE = Rule(
    id='chart-dependencies',
    severity=Severity.ERROR,
    title='dependencies of charts are complete, unambiguous and pinned',
    motivation='A range without a lock, or a repository that only one machine knows, gives another release elsewhere.',
    check=check,
    bad=(
        Example({CHART: _chart(_dependency(), 'v1')}, hits=((CHART, 1),)),
        Example({CHART: _chart(_dependency('1.18.x'))}, hits=((CHART, 6),)),
        Example({CHART: _chart(_dependency(repository='"@cilium"'))}, hits=((CHART, 5),)),
        Example({CHART: _chart(_dependency(repository='http://helm.example/'))}, hits=((CHART, 5),)),
        Example({CHART: _chart(_dependency() + _dependency('1.17.4'))}, hits=((CHART, 8),)),
        Example({CHART: _chart('  - name: cilium\n    repository: https://helm.example/\n')}, hits=((CHART, 5),)),
    ),
    good=(
        Example({CHART: _chart(_dependency() + _dependency('1.17.4', more='    alias: old\n'))}),
        Example(
            {
                CHART: _chart(_dependency('1.18.x')),
                'cluster-addon/cni/Chart.lock': 'dependencies:\n- name: cilium\n  version: 1.18.9\n',
            }
        ),
        Example({CHART: _chart(_dependency('^1', 'file://../charts/cilium'))}),
    ),
)
