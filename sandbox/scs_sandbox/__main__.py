"""python3 -m scs_sandbox: the same as the command scs-sandbox."""

import sys

from .cli import main

if __name__ == '__main__':
    sys.exit(main())
