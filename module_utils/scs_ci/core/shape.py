"""Plain data to frozen dataclasses and back, checked.

A validator of our own because these modules travel to hosts that have openstacksdk and nothing else; the dataclass is
the schema.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from .errors import ToolProblem

T = TypeVar('T')


class Mismatch(ValueError):
    """A value does not have the declared type; the text names the place."""


def dump(value: Any) -> Any:
    """Dataclasses, enums and tuples as JSON-ready data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: dump(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): dump(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [dump(v) for v in value]
    return value


def load(kind: type[T], value: Any, source: str) -> T:
    """The dataclass `kind` from parsed JSON; a ToolProblem names the first place that does not fit."""
    try:
        return typing.cast(T, _convert(kind, value, ''))
    except Mismatch as error:
        raise ToolProblem(
            'cannot read', source, str(error), 'it is damaged or of another version: repeat its stage'
        ) from error


def _convert(kind: Any, value: Any, place: str) -> Any:
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, place)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments, value, place)
    if origin is tuple:
        _demand(isinstance(value, list), 'a list', value, place)
        return tuple(_convert(arguments[0], v, f'{place}[{i}]') for i, v in enumerate(value))
    if origin in (dict, Mapping):
        _demand(isinstance(value, dict), 'an object', value, place)
        return {k: _convert(arguments[1], v, f'{place}.{k}') for k, v in value.items()}
    return _scalar(kind, value, place)


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    _demand(isinstance(value, dict), 'an object', value, place)
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise Mismatch(f'{place or "top level"}: unknown key {unknown[0]!r}')
    missing = [
        n
        for n, f in known.items()
        if n not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise Mismatch(f'{place or "top level"}: key {missing[0]!r} is missing')
    return kind(**{n: _convert(hints[n], v, f'{place}.{n}'.lstrip('.')) for n, v in value.items()})


def _optional(arguments: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    for argument in arguments:
        if argument is not type(None):
            try:
                return _convert(argument, value, place)
            except Mismatch:
                continue
    raise Mismatch(f'{place}: {value!r} fits none of the declared types')


def _scalar(kind: Any, value: Any, place: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(value)
        except ValueError as error:
            raise Mismatch(f'{place}: {value!r} is not one of {", ".join(str(m.value) for m in kind)}') from error
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is a subclass of int: a flag where a number belongs is a defect
    fits = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
    _demand(fits, kind.__name__, value, place)
    return value


def _demand(fits: bool, wanted: str, value: Any, place: str) -> None:
    if not fits:
        raise Mismatch(f'{place or "top level"}: {value!r} is not {wanted}')
