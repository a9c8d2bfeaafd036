"""Every chart version that a stack names is offered by the repository it names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ...core.records import Severity
from ..model import Facts, Index, Stack
from ..rule import Example, Hit, Rule
from ..semver import parse_version, satisfies
from ..table import COLUMNS, TABLE, rows
from ..yamltext import Node

CHART = 'cluster-addon/csi/Chart.yaml'
# How many versions a message lists.
SHOWN = 4


def check(stack: Stack) -> Iterable[Hit]:
    known = {_key(name): index for name, index in stack.facts.indexes.items()}
    for chart in stack.charts:
        for entry in chart.dependencies:
            index = known.get(_key(entry.repository))
            if index and entry.name and entry.version:
                yield from _offered(index, entry.name, entry.version, chart.meta.path, entry.version_line, entry.line)
    for row in rows(stack):
        for column, cell in row.cells.items():
            yield from _cell(known, COLUMNS[column], cell)


def _cell(known: dict[str, Index], name: str, cell: Node) -> Iterable[Hit]:
    """A table names no repository: it means the one that has the chart."""
    offering = [index for index in known.values() if name in index.charts]
    if cell.text and offering:
        yield from _offered(offering[0], name, cell.text, TABLE, cell.line, cell.line)


def _offered(index: Index, name: str, version: str, file: str, line: int, entry_line: int) -> Iterable[Hit]:
    where = f'{index.repository} ({index.source}{_age(index)})'
    offered = index.charts.get(name)
    if offered is None:
        near = difflib.get_close_matches(name, index.charts, n=1)
        message = f'{where} has no chart {name}: correct the name or the repository'
        yield Hit(file, entry_line, message, seen=name, wanted=near[0] if near else None)
    elif not _has(offered, version):
        nearest = _nearest(offered, version)
        message = f'{where} does not offer {name} {version}; a tag of its source is not enough: take one that it offers'
        yield Hit(file, line, message, seen=version, wanted=', '.join(nearest), severity=_sure(index, offered, version))


def _has(offered: tuple[str, ...], wanted: str) -> bool:
    """Whether one of the versions is meant; a range that cannot be understood is left to helm."""
    results = [one.removeprefix('v') == wanted.removeprefix('v') or satisfies(one, wanted) for one in offered]
    return True in results or False not in results


def _sure(index: Index, offered: tuple[str, ...], version: str) -> Severity | None:
    """An index of some days ago is only sure of gaps: it cannot know what came after the newest of a minor."""
    if index.age is not None and index.age < 1:
        return None
    wanted = parse_version(version)
    same = [v for one in offered if (v := parse_version(one)) and wanted and v.numbers[:2] == wanted.numbers[:2]]
    return None if wanted and any(v > wanted for v in same) else Severity.WARNING


def _nearest(offered: tuple[str, ...], version: str) -> list[str]:
    """Newest versions of the same minor, or the newest ones at all."""
    ordered = sorted((v, one) for one in offered if (v := parse_version(one)) and not v.pre)
    wanted = parse_version(version)
    same = [one for v, one in ordered if wanted and v.numbers[:2] == wanted.numbers[:2]]
    return (same or [one for _, one in ordered])[-SHOWN:]


def _age(index: Index) -> str:
    return f', read {index.age:.0f} days ago' if index.age is not None and index.age >= 1 else ''


def _key(repository: str) -> str:
    return repository.rstrip('/').lower()


def _chart(version: str, name: str = 'openstack-cinder-csi') -> str:
    return (
        'apiVersion: v2\nname: csi\nversion: v1\ndependencies:\n'
        f'  - name: {name}\n    version: {version}\n    repository: https://charts.example/cpo\n'
    )


_OFFERED = {'openstack-cinder-csi': ('2.34.3', '2.34.1', '2.31.7', '2.31.5')}
_FACTS = Facts(indexes={'https://charts.example/cpo/': Index('https://charts.example/cpo/', _OFFERED, 'a file', 0.0)})

RULE = Rule(
    id='chart-index',
    severity=Severity.ERROR,
    title='chart versions exist in the index of their repository',
    motivation='Chart 2.31.6 had a release of its source and was never in the index: no stack could be built (PR 199).',
    check=check,
    bad=(
        Example({CHART: _chart('2.31.6')}, facts=_FACTS, hits=((CHART, 6),)),
        Example({CHART: _chart('2.35.0')}, facts=_FACTS, hits=((CHART, 6),)),
        Example({CHART: _chart('2.33.x')}, facts=_FACTS, hits=((CHART, 6),)),
        Example({CHART: _chart('2.34.3', 'openstack-cinder')}, facts=_FACTS, hits=((CHART, 5),)),
        Example({TABLE: '- kubernetes: 1.31.9\n  cinder_csi: 2.31.6\n'}, facts=_FACTS, hits=((TABLE, 2),)),
    ),
    good=(
        Example({CHART: _chart('2.34.3'), TABLE: '- kubernetes: 1.34.7\n  cinder_csi: 2.34.3\n'}, facts=_FACTS),
        Example({CHART: _chart('2.34.x')}, facts=_FACTS),
        Example({CHART: _chart('2.31.6')}),
    ),
)
