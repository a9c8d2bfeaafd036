"""Conditions of addon stages, as clusteraddon.yaml states them."""

from __future__ import annotations

from dataclasses import dataclass

from .model import ADDON_CONFIG, Stack
from .yamltext import List, Map, Node

CONDITIONS = ('waitForPreCondition', 'waitForPostCondition')


@dataclass(frozen=True)
class Condition:
    """An expression over the objects that the operator fetches under these keys."""

    stage: str
    name: str
    keys: tuple[str, ...]
    expression: str
    node: Node
    line: int


def stage_nodes(stack: Stack) -> tuple[Map, ...]:
    """The entries below all hooks."""
    config = stack.yaml.get(ADDON_CONFIG)
    hooks = config.root.get('addonStages') if config and config.root is not None else None
    if not isinstance(hooks, Map):
        return ()
    lists = [entries for _, entries in hooks.entries if isinstance(entries, List)]
    return tuple(entry for entries in lists for entry in entries.nodes if isinstance(entry, Map))


def conditions(stack: Stack) -> tuple[Condition, ...]:
    """All of them, in the order of the file."""
    found = []
    for stage in stage_nodes(stack):
        for name in CONDITIONS:
            node = stage.get(name)
            if isinstance(node, Map):
                text = node.get('conditions')
                keys = tuple(entry.value('key') for entry in node.items('objects'))
                line = text.line if text is not None else node.line
                found.append(Condition(stage.value('name'), name, keys, node.value('conditions'), node, line))
    return tuple(found)
