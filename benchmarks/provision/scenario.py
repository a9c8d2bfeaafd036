"""One small piece of work of scs-ci, from login to purge, for whatever cloud: what it asks and how it is answered.

In a sandbox, with the environment `product`; prints the shapes of all answers as JSON:
    scs-sandbox exec -- env PYTHONPATH=module_utils python benchmarks/provision/scenario.py sandbox
tests/unit/provision/sandbox-shapes.json is such an output, with which the imagined cloud is compared.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from cloudsim import shapes

from scs_ci.cloud import connect, inventory, nodes, preflight, purge
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import Group, Topology
from scs_ci.cloud.ssh import CONSOLE, NetworkProbe, Probe
from scs_ci.core.clock import Clock, SystemClock

# A cluster of it is part of what preflight counts.
KUBERNETES = ('v1.34.10',)


def request(
    directory: Path, run: str, clock: Clock, probe: Probe, count: int = 1, host_keys: str = CONSOLE
) -> nodes.Request:
    """`count` nodes with floating IPs for a run of that id."""
    mark = Mark(run, 'benchmark', '2099-01-01T00:00:00Z')
    wish = Topology((Group(count=count),))
    return nodes.Request(mark, wish, directory / 'key', host_keys=host_keys, clock=clock, probe=probe)


def play(cloud: str, directory: Path, run: str, clock: Clock, probe: Probe) -> None:
    """What a run asks before, one node, again, a volume and a group beside it, purge. Nothing stays."""
    wish = request(directory, run, clock, probe)
    connected = connect.connect(cloud)
    try:
        preflight.check(connected, run, wish.topology, KUBERNETES, clock=clock)
        nodes.present(connected, wish)
        nodes.present(connect.connect(cloud), wish)
        connected.sdk.block_storage.create_volume(name='volume', size=1, metadata=wish.mark.metadata())
        connected.sdk.compute.create_server_group(name=wish.own.prefix, policy='soft-anti-affinity')
        clock.sleep(5.0)  # until the volume is there
        inventory.take(connected)
    finally:
        purge.Purge(connect.connect(cloud), run, say=lambda *_: None, clock=clock).execute()


def catalog(cloud: str) -> dict[str, str]:
    """Host and port of each service to its type."""
    sdk = connect.connect(cloud).sdk
    found = {name: sdk.endpoint_for(name) for name in shapes.SERVICES}
    return {urlsplit(url).netloc: name for name, url in found.items() if url}


def main() -> int:
    if len(sys.argv) != 2:
        print('usage: scenario.py CLOUD', file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as directory, shapes.recorded(catalog(sys.argv[1])) as found:
        play(sys.argv[1], Path(directory), str(uuid.uuid4()), SystemClock(), NetworkProbe())
    print(json.dumps(found, indent=1))
    return 0


if __name__ == '__main__':
    sys.exit(main())
