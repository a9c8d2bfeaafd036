"""Let the tests here import the imagined cloud of the benchmark, which is no part of the product."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / 'benchmarks/provision')]
