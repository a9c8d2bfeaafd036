"""The defaults of a stack: what a cluster gets whose owner sets nothing, each with its place in the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .clusterclass import Variable, cluster_classes
from .given import given_values
from .model import Stack, scalars
from .yamltext import Scalar

# Fields of schemas that describe a value instead of giving one.
GIVING = 'default'


@dataclass(frozen=True)
class Default:
    """A value in force. keys: its path, for a variable the name of the variable first; of: 'variable' or 'values'."""

    of: str
    keys: tuple[str, ...]
    text: str
    file: str
    line: int

    @property
    def name(self) -> str:
        """The last key that is no index of a list."""
        return next((key for key in reversed(self.keys) if not key.isdecimal()), '')


def defaults(stack: Stack) -> tuple[Default, ...]:
    """Defaults of class variables, and values of the class chart and of addon charts."""
    return (*variable_defaults(stack), *chart_values(stack))


def variable_defaults(stack: Stack) -> Iterator[Default]:
    """Scalars in the defaults of class variables, those of nested properties included."""
    for found in cluster_classes(stack):
        for variable in found.variables:
            for keys, node in _of_variable(variable):
                place = found.object.place(stack, node)
                yield Default('variable', keys, node.text, place.file, place.line)


def _of_variable(variable: Variable) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """(path, scalar) of what `default` gives at any depth of the schema."""
    for path, node in scalars(variable.schema):
        if GIVING in path:
            at = path.index(GIVING)
            names = tuple(p for p in path[:at] if p not in ('properties', 'items'))
            yield (variable.name, *names, *path[at + 1 :]), node


def chart_values(stack: Stack) -> Iterator[Default]:
    """Scalars in values.yaml of all charts and in overwrite templates."""
    for chart in stack.charts:
        for given in given_values(stack, chart):
            for keys, node in scalars(given.root):
                yield Default('values', keys, node.text, given.file, node.line + given.offset)
