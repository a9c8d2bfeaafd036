"""Measure the check: a whole checkout, one stack, a further point of the matrix, many copies of a stack.

Run in the environment `product`, with the programs of `make tools`:
    python3 setup/main.py run python benchmarks/check/measure.py CHECKOUT [CHARTS]
Prints one line of JSON per measurement. Seconds of the processors (own and of all children) stand beside those of the
wall, for a machine that does other things at the same time tells the truth in the former only.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scs_ci.stack import batch, discover
from scs_ci.stack.batch import Prepared, Setting
from scs_ci.stack.helm import helm
from scs_ci.stack.render import prepare_class

# So many points of one chart that its start disappears in them, and so many copies that the cores are busy to the end.
POINTS = 40
COPIES = 20


def measured(name: str, work: Callable[[], Any]) -> None:
    """Print what the work cost, twice: the first time may have to read programs and charts from the disk."""
    for turn in ('first', 'again'):
        before, began = _processor(), time.monotonic()
        found = work()
        wall, processor = time.monotonic() - began, _processor() - before
        values = {'what': name, 'turn': turn, 'seconds': round(wall, 2), 'processor': round(processor, 2)}
        print(json.dumps({**values, **(found if isinstance(found, dict) else {})}), flush=True)


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def check(charts: Path | None, *words: str | Path) -> dict[str, Any]:
    """The command as people call it, imports included."""
    environment = {**os.environ, **({'SCS_CI_CHARTS': str(charts)} if charts else {})}
    argv = [sys.executable, '-m', 'scs_ci', 'check', '--json', *map(str, words)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    return {'stacks': len(found['stacks']), 'findings': len(found['findings'])}


def points(checkout: Path) -> None:
    """The class chart of the first stack at one point, and at many."""
    stack = discover.load(checkout, discover.find(checkout)[0])
    chart: Prepared = replace(prepare_class(stack))
    with helm(None) as program:
        place = batch.program(program)
        if place is None:
            raise SystemExit('chartrender is not beside helm')
        for count in (1, 1 + POINTS):
            asked = [(chart, [Setting(marks=number == 0) for number in range(count)])]
            measured(f'{count} points of a class', lambda asked=asked: batch.render(place, asked))  # type: ignore[misc]


def copies(checkout: Path, charts: Path | None) -> None:
    """Many copies of the last stack, on one core and on all."""
    place = discover.find(checkout)[-1]
    with tempfile.TemporaryDirectory() as directory:
        for number in range(COPIES):
            shutil.copytree(checkout / place.path, Path(directory) / f'providers/openstack/copy{number}')
        for jobs in (1, os.cpu_count() or 1):
            measured(f'{COPIES} copies, {jobs} jobs', lambda jobs=jobs: check(charts, directory, '--jobs', str(jobs)))  # type: ignore[misc]


def main() -> None:
    """Measure everything on a checkout."""
    checkout = Path(sys.argv[1])
    charts = Path(sys.argv[2]).absolute() if len(sys.argv) > 2 else None
    measured('all stacks', lambda: check(charts, checkout))
    for place in discover.find(checkout):
        measured(place.path, lambda place=place: check(charts, checkout, '--stack', place.path))  # type: ignore[misc]
    points(checkout)
    copies(checkout, charts)


if __name__ == '__main__':
    main()
