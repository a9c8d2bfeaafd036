"""The charts that an addon chart depends on: what is packed in the stack, or what was fetched to render it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .archive import Archive
from .model import Chart, Dependency, Stack, YamlFile, yaml_file


@dataclass(frozen=True)
class Subchart:
    """A dependency and the chart that fills it. key: below which its values stand in the values of the chart."""

    dependency: Dependency
    archive: Archive

    @property
    def key(self) -> str:
        return self.dependency.alias or self.dependency.name

    @property
    def values(self) -> YamlFile:
        """The defaults of its values; empty when it has none."""
        return _parsed(self.archive, 'values.yaml')

    @property
    def schema(self) -> YamlFile:
        """Its values.schema.json; root is None when it has none."""
        return _parsed(self.archive, 'values.schema.json')

    @property
    def meta(self) -> YamlFile:
        return _parsed(self.archive, 'Chart.yaml')


def subcharts(stack: Stack, chart: Chart) -> tuple[Subchart, ...]:
    """The dependencies whose charts are here, in the order of Chart.yaml; others are left out."""
    fetched = [archive for r in stack.renderings if r.chart == chart.path for archive in r.fetched]
    # what had to be fetched replaces what is packed, as helm does it
    by_name = {a.name: a for a in (*chart.archives, *_unpacked(stack, chart), *fetched) if not a.problem}
    return tuple(Subchart(d, by_name[d.name]) for d in chart.dependencies if d.name in by_name)


def _unpacked(stack: Stack, chart: Chart) -> list[Archive]:
    """Charts that lie in charts/ as directories."""
    prefix = f'{chart.path}/charts/'
    names = {p[len(prefix) :].split('/')[0] for p in stack.files if p.startswith(prefix) and p.endswith('/Chart.yaml')}
    found = []
    for name in sorted(names):
        head = f'{prefix}{name}/'
        files = {p[len(head) :]: content for p, content in stack.files.items() if p.startswith(head)}
        meta = yaml_file('Chart.yaml', files.get('Chart.yaml', b''))
        found.append(Archive(head.rstrip('/'), meta.value('name'), meta.value('version'), files=files))
    return found


def _parsed(archive: Archive, name: str) -> YamlFile:
    return _cached(f'{archive.path}!{name}', archive.files.get(name, b''))


@lru_cache(maxsize=64)
def _cached(name: str, content: bytes) -> YamlFile:
    return yaml_file(name, content)
