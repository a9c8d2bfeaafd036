"""Charts that are tied to a Kubernetes minor are of the declared one, and tables of versions say what is committed."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Dependency, Stack
from ..rule import Example, Hit, Rule
from ..semver import is_exact, parse_version, satisfies
from ..table import COLUMNS, TABLE, TIED, rows
from ..versions import Kubernetes
from ..yamltext import Node

CCM = 'cluster-addon/ccm/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    for chart in stack.addon_charts:
        for dependency in chart.dependencies if version else ():
            yield from _dependency(chart.meta.path, dependency, version, stack.kubernetes.file)
    for row in rows(stack):
        for column, cell in row.cells.items():
            if row.version:
                yield from _cell(stack, TABLE, cell, COLUMNS[column], row.version)
    yield from _addons(stack)


def _dependency(file: str, entry: Dependency, version: Kubernetes | None, declaring: str) -> Iterable[Hit]:
    if version and entry.name in TIED and _minor(entry.version) not in (None, version.minor):
        message = f'{entry.name} {entry.version} is made for Kubernetes 1.{_minor(entry.version)}, but {declaring} '
        message += f'declares {version}: take a chart 2.{version.minor}.x'
        yield Hit(file, entry.version_line, message, seen=entry.version, wanted=f'2.{version.minor}.x')


def _cell(stack: Stack, file: str, cell: Node, chart: str, listed: Kubernetes) -> Iterable[Hit]:
    if _minor(cell.text) not in (None, listed.minor):
        message = f'{chart} {cell.text} is made for Kubernetes 1.{_minor(cell.text)}, the entry is of {listed}: '
        yield Hit(file, cell.line, f'{message}take a chart 2.{listed.minor}.x', cell.text, f'2.{listed.minor}.x')
    elif stack.version and listed.agrees(stack.version):
        yield from _committed(stack, file, cell, chart)


def _committed(stack: Stack, file: str, cell: Node, chart: str) -> Iterable[Hit]:
    """What the table says for the declared version is what the addon charts depend on."""
    used = [(c.meta.path, d) for c in stack.addon_charts for d in c.dependencies if d.name == chart]
    for path, dependency in used:
        if is_exact(dependency.version) and satisfies(dependency.version, cell.text) is False:
            message = f'{file}:{cell.line} lists {chart} {cell.text} for {stack.version}, the chart depends on '
            message += f'{dependency.version}: correct the one that is wrong'
            yield Hit(path, dependency.version_line, message, dependency.version, cell.text, severity=Severity.WARNING)


def _addons(stack: Stack) -> Iterable[Hit]:
    """`addons` of layout B: charts tied to the minor, by abbreviation."""
    declaration = stack.yaml.get(stack.kubernetes.file)
    for column, chart in COLUMNS.items():
        cell = declaration.root.get('addons', column) if declaration and declaration.root is not None else None
        if cell is not None and stack.version:
            yield from _cell(stack, stack.kubernetes.file, cell, chart, stack.version)


def _minor(version: str) -> int | None:
    """The minor of a chart 2.<minor>; None for other majors and for ranges that leave it open."""
    head = '.'.join(version.lstrip('~^=v ').split('.')[:2])
    parsed = parse_version(head)
    return parsed.numbers[1] if parsed and parsed.numbers[0] == 2 and '.' in head else None


def _chart(version: str, name: str = 'openstack-cloud-controller-manager') -> str:
    return (
        'apiVersion: v2\nname: ccm\nversion: v1\ndependencies:\n'
        f'  - name: {name}\n    version: {version}\n    repository: https://charts.example/\n'
    )


RULE = Rule(
    id='chart-minors',
    severity=Severity.ERROR,
    title='charts tied to a Kubernetes minor are of the declared one',
    motivation=(
        'The cloud controller manager and the storage driver follow the minor of Kubernetes and speak its APIs. Stacks '
        'were moved to a new minor and kept the charts of the old one, because the numbers look unrelated.'
    ),
    check=check,
    bad=(
        Example({CCM: _chart('2.33.1')}, hits=((CCM, 6),)),
        Example({CCM: _chart('~2.31.0', 'openstack-cinder-csi')}, hits=((CCM, 6),)),
        Example({TABLE: '- kubernetes: 1.33.4\n  occm: 2.32.1\n'}, hits=((TABLE, 2),)),
        Example({TABLE: '- kubernetes: 1.34.7\n  occm: 2.34.2\n', CCM: _chart('2.34.1')}, hits=((CCM, 6),)),
        Example(
            {
                'stack.yaml': 'provider: openstack\nclusterStackName: demo\nkubernetesVersion: 1.34.7\n'
                'addons:\n  ccm: 2.33.x\n',
                'csctl.yaml': None,
            },
            hits=(('stack.yaml', 5),),
            layout='B',
        ),
    ),
    good=(
        Example({CCM: _chart('2.34.2'), TABLE: '- kubernetes: 1.34.7\n  occm: 2.34.2\n'}),
        Example({CCM: _chart('2.x.x')}),
        Example({CCM: _chart('1.18.9', 'cilium')}),
    ),
)
