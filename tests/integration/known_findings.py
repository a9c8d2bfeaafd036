"""What the check finds in a checkout, as the baseline that lets a version go on to the stage which is to see it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from scs_ci.core.outcome import Exit


def baseline(
    call: Callable[..., subprocess.CompletedProcess[str]], file: Path, checkout: Path, *more: str | Path
) -> list[str | Path]:
    """Words for the stage check; file: where the baseline is written. call: runs scs-ci with such words."""
    done = call('check', checkout, *more, '--format', 'json')
    assert done.returncode == Exit.FAILED, f'nothing is known, so nothing needs a baseline: {done.stderr}'
    file.write_text(done.stdout, encoding='utf-8')
    return ['--baseline', file]
