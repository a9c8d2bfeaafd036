"""What a call of scs-ci answered, and how to fill a disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / 'examples/cluster-stacks'
# Every call here ends within seconds on an idle machine; a machine that tests is not idle.
SECONDS = 120


@dataclass(frozen=True)
class Said:
    """What a call answered. text: standard output and error, one after the other."""

    code: int
    text: str

    def is_clean(self) -> bool:
        """True when the message is one for people: no traceback, no crash, and what to do next."""
        return 'Traceback' not in self.text and 'crashed' not in self.text and '  next: ' in self.text


Call = Callable[..., Said]


def fill(place: Path) -> None:
    """Leave no byte free."""
    with (place / 'filler').open('wb', buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
