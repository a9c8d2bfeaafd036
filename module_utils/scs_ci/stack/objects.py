"""The objects that the charts of a stack print, each with the way back to its source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .model import CLASS_DIR, Stack
from .origin import Origin
from .rendered import Printed, printed
from .yamltext import Map, Node

SEPARATOR = re.compile(r'^---(?:\s.*)?$')


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


def objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """Every object that every chart prints; with `variants` also those of the other points of the matrix."""
    for template in printed(stack, variants):
        for document in template.documents:
            if isinstance(document.root, Map):
                yield Object(template, document.root)


def class_objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """What the class chart prints: the ClusterClass and the templates that it refers to."""
    return (found for found in objects(stack, variants) if found.template.chart.path == CLASS_DIR)


def addon_objects(stack: Stack, variants: bool = False) -> Iterator[Object]:
    """What the addon charts print."""
    return (found for found in objects(stack, variants) if found.template.chart.path != CLASS_DIR)


def variant_objects(stack: Stack) -> tuple[Object, ...]:
    """What the class chart prints only at other points of the matrix, each text once, classes before templates.

    Points with a made-up value are left out, for what comes of it is made up, too.
    """
    seen = {text_of(found) for found in class_objects(stack)}
    fresh: list[Object] = []
    for found in class_objects(stack, variants=True):
        if found.template.point and not found.template.guess and (text := text_of(found)) not in seen:
            seen.add(text)
            fresh.append(found)
    return tuple(sorted(fresh, key=lambda found: found.kind != 'ClusterClass'))


def text_of(found: Object) -> str:
    """The text of the document that the object is."""
    lines = found.template.part.text.split('\n')
    start = end = found.root.line - 1
    while start > 0 and not SEPARATOR.match(lines[start - 1]):
        start -= 1
    while end < len(lines) and not SEPARATOR.match(lines[end]):
        end += 1
    return '\n'.join(lines[start:end])
