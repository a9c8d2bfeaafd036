"""The objects that the charts of a stack print, each with the way back to its source."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from .model import CLASS_DIR, Stack, once
from .origin import Origin
from .rendered import Printed, printed
from .yamltext import Map, Node

# A document may begin beside its separator.
SEPARATOR = re.compile(r'^---(?:[^\S\n]+(?P<beside>[^\s#].*)|[^\S\n].*)?$', re.M)


@dataclass(frozen=True)
class Object:
    """A rendered document that is a mapping. The lines of its nodes are the rendering's; `place` gives the source's."""

    template: Printed
    root: Map

    @property
    def api_version(self) -> str:
        return self.root.value('apiVersion')

    @property
    def group(self) -> str:
        """API group, '' for the core group."""
        return self.api_version.rpartition('/')[0]

    @property
    def kind(self) -> str:
        return self.root.value('kind')

    @property
    def name(self) -> str:
        return self.root.value('metadata', 'name')

    @property
    def namespace(self) -> str:
        return self.root.value('metadata', 'namespace')

    @property
    def title(self) -> str:
        """For messages: kind and name."""
        return f'{self.kind or "object"} {self.name or "without name"}'

    def place(self, stack: Stack, node: Node | None = None) -> Origin:
        """The source line that printed the node; without one, the first line of the object."""
        return self.template.place(stack, (node or self.root).line)


@once
def objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """Every object that every chart prints; with `variants` also those of the other points of the matrix."""
    for template in printed(stack, variants):
        for document in template.documents:
            if isinstance(document.root, Map):
                yield Object(template, document.root)


@once
def class_objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """What the class chart prints: the ClusterClass and the templates that it refers to."""
    return (found for found in objects(stack, variants) if found.template.chart.path == CLASS_DIR)


@once
def addon_objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """What the addon charts print."""
    return (found for found in objects(stack, variants) if found.template.chart.path != CLASS_DIR)


@once
def variant_objects(stack: Stack) -> Iterable[Object]:
    """What the class chart prints only at other points of the matrix, each text once, classes before templates.

    Points with a made-up value are left out, for what comes of it is made up, too.
    """
    seen = {text_of(found) for found in class_objects(stack)}
    fresh: list[Object] = []
    for found in class_objects(stack, variants=True):
        if found.template.point and not found.template.guess and (text := text_of(found)) not in seen:
            seen.add(text)
            fresh.append(found)
    return sorted(fresh, key=lambda found: found.kind != 'ClusterClass')


def text_of(found: Object) -> str:
    """The text of the document that the object is."""
    starts, texts = _documents(found.template.part.text)
    return texts[bisect_right(starts, found.root.line) - 1]


# Objects of one text follow each other.
@lru_cache(maxsize=8)
def _documents(text: str) -> tuple[list[int], list[str]]:
    """(numbers of the first lines, texts) of what separators divide, from 1."""
    starts, texts, at = [1], [], 0
    for match in SEPARATOR.finditer(text):
        texts.append(text[at : max(match.start() - 1, at)])
        here = starts[-1] + text.count('\n', at, match.start())
        starts.append(here if match['beside'] else here + 1)
        at = match.start() if match['beside'] else match.end() + 1
    return starts, [*texts, text[at:]]
