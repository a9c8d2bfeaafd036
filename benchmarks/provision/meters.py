"""What a piece of work costs on the imagined cloud: calls by kind, and virtual seconds."""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudsim.cloud import Cloud

# Asked once per node to trust its host keys, unless they are only scanned.
CONSOLE = 'POST compute /v2.1/servers/*/action'


@dataclass(frozen=True)
class Cost:
    """calls: by kind; seconds: virtual."""

    calls: collections.Counter[str]
    seconds: float

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    @property
    def consoles(self) -> int:
        return self.calls[CONSOLE]

    def starting(self, words: str) -> int:
        """Number of calls whose kind starts so, e.g. 'DELETE' or 'POST network'."""
        return sum(number for kind, number in self.calls.items() if kind.startswith(words))


def measure(cloud: Cloud, work: Callable[[], Any]) -> tuple[Any, Cost]:
    """The result of work() and what it cost."""
    line, begun = len(cloud.log), cloud.turns.time
    result = work()
    return result, Cost(cloud.calls(line), cloud.turns.time - begun)
