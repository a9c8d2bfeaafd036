"""`python -m scs_ci`."""

import os
import sys

from .core import bytecode


def start() -> int:
    """Run the command; its modules are compiled, or found compiled, only now."""
    bytecode.keep(os.environ)
    from .cli import main

    return main()


sys.exit(start())
