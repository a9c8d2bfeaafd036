"""Entry of the set-up. Run by the system's python3, so the version check comes before anything newer is imported."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        'cannot set up scs-ci with {}: Python {}.{} is too old.\n'
        '  next: install Python 3.11 or newer and run it as python3'.format(sys.executable, *sys.version_info[:2])
    )

sys.dont_write_bytecode = False  # whatever the environment says: without byte code each call compiles all of this
from scs_setup.cli import main

if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
