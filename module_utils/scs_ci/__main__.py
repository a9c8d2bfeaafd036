"""`python -m scs_ci`."""

import sys

from .cli import main

sys.exit(main())
