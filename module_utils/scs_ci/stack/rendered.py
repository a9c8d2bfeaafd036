"""The documents of a stack's renderings, parsed once for all rules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from .model import Chart, Rendered, Stack, once
from .origin import Origin, origin
from .yamltext import Broken, Document, parse

# The nodes of all that one stack prints at all points, and those that are kept for the next rule and stack. A node
# takes some hundred bytes.
MOST_NODES_PRINTED = 1_000_000
MOST_KEPT = 1_500_000
TOO_MUCH = Broken(f'the charts print more than {MOST_NODES_PRINTED} nodes in all', 1)


@dataclass(frozen=True)
class Printed:
    """A rendered template: its documents, or why it is not YAML. point, guess: as in Rendering."""

    chart: Chart
    part: Rendered
    documents: tuple[Document, ...]
    broken: Broken | None
    point: str = ''
    guess: bool = False

    def place(self, stack: Stack, line: int) -> Origin:
        """Where a line of the rendering comes from."""
        return origin(stack, self.chart, self.part, line)


@once
def printed(stack: Stack, variants: bool = False) -> Iterator[Printed]:
    """Every rendered template of the stack; with `variants` also at the other points of the matrix."""
    charts = {chart.path: chart for chart in stack.charts}
    left = MOST_NODES_PRINTED
    for rendering in (*stack.renderings, *(stack.variants if variants else ())):
        chart = charts.get(rendering.chart)
        for part in rendering.parts if chart else ():
            assert chart is not None
            documents, broken = _parsed(part.text) if left > 0 else ((), TOO_MUCH)
            left -= _size(documents)
            yield Printed(chart, part, documents, broken, rendering.point, rendering.guess)


class _Parsed:
    """What texts are as YAML. Points of the matrix, and stacks, print many texts alike; the nodes kept are bounded."""

    def __init__(self) -> None:
        self.found: OrderedDict[str, tuple[tuple[Document, ...], Broken | None]] = OrderedDict()
        self.nodes = 0

    def __call__(self, text: str) -> tuple[tuple[Document, ...], Broken | None]:
        if text in self.found:
            self.found.move_to_end(text)
            return self.found[text]
        try:
            made: tuple[tuple[Document, ...], Broken | None] = (parse(text), None)
        except Broken as error:
            made = ((), error)
        self.found[text] = made
        self.nodes += _size(made[0])
        while self.nodes > MOST_KEPT and len(self.found) > 1:
            self.nodes -= _size(self.found.popitem(last=False)[1][0])
        return made


def _size(documents: tuple[Document, ...]) -> int:
    """Nodes, and something for the text."""
    return 10 + sum(document.size for document in documents)


_parsed = _Parsed()
