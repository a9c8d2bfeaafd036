"""What provisioning costs, ours and others': requests and seconds for N nodes with floating IPs, again, and deleted.

On the imagined cloud (virtual seconds; no root, no sandbox), with the environment `product`:
    PYTHONPATH=module_utils python benchmarks/provision/measure.py imagined [N ...] [--collections DIR]
        [--nodepool DIR]
In a sandbox (seconds of this machine; requests counted from the services' access logs):
    scs-sandbox exec -- env PYTHONPATH=module_utils python benchmarks/provision/measure.py sandbox N [N ...]
        --logs /var/lib/scs-sandbox/NAME/cloud/RegionOne/log [--collections DIR]
DIR holds ansible_collections/openstack/cloud 2.6.0, e.g. of the wheel ansible 14.5.0, unpacked; that of
--nodepool holds nodepool 11.0.0 with what it imports (doc/nodes.md has the command). Without them, only ours.
Prints a table in Markdown, or with --json a line of JSON with everything.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import others
import playbooks
import pool
import scenario
from cloudsim.cloud import Cloud
from cloudsim.probe import Probe
from cloudsim.store import Settings
from meters import Cost, measure

from scs_ci.cloud import connect, nodes, purge
from scs_ci.cloud.ssh import CONSOLE, SCAN, NetworkProbe
from scs_ci.core.clock import SystemClock
from scs_ci.core.naming import new_run_id

SCANNED = 'scanned'
RUN = str(uuid.UUID(int=0x7F3A1B2C5D6E40008000000000000001))
CASES = ((1, 0.05), (20, 0.05), (50, 0.05), (50, 0.2), (1000, 0.05))
MOST_NODEPOOL = 50  # its lists grow with the number of nodes, and so does the time to compute them
MOST_SERIAL = 20  # nodes that the others are measured with: their cost is the same for each node


class Line(NamedTuple):
    """One line of the table."""

    case: str
    who: str
    calls: int
    seconds: float


def ours(cloud: Cloud, place: Path, count: int) -> dict[str, Cost]:
    """Each with a login, as a command does; host keys and SSH are included. `scanned`: without the nodes' consoles."""

    def provision(host_keys: str = CONSOLE) -> nodes.Result:
        wish = scenario.request(place, RUN, cloud.turns, Probe(cloud), count, host_keys)
        return nodes.present(connect.connect('cloudsim'), wish)

    def delete(only: purge.Only) -> purge.Result:
        worker = purge.Purge(connect.connect('cloudsim'), RUN, say=lambda *_: None, clock=cloud.turns, only=only)
        return worker.execute()

    with cloud.open(place):
        costs = {'provision': measure(cloud, provision)[1], 'again': measure(cloud, provision)[1]}
        made = copy.deepcopy(cloud.store.kinds)
        costs['delete'] = measure(cloud, lambda: delete(purge.nodes_only))[1]
        cloud.store.kinds = made  # to make them once more would cost what it did
        costs['purge'] = measure(cloud, lambda: delete(purge.everything))[1]
        shutil.rmtree(place / 'key')  # with the keys that are known already
        costs[SCANNED] = measure(cloud, lambda: provision(SCAN))[1]
    return costs


def imagined(counts: list[int], collections: Path | None, nodepool: Path | None) -> Iterator[Line]:
    """The table of the imagined cloud; counts: only these numbers of nodes, all cases when empty."""
    module = others.collection(collections) if collections else None
    code = pool.nodepool(nodepool) if nodepool else None
    for count, rtt in [case for case in CASES if not counts or case[0] in counts]:
        settings = Settings(rtt=rtt, boot=30.0, delete=6.0)
        with tempfile.TemporaryDirectory() as place:
            mine = ours(Cloud(settings), Path(place), count)
            rows = (
                others.costs(lambda s=settings: Cloud(s), Path(place), module, count)
                if module and count <= MOST_SERIAL
                else {}
            )  # type: ignore[misc]
            pooled = pool.costs(Cloud(settings), Path(place), code, count) if code and count <= MOST_NODEPOOL else {}
        scanned = mine.pop(SCANNED)
        for work, cost in mine.items():
            case = f'{work} {count}, RTT {rtt * 1000:.0f} ms'
            yield Line(case, 'scs-ci', cost.total, cost.seconds)
            if work == 'provision':
                yield Line(case, 'scs-ci, --host-keys scan', scanned.total, scanned.seconds)
            for way, found in rows.items():
                if work in found:
                    yield Line(case, f'openstack.cloud {others.VERSION}, {way}', found[work].total, found[work].seconds)
            if work in pooled:
                yield Line(case, f'nodepool {pool.VERSION}', pooled[work].total, pooled[work].seconds)


def sandbox(name: str, counts: list[int], logs: Path, collections: Path | None) -> Iterator[Line]:
    """The table of a real cloud."""
    counter, cloud = playbooks.Logs(logs), connect.connect(name)
    for count in counts:
        run = new_run_id()
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            wish = scenario.request(place, run, SystemClock(), NetworkProbe(), count)
            found: dict[str, dict[str, playbooks.Measured]] = {'scs-ci': {}}
            try:
                for work in ('provision', 'again'):
                    _, found['scs-ci'][work] = counter.measure(lambda w=wish: nodes.present(connect.connect(name), w))  # type: ignore[misc]
            finally:
                worker = purge.Purge(connect.connect(name), run, say=lambda *_: None)
                _, found['scs-ci']['delete'] = counter.measure(worker.execute)
            if collections:
                forms = playbooks.measured(cloud, counter, place, collections, count)
                found |= {f'openstack.cloud {others.VERSION}, {form}': works for form, works in forms.items()}
        for work in ('provision', 'again', 'delete'):
            for who, works in found.items():
                yield Line(f'{work} {count}', who, works[work].calls, works[work].seconds)


def table(lines: Iterator[Line]) -> None:
    """Print lines as they come, each with its ratio to ours of the same case."""
    print('| case | who | calls | s | calls, ours = 1 | s, ours = 1 |\n|---|---|---|---|---|---|', flush=True)
    own: dict[str, Line] = {}
    for line in lines:
        mine = own.setdefault(line.case, line)
        ratios = f'{line.calls / mine.calls:.1f} | {line.seconds / mine.seconds:.1f}'
        print(f'| {line.case} | {line.who} | {line.calls} | {line.seconds:.1f} | {ratios} |', flush=True)
    print(f'\nmost memory of this process: {peak()} MiB')


def peak() -> int:
    """Most memory that this process ever had, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('where', help='imagined, or the name of a cloud')
    parser.add_argument('counts', nargs='*', type=int, help='numbers of nodes, on a real cloud')
    parser.add_argument('--collections', type=Path, help='directory with ansible_collections/openstack/cloud')
    parser.add_argument('--nodepool', type=Path, help='directory with nodepool and what it imports')
    parser.add_argument('--logs', type=Path, help='directory of the access logs of the services')
    parser.add_argument('--json', action='store_true', help='one line of JSON instead of the table')
    words = parser.parse_args()
    if words.where == 'imagined':
        lines = imagined(words.counts, words.collections, words.nodepool)
    elif words.counts and words.logs:
        lines = sandbox(words.where, words.counts, words.logs, words.collections)
    else:
        parser.error('a real cloud needs numbers of nodes and --logs')
    if words.json:
        found = [line._asdict() for line in lines]
        print(json.dumps({'lines': found, 'MiB': peak()}))
    else:
        table(lines)
    return 0


if __name__ == '__main__':
    sys.exit(main())
