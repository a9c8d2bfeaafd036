"""Sandboxes that come and go: two regions, two side by side, killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cloud_world import CloudWorld

from scs_sandbox import environments, processes
from scs_sandbox.cloud import template
from scs_sandbox.machines import cgroups
from scs_sandbox.network import apply

pytestmark = [pytest.mark.integration, pytest.mark.slow]
KILL_LIMIT = 60.0  # seconds until a build has started its first process, which takes one on a quiet machine
KILL_AFTER = (1.0, 3.0, 6.0)  # seconds: while the lab is made, while services start, while they answer


@dataclass(frozen=True)
class Second:
    """A sandbox with two regions beside the one of the session, and when its start began (UTC)."""

    world: CloudWorld
    began: datetime


@pytest.fixture(scope='module')
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """One for the tests that only look, and for those that break it at the end: a start is what takes long."""
    world = CloudWorld(f's{os.getpid()}', tmp_path_factory.mktemp('second') / 'home')
    began = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    try:
        world.demand('up', '--regions', '2')
        yield Second(world, began)
    finally:
        world.demand('down')
    assert leftovers(world) == []


@pytest.fixture
def other(tmp_path: Path) -> Iterator[CloudWorld]:
    """A sandbox of this test alone."""
    world = CloudWorld(f'o{os.getpid()}', tmp_path / 'home')
    yield world
    world.demand('down')
    assert leftovers(world) == []


def leftovers(world: CloudWorld) -> list[str]:
    """What is still there of a sandbox."""
    found = [f'namespace {n}' for n in apply.namespaces(world.name)]
    found += [f'process {p.pid}' for p in processes.marked(str(world.state))]
    found += [
        f'mount {line}' for line in Path('/proc/self/mountinfo').read_text().splitlines() if str(world.state) in line
    ]
    # Not a search through all groups: those of other sandboxes come and go meanwhile.
    groups = cgroups.parents(cgroups.host_layout(), world.name)
    found += [f'control group {group}' for group in groups if group.exists()]
    return found + ([f'directory {world.state}'] if world.state.exists() else [])


def network(c: Any) -> str:
    """A network with the same addresses in every cloud."""
    made = c.network.create_network(name='t')
    c.network.create_subnet(network_id=made.id, ip_version=4, cidr='10.8.0.0/24')
    return str(made.id)


def test_workers_have_reported_when_it_is_up(second: Second) -> None:
    workers = second.world.ask(lambda c: [*c.compute.services(), *c.block_storage.services()], 'sandbox-admin')
    assert len(workers) > 4
    late = [w.binary for w in workers if datetime.fromisoformat(w.updated_at) < second.began]
    assert late == [], 'the scheduler takes them for dead and finds no host'


def test_two_regions_share_identity_and_network(second: Second) -> None:
    other = second.world
    assert other.status()['up']
    assert [r['name'] for r in other.status()['regions']] == ['RegionOne', 'RegionTwo']
    here, there = other.ask(network), other.ask(network, 'sandbox-RegionTwo')
    assert here != there
    projects = [other.ask(lambda c: c.current_project_id, cloud) for cloud in ('sandbox', 'sandbox-RegionTwo')]
    assert projects[0] == projects[1]

    def floating(c: Any) -> str:
        return str(c.network.create_ip(floating_network_id=c.network.find_network('public').id).floating_ip_address)

    assert int(other.ask(floating).split('.')[2]) <= 20 < int(other.ask(floating, 'sandbox-RegionTwo').split('.')[2])


def test_two_sandboxes_do_not_see_each_other(cloud: CloudWorld, second: Second) -> None:
    other = second.world
    ours, theirs = cloud.ask(network), other.ask(network)
    assert ours not in other.ask(lambda c: [n.id for n in c.network.networks()])
    assert (cloud.state / 'credentials.json').read_text() != (other.state / 'credentials.json').read_text()
    server = other.boot(theirs)
    other.wait_server(server, 'ACTIVE')
    assert [row['id'] for row in other.status()['servers']] == [server]
    assert cloud.status()['servers'] == []
    cloud.ask(lambda c: c.network.delete_network(ours))


def test_killed_service_is_started_again(second: Second) -> None:
    other = second.world
    glance = next(p for p in other.status()['processes'] if p['name'] == 'RegionOne/glance')
    os.kill(glance['pid'], signal.SIGKILL)
    other.demand('up', '--regions', '2')
    assert other.status()['up']
    assert other.ask(lambda c: len(list(c.image.images()))) > 0


def test_a_service_that_cannot_listen_is_told_with_the_end_of_its_log(second: Second) -> None:
    other = second.world
    glance = next(p for p in other.status()['processes'] if p['name'] == 'RegionOne/glance')
    address = other.ask(lambda c: urlsplit(c.endpoint_for('image')).hostname)
    assert processes.stop([processes.found('glance', glance['pid'], '')])
    with other.inside(lambda: socket.create_server((address, glance['port']))):
        done = other.run('up', '--regions', '2', '--keep')
    assert done.returncode == 3
    assert 'cannot start service glance of RegionOne: it ended' in done.stderr
    assert 'Address already in use' in done.stderr
    assert 'scs-sandbox logs glance' in done.stderr
    other.demand('up', '--regions', '2')
    assert other.status()['up']


def test_down_after_everything_was_killed(second: Second) -> None:
    """The last test of this sandbox; its server still runs."""
    other = second.world
    assert other.status()['servers'] or other.wait_server(other.boot(other.ask(network)), 'ACTIVE')
    for row in other.status()['processes']:
        os.kill(row['pid'], signal.SIGKILL)
    assert other.run('status').returncode == 3
    removed = other.demand('down')
    assert 'namespace' in removed
    assert leftovers(other) == []
    assert 'down already' in other.demand('down')


@pytest.mark.parametrize('seconds', KILL_AFTER)
def test_killed_up_is_cleaned_by_down(other: CloudWorld, seconds: float) -> None:
    command = [sys.executable, '-m', 'scs_sandbox', '--name', other.name, 'up']
    env = {
        **os.environ,
        'PYTHONPATH': str(Path(__file__).resolve().parents[2]),
        'SCS_SANDBOX_HOME': str(other.state.parent),
    }
    started = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    started.send_signal(signal.SIGKILL)
    started.wait(10)
    other.demand('down')
    assert leftovers(other) == []


def test_killed_template_build_is_swept(tmp_path: Path) -> None:
    program = (
        'import sys; from pathlib import Path; from scs_sandbox.cloud import content, template;'
        "system = content.System('debian', '12', 'Debian 12', 'debian', 'x86_64');"
        'template.ensure(Path(sys.argv[1]), system, print, Path(sys.argv[2]))'
    )
    modules = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, '-c', program, str(environments.openstack()), str(tmp_path)]
    builder = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': modules}, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + KILL_LIMIT
    while not (works := list(tmp_path.glob('*.tmp/work'))) or not processes.marked(str(works[0])):
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert template.sweep(tmp_path) == []  # it is being built
    builder.kill()
    builder.wait(10)
    assert any('process' in text for text in template.sweep(tmp_path))
    assert processes.marked(str(works[0])) == []
    assert [path.suffix for path in tmp_path.iterdir()] == ['.lock']
