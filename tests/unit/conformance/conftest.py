"""Lets the tests of this directory import their shared data (pytest's import mode adds no directories)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
