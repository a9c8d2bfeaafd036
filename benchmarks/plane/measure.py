"""How long a management plane takes to start, and how much memory it needs.

Usage: SCS_CI_TOOLS=DIR python3 benchmarks/plane/measure.py [REPEATS]; needs root (for a network namespace).

Wall times depend on the machine and on what else runs there, so two things of the same run are printed beside them: the
CPU seconds of the start, and the wall time of a fixed piece of Python work. Limits: start from nothing 12 s,
memory at rest 1.3 GiB.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = f'scs-ci-bench-plane-{os.getpid()}'
REST_SECONDS = 60  # until the API server has given back what the start took
LIMITS = {'start': 12.0, 'memory': 1331}  # seconds, MiB
COMMAND_SECONDS = 300


def plane(state: Path, *words: str) -> str:
    command = ['ip', 'netns', 'exec', NAMESPACE, sys.executable, '-m', 'scs_ci', 'plane', *words, '--state', str(state)]
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils')}
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, env=env, check=False)
    if done.returncode:
        sys.exit(f'scs-ci plane {" ".join(words)}: exit code {done.returncode}\n{done.stderr}')
    return done.stdout


def status(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plane(state, 'status', '--json'))
    return found


def timed(state: Path, *words: str) -> float:
    start = time.monotonic()
    plane(state, *words)
    return round(time.monotonic() - start, 2)


def yardstick() -> float:
    """Wall time of a fixed amount of work on one core: how slow this machine is right now."""
    start = time.monotonic()
    sum(number * number for number in range(10_000_000))
    return round(time.monotonic() - start, 2)


def kill_all(state: Path) -> None:
    for row in status(state)['processes']:
        os.kill(row['pid'], signal.SIGKILL)


def measure(state: Path) -> dict[str, Any]:
    """One life of a plane; seconds and MiB."""
    row: dict[str, Any] = {'yardstick': yardstick(), 'load': os.getloadavg()[0]}
    row['start'] = timed(state, 'up')
    row['cpu of the start'] = round(sum(process['cpu'] for process in status(state)['processes']), 1)
    row['up again'] = timed(state, 'up')
    time.sleep(REST_SECONDS)
    found = status(state)
    row['memory'] = found['memory']
    row['memory by process'] = {process['name']: process['memory'] for process in found['processes']}
    kill_all(state)
    row['after kill -9 of all'] = timed(state, 'up')
    row['stop'] = timed(state, 'down')
    row['start with data'] = timed(state, 'up')
    return row


@contextmanager
def namespace() -> Iterator[None]:
    subprocess.run(['ip', 'netns', 'add', NAMESPACE], check=True)
    try:
        subprocess.run(['ip', '-n', NAMESPACE, 'link', 'set', 'lo', 'up'], check=True)
        yield
    finally:
        subprocess.run(['ip', 'netns', 'delete', NAMESPACE], check=True)


def main(repeats: int) -> int:
    rows = []
    with namespace():
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix='scs-ci-bench-') as directory:
                state = Path(directory) / 'state'
                try:
                    rows.append(measure(state))
                finally:
                    plane(state, 'down')
            print(json.dumps(rows[-1]), flush=True)
    best = {name: min(row[name] for row in rows) for name in LIMITS}
    print(json.dumps({'best': best, 'limits': LIMITS}))
    return int(any(best[name] > limit for name, limit in LIMITS.items()))


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
