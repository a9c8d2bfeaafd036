"""What is known of one node while it boots."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import Rejected


@dataclass
class Progress:
    """seconds: since the start of the call, by phase; tried: how many attempts were begun; failed: and did not boot.

    trouble: why it is of no use, '' as long as it may become so; diagnosis: what its console says about that.
    """

    server: str = ''
    status: str = ''
    port: str = ''
    fixed: str = ''
    floating: str = ''
    seconds: dict[str, float] = field(default_factory=dict)
    tried: int = 0
    failed: list[Rejected] = field(default_factory=list)
    trouble: str = ''
    diagnosis: str = ''

    def reached(self, phase: str, seconds: float) -> None:
        """Remember when a phase was reached first."""
        self.seconds.setdefault(phase, seconds)

    def again(self) -> None:
        """Forget the server: it is replaced by another attempt."""
        self.server = self.status = self.port = self.fixed = self.floating = ''
        self.seconds.clear()
