"""Servers that start while others start and go: each keeps to itself. Root; about 15 seconds on 2 cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from agent_world import World, identifier

from scs_sandbox.machines import cgroups
from scs_sandbox.machines.process import recorded
from scs_sandbox.machines.starter import CONSOLE_COLUMNS, CONSOLE_LINES
from scs_sandbox.names import control_group

pytestmark = pytest.mark.integration

EARLY, LATE = ('one', 'two', 'three'), ('four', 'five', 'six')
LOGIN_PATIENCE = 60.0  # seconds; a login takes 3 s on an idle machine, six servers boot here on a shared one


def strangers(site: World, server: str) -> list[str]:
    """Groups of version 2 outside the server's own that its processes are in: there its systemd keeps its units."""
    own = f'/{control_group(site.name)}/{identifier(server)}'
    init = recorded(site.state / 'servers' / identifier(server) / 'init.json')['init']
    pids = {init.pid, *cgroups.processes(cgroups.groups(cgroups.host_layout(), site.name, identifier(server)))}
    found: list[str] = []
    for pid in pids:
        try:
            rows = Path(f'/proc/{pid}/cgroup').read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        found += [row for row in rows if row.startswith('0::') and own not in row]
    return found


def test_servers_start_together_while_others_are_deleted(site: World) -> None:
    for number, server in enumerate((*EARLY, *LATE)):
        site.add(server, 'left', f'10.0.0.{10 + number}', groups=['ssh'], memory_mb=256)
    site.floating = {server: f'198.18.1.{10 + number}' for number, server in enumerate(LATE)}
    site.send_network()
    with ThreadPoolExecutor(len(EARLY) + len(LATE)) as threads:
        assert set(threads.map(site.boot, EARLY)) == {'running'}
        gone = [threads.submit(site.ask, 'server-delete', id=identifier(server)) for server in EARLY]
        assert set(threads.map(site.boot, LATE)) == {'running'}
        assert all(job.result()['removed'] for job in gone)
        logins = threads.map(
            lambda server: site.ssh(site.floating[server], 'cat /run/nologin; hostname', patience=LOGIN_PATIENCE), LATE
        )
        assert [login.stdout.strip() for login in logins] == list(LATE)
    assert {server: strangers(site, server) for server in LATE} == {server: [] for server in LATE}


def test_a_flooded_console_stays_small_and_blocks_nobody(site: World) -> None:
    site.add('loud', 'left', '10.0.0.5', groups=['ssh'])
    site.floating = {'loud': '198.18.1.11'}
    site.send_network()
    site.boot('loud')
    flood = f'sudo -n sh -c "seq {CONSOLE_LINES + 5000} > /dev/console" && echo written'
    assert site.ssh('198.18.1.11', flood, patience=LOGIN_PATIENCE).stdout.strip() == 'written'
    console = site.state / 'servers' / identifier('loud') / 'console.log'
    assert f'ends here: {CONSOLE_LINES} lines' in console.read_text().splitlines()[-1]
    with console.open('a') as file:
        file.truncate(CONSOLE_LINES * CONSOLE_COLUMNS + 1)
    site.boot('loud', 'stopped')
    site.boot('loud')
    assert console.stat().st_size < CONSOLE_LINES * CONSOLE_COLUMNS
