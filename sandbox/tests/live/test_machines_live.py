"""A real Kubernetes cluster of two machines: user data as Cluster API's, a floating IP as endpoint, then nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scs_sandbox import environments, lab, names, sweep
from scs_sandbox.agent.store import write_config
from scs_sandbox.cloud.content import KUBERNETES_VERSIONS
from scs_sandbox.cloud.model import ADDRESS
from scs_sandbox.images import archive, machine, node
from scs_sandbox.machines import cgroups

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode `importlib` does not

from agent_world import ALL, World, allow, identifier, spaces, start_agent
from machine_world import SUCCESS, Cluster, authority, copy_image

# The first time it builds programs and images; then it needs a minute and a half.
pytestmark = [pytest.mark.integration, pytest.mark.slow]
MINOR = '1.34'
ENDPOINT = '198.18.1.21'
INIT, JOIN, READY = 900.0, 600.0, 600.0  # seconds; 13, 4, 20 where nothing else runs or is translated
OVERLAY_PORT = 8472
KUBECTL = 'sudo kubectl --kubeconfig /etc/kubernetes/admin.conf '


@pytest.fixture(scope='module')
def built() -> machine.Machine:
    programs = environments.machine_programs(MINOR)
    images = machine.Images(archive.ensure(machine.programs_version(programs), programs), patches=KUBERNETES_VERSIONS)
    return machine.ensure(programs, images)


@pytest.fixture
def world(built: machine.Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert not lab.shortfalls(machines=True), lab.shortfalls(machines=True)
    base = tmp_path_factory.mktemp('machines')
    state = base / f'm{os.getpid()}'
    state.mkdir(mode=0o700)
    key = base / 'key'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
    overlay = allow(OVERLAY_PORT, protocol='udp', group=identifier('group-node'))
    rules = [ALL, allow(22), allow(6443), allow(10250, group=identifier('group-node')), overlay]
    try:
        lab.up(state.name)
        write_config(state, state.name, {built.name: built.image()})
        agent = start_agent(state)
        yield World(state, key, groups={'node': rules})
        agent.poll()
    finally:
        sweep.down(state)
        assert sweep.down(state) == []
    assert spaces(state.name) == []
    assert state.name not in Path('/proc/mounts').read_text()
    assert not any(path.exists() for path in cgroups.parents(cgroups.host_layout(), state.name))


def until(world: World, address: str, command: str, wanted: str, seconds: float) -> float:
    """Ask a server by SSH until the answer holds what is wanted. Returns how long that took."""
    begun = time.monotonic()
    while True:
        done = world.ssh(address, command, patience=seconds)
        if wanted in done.stdout:
            return time.monotonic() - begun
        assert time.monotonic() < begun + seconds, f'{command}: no {wanted!r} after {seconds:.0f} s: {done}'
        time.sleep(0.5)


def add(world: World, name: str, address: str, floating: str, data: str, tree: str) -> None:
    world.add(
        name,
        'site',
        address,
        groups=['node'],
        image=tree,
        memory_mb=4096,
        vcpus=2,
        user_data=data,
        features=['cni', 'node-ip'],
    )
    world.floating[name] = floating
    world.send_network()
    assert world.boot(name) == 'running'


def test_two_machines_become_a_cluster_and_vanish(world: World, built: machine.Machine, tmp_path: Path) -> None:
    cluster = Cluster(f'{ENDPOINT}:6443', f'v{built.version}', authority('kubernetes'))
    begun = time.monotonic()
    add(world, 'first', '10.0.0.5', ENDPOINT, cluster.init(), built.name)
    until(world, ENDPOINT, f'cat {SUCCESS}', 'success', INIT)
    initialized = time.monotonic() - begun
    add(world, 'second', '10.0.0.6', '198.18.1.22', cluster.join(), built.name)
    until(world, '198.18.1.22', f'cat {SUCCESS}', 'success', JOIN)
    joined = time.monotonic() - begun
    ready = KUBECTL + 'wait --for=condition=Ready node/first node/second --timeout=1s'
    until(world, ENDPOINT, ready, 'second condition met', READY)
    both = time.monotonic() - begun
    nodes = world.ssh(ENDPOINT, KUBECTL + 'get nodes -o wide').stdout
    assert '10.0.0.6' in nodes, nodes
    until(
        world, ENDPOINT, KUBECTL + 'rollout status -n kube-system deployment/coredns --timeout=1s', 'rolled out', READY
    )
    print(f'init {initialized:.1f} s, joined {joined:.1f} s, ready {both:.1f} s, dns {time.monotonic() - begun:.1f} s')
    _pods_answer(world)
    _images_come_from_the_mirror(world, built, tmp_path)
    world.drop('second')
    world.drop('first')


def _pods_answer(world: World) -> None:
    """The pods of CoreDNS answer at their addresses, whichever machine asks."""
    dns = KUBECTL + "get pods -n kube-system -l k8s-app=kube-dns -o 'jsonpath={.items[*].status.podIP}'"
    for address in world.ssh(ENDPOINT, dns).stdout.split():
        for machine_address in (ENDPOINT, '198.18.1.22'):
            done = world.ssh(machine_address, f'curl -sS --max-time 5 http://{address}:8080/health')
            assert done.stdout == 'OK', (address, machine_address, done)


def _images_come_from_the_mirror(world: World, built: machine.Machine, place: Path) -> None:
    """A registry that does not exist answers through the mirror of the lab; what the mirror lacks is named."""
    programs = environments.machine_programs(MINOR)
    copy_image(archive.ensure(built.version, programs), 'pause', place / 'images/mirror.example/pause', 'v1')
    space = names.namespace_path(names.lab_namespace(world.state.name))
    words = ['--state', place, '--listen', f'{ADDRESS}:{node.MIRROR_PORT}', '--namespace', space]
    command = [sys.executable, '-m', 'scs_sandbox.registries', *words, '--directory', place / 'images']
    pull = 'sudo ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d mirror.example/pause'
    with subprocess.Popen(list(map(str, command))) as mirror:
        try:
            until(world, ENDPOINT, f'{pull}:v1 2>&1', 'done', READY)
            assert 'StatusNotFound' in world.ssh(ENDPOINT, f'{pull}:v2 2>&1').stdout
        finally:
            mirror.terminate()
    log = (place / 'access.log').read_text()
    assert ' 200 ' in log
    assert 'pause/manifests/v2?ns=mirror.example 404 ' in log
