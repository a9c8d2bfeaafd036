"""A sandbox without cloud services for the tests of the agent: lab, agent, world; removed at the end, whatever
happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scs_sandbox import images, lab, sweep
from scs_sandbox.agent.store import write_config
from scs_sandbox.machines.model import Bind, Image

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode `importlib` does not

from agent_world import ALL, World, allow, start_agent


@pytest.fixture(scope='session')
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running lab with agent. Its name is of this process, so that runs side by side do not meet."""
    assert not lab.shortfalls(), lab.shortfalls()
    entry = images.build_plain()
    base = tmp_path_factory.mktemp('sandboxes')
    state = base / f't{os.getpid()}'
    state.mkdir(mode=0o700)
    key = base / 'key'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
    shared = base / 'shared'
    shared.mkdir()
    (shared / 'note').write_text('from the host\n')
    try:
        lab.up(state.name)
        write_config(state, state.name, {'plain': Image(images.tree(entry))}, (Bind(shared, '/opt/shared'),))
        agent = start_agent(state)
        made = World(state, key, groups={'ssh': [ALL, allow(22)], 'closed': [ALL]})
        made.send_network()
        yield made
        agent.poll()
    finally:
        sweep.down(state)
        sweep.down(state)


@pytest.fixture
def site(world: World) -> Iterator[World]:
    """The world, emptied again after each test: tests do not see each other's servers."""
    yield world
    for server in list(world.servers):
        world.drop(server)
    world.sites.clear()
    world.groups = {'ssh': [ALL, allow(22)], 'closed': [ALL]}
    world.send_network()
