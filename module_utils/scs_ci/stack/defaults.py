"""The defaults of a stack: what a cluster gets whose owner sets nothing, each with its place in the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .clusterclass import Variable, cluster_classes
from .given import given_values
from .model import Stack, scalars
from .objects import class_objects
from .yamltext import Scalar

# Fields of schemas that describe a value instead of giving one.
GIVING = 'default'
INFRASTRUCTURE = 'infrastructure.cluster.x-k8s.io'


@dataclass(frozen=True)
class Default:
    """A value in force. keys: its path, for a variable the name of the variable first.

    of: 'variable', 'values', or 'template' for what stands in a template of the class itself.
    """

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
    """Defaults of class variables, values of all charts, and what templates of the class say without either."""
    given = (*variable_defaults(stack), *chart_values(stack))
    texts = {default.text for default in given}
    return (*given, *(literal for literal in literals(stack) if literal.text not in texts))


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


def literals(stack: Stack) -> Iterator[Default]:
    """Scalars that the class chart prints into templates of the infrastructure, and values of patches."""
    for found in class_objects(stack):
        if found.group == INFRASTRUCTURE:
            for keys, node in scalars(found.root.get('spec')):
                place = found.place(stack, node)
                yield Default('template', keys, node.text, place.file, place.line)
    for found_class in cluster_classes(stack):
        for patch in found_class.patches:
            for operation in (o for definition in patch.definitions for o in definition.operations):
                for keys, node in scalars(operation.value):
                    place = found_class.object.place(stack, node)
                    name = operation.path.rsplit('/', 1)[-1]
                    yield Default('template', (name, *keys), node.text, place.file, place.line)
