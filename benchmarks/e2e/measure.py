"""python3 benchmarks/e2e/measure.py [infra|cluster|full] -- the main job on the example stack, as JSON; needs root.

Wall times depend on the machine and on what else runs there; run it on a quiet one, twice, for the first time fills
the cache. Goals of infra, the default: 90 s for the whole; sandbox start 12 s and 1.1 GiB; plane start 12 s and 1.3
GiB; 6 s from build to topology for each further version. Goals of cluster, without the
upgrade (UPGRADE=0; variables of make are handed on): 3.5 minutes for the whole; from `topology
reconciled` to the last step of deploy 65 s; 3.5 GiB for the whole box (deployed_pss_mib: until the specs of conformance
come with pods of their own); delete and purge 60 s. Beside them: `speed`, what a loop takes here before and after,
and `busy`, the share of all processors that worked meanwhile.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import speed, worked

ROOT = Path(__file__).resolve().parents[2]
NAME = f'e{os.getpid() % 10000}'
STATE = Path(os.environ.get('SCS_SANDBOX_HOME', '/var/lib/scs-sandbox')) / NAME
DELETE = re.compile(r'^ *([0-9.]+)s +delete: ', re.MULTILINE)  # it is no stage, so it has no record of its own
LIMIT = 3600  # seconds; the first time builds the Go programs
LOOK = 20  # seconds between looks at the memory; one takes a second


def call(*command: str | Path, **environment: str) -> str:
    """Run a command of the project and return its output; it has to succeed."""
    words = [str(word) for word in command]
    env = {**os.environ, **environment}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        sys.exit(f'{" ".join(words)}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}')
    return done.stdout


def calls_by_service() -> dict[str, int]:
    """Requests that the services of the sandbox have answered so far."""
    logs = sorted(STATE.rglob('*-access.log'))
    return {log.name.removesuffix('-access.log'): len(log.read_text().splitlines()) for log in logs}


def records(run: Path) -> dict[str, Any]:
    """Seconds of each stage, the steps of deploy, the memory of the plane in MiB."""
    found: dict[str, Any] = {'stages': {}}
    for path in [*sorted((run / 'stages').glob('*.json')), *sorted(run.glob('*-*-*/*.json'))]:
        record = json.loads(path.read_text())
        found['stages'][record['stage']] = record['seconds']
        if record['stage'] == 'deploy':
            found['deploy_steps'] = record['facts']['steps']
        if record['stage'] == 'plane':
            found['plane_mib'] = record['facts']['memory']
    moments = [float(at) for at in DELETE.findall((run / 'progress.log').read_text())]
    if moments:
        found['stages']['delete'] = round(moments[-1] - moments[0], 2)
    return found


def e2e(extent: str, run: Path) -> tuple[float, float]:
    """Seconds of `make e2e`, and the share of all processors that worked meanwhile."""
    began, work = time.monotonic(), worked()
    call('make', 'e2e', E2E=extent, SANDBOX=NAME, RUN_DIR=str(run))
    whole, work = time.monotonic() - began, worked() - work
    return round(whole, 1), round(work / whole / (os.cpu_count() or 1), 2)


def measure() -> dict[str, Any]:
    """Everything, with a sandbox of our own that is down again afterwards."""
    scs_sandbox = [ROOT / 'bin/scs-sandbox', '--name', NAME]
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / 'run'
        found: dict[str, Any] = {'load_1m': os.getloadavg()[0]}
        try:
            began = time.monotonic()
            call(*scs_sandbox, 'up')
            found['sandbox_up_s'] = round(time.monotonic() - began, 1)
            found['sandbox_pss_mib'] = json.loads(call(*scs_sandbox, 'status', '--json'))['pss_mib']
            before = Counter(calls_by_service())
            slow = speed()
            found['e2e_in_running_sandbox_s'], found['busy'] = e2e('infra', run)
            found['speed'] = [slow, speed()]
            made = Counter(calls_by_service()) - before
            found['api_calls'] = {**made, 'all': made.total()}
            found |= records(run)
            disk = call('du', '-sm', STATE).split()[0]
            found['sandbox_disk_mib'] = int(disk)
        finally:
            began = time.monotonic()
            call(*scs_sandbox, 'down')
    found['sandbox_down_s'] = round(time.monotonic() - began, 1)
    found['whole_s'] = round(found['sandbox_up_s'] + found['e2e_in_running_sandbox_s'] + found['sandbox_down_s'], 1)
    return found


class Peak(threading.Thread):
    """Memory of the sandbox with everything in it, now and then. seen: (seconds since the epoch, MiB)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: list[tuple[float, int]] = []

    def run(self) -> None:
        status = [str(ROOT / 'bin/scs-sandbox'), '--name', NAME, 'status', '--json']
        while not self.over.wait(LOOK):
            done = subprocess.run(status, capture_output=True, text=True, timeout=LIMIT, check=False)
            if done.returncode == 0:  # else it is not up yet, or not any more
                told = json.loads(done.stdout)
                inside = below({server['pid'] for server in told['servers'] if server.get('pid')})
                self.seen.append((time.time(), told['pss_mib'] + sum(map(pss, inside)) // 1024))

    def most(self, until: float = math.inf) -> int:
        """The most before a moment."""
        return max((mib for when, mib in self.seen if when < until), default=0)


def begin_of_specs(run: Path) -> float:
    """When conformance began, with pods and a runner of its own; infinitely late where none did."""
    started = [json.loads(path.read_text())['started'] for path in run.glob('*-*-*/conformance.json')]
    return min((datetime.datetime.fromisoformat(text).timestamp() for text in started), default=math.inf)


def below(roots: set[int]) -> set[int]:
    """Processes and all that they started."""
    found = set(roots)
    pairs = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):  # ended meanwhile
            # the name of a program may hold spaces and parentheses; the parent is the second field after it
            pairs.append((int(path.parent.name), int(path.read_text().rpartition(')')[2].split()[1])))
    while more := {pid for pid, parent in pairs if parent in found} - found:
        found |= more
    return found


def pss(pid: int) -> int:
    """Memory of a process in KiB, shared pages by their share."""
    with contextlib.suppress(OSError):
        text = Path(f'/proc/{pid}/smaps_rollup').read_text()
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith('Pss:')), 0)
    return 0


def measure_clusters(extent: str) -> dict[str, Any]:
    """The whole of `make e2e` with machines: it starts its sandbox itself and takes it down."""
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / 'run'
        found: dict[str, Any] = {'load_1m': os.getloadavg()[0]}
        before = speed()
        peak = Peak()
        peak.start()
        found['whole_s'], found['busy'] = e2e(extent, run)
        peak.over.set()
        memory = {'peak_pss_mib': peak.most(), 'deployed_pss_mib': peak.most(begin_of_specs(run))}
        return {**found, 'speed': [before, speed()], **memory, **records(run)}


if __name__ == '__main__':
    wanted = sys.argv[1] if len(sys.argv) > 1 else 'infra'
    print(json.dumps(measure() if wanted == 'infra' else measure_clusters(wanted), indent=1))
