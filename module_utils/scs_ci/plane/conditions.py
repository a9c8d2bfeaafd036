"""Conditions of Kubernetes objects as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def condition(obj: Mapping[str, Any] | None, type: str) -> dict[str, Any]:
    """The condition of that type, or {} when the object or the condition is absent."""
    return next((entry for entry in conditions(obj) if entry.get('type') == type), {})


def conditions(obj: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """All conditions of the object's status; an absent object has none."""
    return list(((obj or {}).get('status') or {}).get('conditions') or [])


def is_true(obj: Mapping[str, Any] | None, type: str) -> bool:
    """Whether the condition is there and True."""
    return bool(condition(obj, type).get('status') == 'True')


def is_current(obj: Mapping[str, Any] | None, type: str) -> bool:
    """Whether the condition judges the present generation. v1beta1 conditions have none: always current."""
    seen = condition(obj, type).get('observedGeneration')
    return seen is None or seen >= ((obj or {}).get('metadata') or {}).get('generation', 0)


def false_conditions(obj: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Conditions that are not True, False before Unknown, the longest-standing first (it is nearest to the cause)."""
    found = [entry for entry in conditions(obj) if entry.get('status') != 'True']
    return sorted(
        found,
        key=lambda c: (c.get('status') != 'False', c.get('lastTransitionTime') or '', c.get('type') or ''),
    )
