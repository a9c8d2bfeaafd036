"""What rules must know besides the files of a stack: indexes of chart repositories and the release before."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from . import discover, previous
from .charts import ChartSource
from .gitread import untracked
from .helm import Helm
from .indexes import IndexSource, indexes
from .model import Stack
from .render import rendered


@dataclass(frozen=True)
class Outside:
    """Where to look. against: Git revision of the release before, '' for none; now: to tell the age of indexes."""

    indexes: IndexSource
    against: str
    now: datetime.datetime


def with_outside(stack: Stack, checkout: Path, outside: Outside) -> Stack:
    """The stack with the indexes of its repositories and the same stack at the revision to compare with."""
    facts = replace(
        stack.facts,
        indexes=indexes([stack], outside.indexes, outside.now),
        untracked=untracked(checkout, stack.path),
    )
    before = None
    if outside.against:
        place = discover.Place(stack.path, stack.layout)
        before = previous.load(checkout, place, outside.against)
    return replace(stack, facts=facts, before=before)


def rendered_before(stack: Stack, helm: Helm, source: ChartSource) -> Stack | None:
    """The release before with its renderings, as rules on upgrades need it."""
    return rendered(stack.before, helm, source) if stack.before else None
