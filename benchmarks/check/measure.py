"""Measure the check: a whole checkout, one stack, a further point of the matrix, many copies of a stack.

Run in the environment `product`, with the programs of `make tools`:
    python3 setup/main.py run python benchmarks/check/measure.py CHECKOUT [CHARTS [COPIES]]
Prints one line of JSON per measurement. Seconds of the processors (own and of all children) stand beside those of the
wall, for a machine that does other things at the same time tells the truth in the former only; `speed` is what a loop
of plain Python takes on it. memory_mib is the largest process, processes are counted by wrappers around the programs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scs_ci.stack import asking, batch, discover
from scs_ci.stack.batch import Prepared, Setting
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.helm import find, helm
from scs_ci.stack.render import prepare_class, rendered

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import speed

# So many points of one chart that its start disappears in them, and so many copies that the cores are busy to the end.
POINTS = 40
COPIES = 100
COUNTED = ('helm', 'chartrender', 'classcheck')
# Starts a command and tells what it and its children took: this process has a history of its own.
STARTER = (
    'import json, resource, subprocess, sys, time\n'
    'began = time.monotonic()\n'
    'done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n'
    'used = resource.getrusage(resource.RUSAGE_CHILDREN)\n'
    'print(json.dumps({"code": done.returncode, "seconds": round(time.monotonic() - began, 2),'
    ' "processor": round(used.ru_utime + used.ru_stime, 2), "memory_mib": used.ru_maxrss // 1024}))\n'
    'print(done.stdout if done.returncode in (0, 1) else done.stderr)\n'
)


def tell(what: str, **values: Any) -> None:
    print(json.dumps({'what': what, **values}), flush=True)


@contextmanager
def counting() -> Iterator[tuple[Path, Path]]:
    """(directory of programs that write down that they were started, file with one name per line)."""
    programs = find(None, os.environ).parent
    with tempfile.TemporaryDirectory() as directory:
        started, here = Path(directory) / 'started', Path(directory) / 'bin'
        here.mkdir()
        (Path(directory) / 'manifests-src').symlink_to(programs.parent / 'manifests-src')
        for name in COUNTED:
            (here / name).write_text(f'#!/bin/sh\necho {name} >> {started}\nexec {programs / name} "$@"\n')
            (here / name).chmod(0o755)
        yield Path(directory), started


def check(charts: Path | None, *words: str | Path) -> dict[str, Any]:
    """The command as people call it, imports included, without kept answers; `again`: with them."""
    with counting() as (tools, started):
        environment = {**os.environ, 'SCS_CI_TOOLS': str(tools), **({'SCS_CI_CHARTS': str(charts)} if charts else {})}
        argv = [sys.executable, '-c', STARTER, sys.executable, '-m', 'scs_ci', 'check', '--json', *map(str, words)]
        used, found = _used([*argv, '--no-cache'], environment)
        counts = Counter(started.read_text().split())
        _used(argv, environment)
        started.write_text('')
        again, same = _used(argv, environment)
        if started.read_text() or same != found:
            raise SystemExit('a second check started programs, or says something else')
    numbers = {'stacks': len(found['stacks']), 'findings': len(found['findings'])}
    return {**used, **numbers, 'processes': counts, 'again': again}


def _used(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a check took, and what it printed."""
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    head, _, printed = done.stdout.partition('\n')
    used = json.loads(head)
    if used.pop('code') not in (0, 1):
        raise SystemExit(printed)
    return used, json.loads(printed)


def further_point(what: str, work: Callable[[int], Any], count: int) -> None:
    """What each further point costs, beyond the first."""
    used = []
    for points in (1, count):
        before = os.times()
        work(points)
        after = os.times()
        used.append(sum(after[:4]) - sum(before[:4]))
    tell(what, points=count, first=round(used[0], 3), further=round((used[1] - used[0]) / max(count - 1, 1), 4))


def points(checkout: Path, place: discover.Place, charts: Path | None) -> None:
    """A further point of the class chart, and one of the class that it prints."""
    with helm(None) as program, tempfile.TemporaryDirectory() as cache:
        render = batch.program(program)
        if render is None:
            raise SystemExit('chartrender is not beside helm')
        stack = rendered(discover.load(checkout, place), program, ChartSource(Path(cache), charts))
        chart: Prepared = prepare_class(stack)
        further_point(
            f'{place.path}: point of the chart',
            lambda count: batch.render(render, [(chart, [Setting(marks=n == 0) for n in range(count)])]),
            POINTS,
        )
        programs = program.program.parent
        asked = asking.questions(stack, programs.parent / 'manifests-src')
        all_points = asked['points']
        further_point(
            f'{place.path}: point of the class',
            lambda count: subprocess.run(
                [programs / asking.PROGRAM],
                input=json.dumps({**asked, 'points': all_points[:count]}, default=str).encode(),
                capture_output=True,
                check=True,
            ),
            len(all_points),
        )


def copies(checkout: Path, charts: Path | None, most: int) -> None:
    """Many copies of the last stack, some and all, on one core and on all."""
    place = discover.find(checkout)[-1]
    for count, jobs in ((most // 4, 1), (most, 1), (most, os.cpu_count() or 1)):
        with tempfile.TemporaryDirectory() as directory:
            for number in range(count):
                shutil.copytree(checkout / place.path, Path(directory) / f'providers/openstack/copy{number}')
            tell(f'{count} copies', jobs=jobs, **check(charts, directory, '--jobs', str(jobs)))


def main() -> None:
    """Measure everything on a checkout."""
    checkout = Path(sys.argv[1])
    charts = Path(sys.argv[2]).absolute() if len(sys.argv) > 2 else None
    tell('speed', seconds=speed())
    tell('all stacks', **check(charts, checkout))
    for place in discover.find(checkout):
        tell(place.path, **check(charts, checkout, '--stack', place.path))
        points(checkout, place, charts)
    copies(checkout, charts, int(sys.argv[3]) if len(sys.argv) > 3 else COPIES)


if __name__ == '__main__':
    main()
