"""How long a plain server takes from the request to a login over SSH, and how much memory it needs.

Usage: python3 benchmarks/sandbox/plain_server.py [REPEATS]; needs root. The agent alone is asked, without Nova.

Wall times depend on the machine and on what else runs there, so the wall time of a fixed piece of Python work in the
same run is printed beside them. Goals: login 6 s after the request, 40 MiB per server.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'sandbox'), str(ROOT / 'sandbox/tests/live')]

from agent_world import ALL, World, allow, identifier, start_agent  # noqa: E402

from scs_sandbox import images, lab, sweep  # noqa: E402
from scs_sandbox.agent.store import write_config  # noqa: E402
from scs_sandbox.machines import cgroups  # noqa: E402
from scs_sandbox.machines.model import Image  # noqa: E402

LOGIN_LIMIT = 120.0  # seconds until the measurement is given up


def yardstick() -> float:
    """Wall time of a fixed amount of work on one core: how slow this machine is right now."""
    start = time.monotonic()
    sum(number * number for number in range(10_000_000))
    return round(time.monotonic() - start, 2)


def memory(name: str, server: str) -> float:
    """Proportional set size of all processes of a server, MiB."""
    total = 0
    for pid in cgroups.processes(cgroups.groups(cgroups.host_layout(), name, identifier(server))):
        try:
            rollup = Path(f'/proc/{pid}/smaps_rollup').read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith('Pss:'))
    return round(total / 1024, 1)


def measure(world: World, repeats: int) -> dict[str, object]:
    """Boot servers one after the other and look at each."""
    times: dict[str, list[float]] = {'request': [], 'login': [], 'delete': []}
    sizes = []
    for number in range(repeats):
        server, address = f'bench{number}', f'198.18.1.{100 + number}'
        world.add(server, 'bench', f'10.0.0.{10 + number}', groups=['ssh'])
        world.floating[server] = address
        world.send_network()
        start = time.monotonic()
        world.boot(server)
        times['request'].append(time.monotonic() - start)
        if world.ssh(address, 'true', patience=LOGIN_LIMIT).returncode:
            sys.exit(f'no login on {server} within {LOGIN_LIMIT:.0f} s')
        times['login'].append(time.monotonic() - start)
        world.ssh(address, 'cloud-init status --wait')
        sizes.append(memory(world.name, server))
        start = time.monotonic()
        world.drop(server)
        times['delete'].append(time.monotonic() - start)
    seconds = {name: round(statistics.median(values), 2) for name, values in times.items()}
    return {'seconds': seconds, 'memory_mib': max(sizes), 'yardstick_seconds': yardstick(), 'repeats': repeats}


def main() -> None:
    """Measure in a sandbox of our own and print one JSON object."""
    if lacks := lab.shortfalls():
        sys.exit('\n'.join(lacks))
    entry = images.build_plain()
    with tempfile.TemporaryDirectory() as base:
        state = Path(base) / 'bench'
        state.mkdir(mode=0o700)
        key = Path(base) / 'key'
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
        try:
            lab.up(state.name)
            write_config(state, state.name, {'plain': Image(images.tree(entry))})
            start_agent(state)
            world = World(state, key, groups={'ssh': [ALL, allow(22)]})
            print(json.dumps(measure(world, int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
        finally:
            sweep.down(state)


if __name__ == '__main__':
    main()
