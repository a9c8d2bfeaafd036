"""Count what provisioning costs: requests and seconds for N nodes, for a converged second call, and for the purge.

Run in a sandbox, with the environment `product`:
    scs-sandbox exec -- python benchmarks/provision/measure.py sandbox 1 3
Prints one line of JSON per N. Requests are counted in the client, so the cloud's own traffic is not among them.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scs_ci.cloud import connect, nodes, purge
from scs_ci.cloud.connect import Cloud
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import Group, Topology


class Meter:
    """Requests by method, and the time, of one piece of work."""

    def __init__(self, cloud: Cloud) -> None:
        self.methods: collections.Counter[str] = collections.Counter()
        cloud.sdk.session.session.hooks['response'].append(
            lambda answer, **_: self.methods.update([answer.request.method])
        )

    def measure(self, work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
        self.methods.clear()
        start = time.monotonic()
        result = work()
        seconds = round(time.monotonic() - start, 1)
        return result, {'calls': sum(self.methods.values()), 'seconds': seconds, **dict(self.methods)}


def one(name: str, count: int) -> dict[str, Any]:
    """All measurements for `count` nodes."""
    mark = Mark(str(uuid.uuid4()), 'benchmark', '2099-01-01T00:00:00Z')
    cloud = connect.connect(name)
    meter = Meter(cloud)
    with tempfile.TemporaryDirectory() as directory:
        request = nodes.Request(mark, Topology((Group(count=count),)), Path(directory))
        try:
            made, first = meter.measure(lambda: nodes.present(cloud, request))
            _, again = meter.measure(lambda: nodes.present(cloud, request))
        finally:
            result, gone = meter.measure(lambda: purge.Purge(cloud, mark.run, say=lambda *_: None).execute())
    slowest = {
        phase: max(node.seconds[phase] for node in made.nodes) for phase in ('requested', 'active', 'address', 'ssh')
    }
    return {
        'nodes': count,
        'provision': first,
        'slowest': slowest,
        'converged': again,
        'purge': gone,
        'purge_calls_per_node': round(gone['calls'] / count, 2),
        'leftovers': len(result.kept),
    }


def main() -> int:
    if len(sys.argv) < 3 or not all(word.isdigit() and int(word) for word in sys.argv[2:]):
        print('usage: measure.py CLOUD N [N ...]', file=sys.stderr)
        return 2
    for count in map(int, sys.argv[2:]):
        print(json.dumps(one(sys.argv[1], count)), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
