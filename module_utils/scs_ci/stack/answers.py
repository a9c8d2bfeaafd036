"""What Cluster API's and Kubernetes' own code said about a stack's objects: the answer of classcheck, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Kinds of problems, as tools/classcheck names them.
UNREADABLE, UNKNOWN_FIELD, INVALID = 'unreadable', 'unknown-field', 'invalid'
NO_DEFINITION, NO_VERSION = 'no-definition', 'no-version'
DEPRECATED, REMOVED, INTRODUCED = 'deprecated', 'removed', 'introduced'
# Stages at which a set of variables fails.
VALUES, PATCH, RESULT, CLASS = 'values', 'patch', 'result', 'class'


@dataclass(frozen=True)
class Problem:
    """Something wrong at a path (`a.b[0].c`, or '' for the whole) of an object."""

    kind: str
    path: str
    message: str


@dataclass(frozen=True)
class Failure:
    """A set of variables that leads to no objects. patch: name of the one at fault; object: kind that is refused."""

    point: str
    stage: str
    patch: str
    object: str
    problem: Problem


@dataclass(frozen=True)
class Use:
    """A variable (`a.b`) that a patch reads. text: the template or path that names it."""

    patch: str
    variable: str
    text: str


@dataclass(frozen=True)
class Answers:
    """Answers in the order of the questions: class_objects, variants and addon_objects as objects.py lists them,

    conditions as addons.py does, embedded and scripts as embedded.py does. unavailable: why nothing could be asked.
    """

    class_objects: tuple[tuple[Problem, ...], ...] = ()
    refused: tuple[Problem, ...] = ()
    uses: tuple[Use, ...] = ()
    failures: tuple[Failure, ...] = ()
    addon_objects: tuple[tuple[Problem, ...], ...] = ()
    conditions: tuple[str, ...] = ()
    embedded: tuple[tuple[Problem, ...], ...] = ()
    scripts: tuple[str, ...] = ()
    variants: tuple[tuple[Problem, ...], ...] = ()
    unavailable: str = ''


def parse_answer(answer: Mapping[str, Any], scripts: Sequence[str] = ()) -> Answers:
    """The JSON answer of classcheck; null lists are empty ones."""
    return Answers(
        class_objects=_groups(answer.get('class')),
        refused=tuple(_problem(entry) for entry in answer.get('refused') or ()),
        uses=tuple(Use(e['patch'], e['variable'], e['text']) for e in answer.get('uses') or ()),
        failures=tuple(
            Failure(e['point'], e['stage'], e.get('patch', ''), e.get('object', ''), _problem(e))
            for e in answer.get('points') or ()
        ),
        addon_objects=_groups(answer.get('addons')),
        conditions=tuple(answer.get('conditions') or ()),
        embedded=_groups(answer.get('embedded')),
        scripts=tuple(scripts),
        variants=_groups(answer.get('variants')),
        unavailable=answer.get('unavailable', ''),
    )


def _groups(groups: Sequence[Sequence[Mapping[str, str]]] | None) -> tuple[tuple[Problem, ...], ...]:
    return tuple(tuple(_problem(entry) for entry in group or ()) for group in groups or ())


def _problem(entry: Mapping[str, str]) -> Problem:
    return Problem(entry.get('kind', INVALID), entry.get('path', ''), entry.get('message', ''))
