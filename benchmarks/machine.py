"""What the machine was like while something was measured: seconds mean little without it."""

from __future__ import annotations

import os
import time
from pathlib import Path

TICKS = os.sysconf('SC_CLK_TCK')


def speed() -> float:
    """Seconds of a processor for three million rounds of a loop: a quarter of a second on a machine of today."""
    began, total = time.process_time(), 0
    for i in range(3_000_000):
        total += i * i
    return round(time.process_time() - began, 2)


def worked(stat: Path = Path('/proc/stat')) -> float:
    """Seconds that all processors together have worked since the machine started; proc_stat(5)."""
    user, nice, system, _idle, _wait, interrupts, soft, *_ = map(int, stat.read_text().split('\n')[0].split()[1:])
    return (user + nice + system + interrupts + soft) / TICKS
