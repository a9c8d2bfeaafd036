"""python3 -m scs_sandbox.agent STATE_DIR: run the agent of a sandbox in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import SandboxError
from .serve import serve


def main() -> int:
    """Exit codes: 0 ended as told, 2 usage, 3 could not run."""
    if len(sys.argv) != 2:
        print('usage: python3 -m scs_sandbox.agent STATE_DIR', file=sys.stderr)
        return 2
    try:
        serve(Path(sys.argv[1]).absolute())
    except (SandboxError, OSError) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == '__main__':
    sys.exit(main())
