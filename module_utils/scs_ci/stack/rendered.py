"""The documents of a stack's renderings, parsed once for all rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .model import Chart, Rendered, Stack
from .origin import Origin, origin
from .yamltext import Broken, Document, parse


@dataclass(frozen=True)
class Printed:
    """A rendered template: its documents, or why it is not YAML. point: as in Rendering."""

    chart: Chart
    part: Rendered
    documents: tuple[Document, ...]
    broken: Broken | None
    point: str = ''

    def place(self, stack: Stack, line: int) -> Origin:
        """Where a line of the rendering comes from."""
        return origin(stack, self.chart, self.part, line)


def printed(stack: Stack, variants: bool = False) -> Iterator[Printed]:
    """Every rendered template of the stack; with `variants` also at the other points of the matrix."""
    charts = {chart.path: chart for chart in stack.charts}
    for rendering in (*stack.renderings, *(stack.variants if variants else ())):
        chart = charts.get(rendering.chart)
        for part in rendering.parts if chart else ():
            assert chart is not None
            documents, broken = _parsed(part.text)
            yield Printed(chart, part, documents, broken, rendering.point)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[tuple[Document, ...], Broken | None]:
    try:
        return parse(text), None
    except Broken as error:
        return (), error
