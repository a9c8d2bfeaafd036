"""A sandbox up and down: lab, agent, cloud, chart mirror, in this order, and back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import clouds, environments, images, lab, names, netns, processes, sweep
from .agent.store import read_config, write_config
from .cloud import clone, content, layout, secrets, start, template
from .cloud.model import ADDRESS, REGION_NAMES, Credentials, Region
from .errors import SandboxError
from .images import archive, machine, node
from .machines.model import Bind, Image
from .processes import Process
from .sandboxes import CHARTS_PORT, Sandbox, marker

LOCK_WAIT = 120.0  # seconds for another up or down of the same sandbox; a warm up takes 12 s
AGENT_TIMEOUT = 60.0  # seconds; at start it converges all servers that it knows
MIRROR_TIMEOUT = 30.0  # seconds; that of charts makes a key and a certificate first
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What `up` is asked for. charts: directory for the mirror as <host>/<path>, None for the real hosts. images: OCI
    layouts as <registry>/<repository>, None for the real registries. machines: minors of Kubernetes ('1.34') whose node
    images shall boot machines, built when missing, or versions ('v1.34.9'), which have a node image of their own. cni,
    node_ip: see content.Machine.
    """

    regions: int = 1
    charts: Path | None = None
    images: Path | None = None
    machines: tuple[str, ...] = ()
    cni: bool = True
    node_ip: bool = True

    @property
    def minors(self) -> tuple[str, ...]:
        """Of machines, each once."""
        return tuple(dict.fromkeys(map(machine.minor, self.machines)))

    @property
    def versions(self) -> tuple[str, ...]:
        """Of Kubernetes, that there are node images for."""
        asked = (f'v{name.lstrip("v")}' for name in self.machines if name.lstrip('v') != machine.minor(name))
        return tuple(dict.fromkeys((*content.KUBERNETES_VERSIONS, *asked)))


def recorded(sandbox: Sandbox) -> list[Process]:
    """All processes of a sandbox that were recorded, dead or alive: agent and mirror first, then services
    (RegionOne/nova)."""
    found = processes.recorded(sandbox.processes)
    for index in range(len(REGION_NAMES)):
        found += processes.recorded(start.records(sandbox.region(index)))
    return found


def is_up(sandbox: Sandbox, wish: Wish) -> bool:
    """Whether everything that the wish asks for runs."""
    regions = sandbox.regions()
    if not lab.exists(sandbox.name) or len(regions) < wish.regions or not sandbox.clouds.exists():
        return False
    expected = {'agent', 'charts', *(['registries'] if wish.machines else [])} | {
        f'{r.name}/{s.name}' for r in regions for s in r.services
    }
    running = {p.name for p in processes.recorded(sandbox.processes) if processes.alive(p)}
    for region in regions:
        running |= {f'{region.name}/{p.name}' for p in processes.recorded(start.records(region)) if processes.alive(p)}
    return expected <= running


def up(sandbox: Sandbox, wish: Wish, say: Say) -> bool:
    """Start what is not there yet. Returns False when everything was there already.
    Raises SandboxError; what was started stays."""
    if lacks := lab.shortfalls(machines=bool(wish.machines)):
        raise SandboxError(
            'cannot start',
            f'sandbox {sandbox.name}',
            '; '.join(lacks),
            'do what stands behind each colon, then try again',
        )
    sandbox.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(sandbox):
        if is_up(sandbox, wish):
            _check_machines(sandbox, wish)
            return False
        for text in lab.advice():
            say(f'advice: {text}')
        prefix = environments.openstack()
        entry = images.build_plain()
        facts = images.facts(entry)
        machines = build_machines(wish)
        system = content.System(
            facts.os_distro,
            facts.os_version,
            facts.name,
            facts.default_user,
            facts.architecture,
            machines=tuple(content.Machine(m.version, m.name, m.simulated, wish.cni, wish.node_ip) for m in machines),
            versions=wish.versions,
        )
        source = template.ensure(prefix, system, say)
        lab.up(sandbox.name)
        say('lab made')
        trees = {'plain': Image(images.tree(entry)), **{m.name: m.image() for m in machines}}
        _start_agent(sandbox, trees, say)
        regions = _clone(sandbox, source, prefix, wish, say)
        _start_mirror(sandbox, 'charts', CHARTS_PORT, wish.charts, say)
        if wish.machines:
            _start_mirror(sandbox, 'registries', node.MIRROR_PORT, wish.images, say)
        for region in regions:
            start.start(region, prefix, sandbox.netns, say)
        clouds.write(sandbox.clouds, secrets.load(sandbox.credentials), regions)
    return True


def build_machines(wish: Wish) -> list[machine.Machine]:
    """Programs, container images and trees of the machines of all minors, from the cache or built.

    A cluster may have machines of several of them while it is upgraded, so each gets what the others need there.
    Raises SandboxError. From an empty cache it takes some minutes, most of them for the programs.
    """
    programs = {minor: environments.machine_programs(minor) for minor in wish.minors}
    versions = {minor: machine.programs_version(found) for minor, found in programs.items()}
    made = []
    for minor, found in programs.items():
        others = tuple(archive.spanning(versions[m], programs[m]) for m in wish.minors if m != minor)
        images_ = machine.Images(archive.ensure(versions[minor], found), others, wish.versions)
        made.append(machine.ensure(found, images_))
    return made


def _check_machines(sandbox: Sandbox, wish: Wish) -> None:
    """A running sandbox keeps the images that it started with."""
    there = read_config(sandbox.state).images
    if missing := [minor for minor in wish.minors if f'machine-{minor}' not in there]:
        raise SandboxError(
            'cannot add machines to',
            f'sandbox {sandbox.name}',
            f'it runs without Kubernetes {", ".join(missing)}',
            f'scs-sandbox --name {sandbox.name} down, then up again',
        )


def _clone(sandbox: Sandbox, source: Path, prefix: Path, wish: Wish, say: Say) -> list[Region]:
    """The regions on disk; one that was begun and not finished is made again."""
    credentials = _credentials(sandbox, source)
    regions = [sandbox.region(index) for index in range(max(wish.regions, len(sandbox.regions())))]
    for region in regions:
        if not marker(region).exists():
            shutil.rmtree(region.home, ignore_errors=True)
            clone.clone(source, region, credentials, prefix)
            if region.index:
                clone.add_region(regions[0], region)
            marker(region).touch()
            say(f'{region.name} cloned from the template')
        else:
            layout.write_configuration(region, credentials.passwords['service'], prefix)
    return regions


def _credentials(sandbox: Sandbox, source: Path) -> Credentials:
    if not sandbox.credentials.exists():
        made = secrets.generate(str(clone.read_info(source)['application_credential_id']))
        secrets.save(made, sandbox.credentials)
    return secrets.load(sandbox.credentials)


def _running(sandbox: Sandbox, name: str) -> bool:
    return any(p.name == name and processes.alive(p) for p in processes.recorded(sandbox.processes))


def _environment(sandbox: Sandbox) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(start.PACKAGE_ROOT), os.environ.get('PYTHONPATH'))))
    return {**os.environ, 'PYTHONPATH': path, 'PYTHONUNBUFFERED': '1', processes.MARK: str(sandbox.state)}


def _start_agent(sandbox: Sandbox, trees: Mapping[str, Image], say: Say) -> None:
    if _running(sandbox, 'agent'):
        return
    programs = environments.tools()
    shared = (Bind(programs, environments.TOOLS_TARGET),) if programs else ()
    write_config(sandbox.state, sandbox.name, trees, shared)
    log = sandbox.state / 'log' / 'agent.out'
    process = processes.spawn(
        'agent',
        [sys.executable, '-m', 'scs_sandbox.agent', str(sandbox.state)],
        sandbox.processes,
        log,
        environment=_environment(sandbox),
    )
    _await(process, lambda: _answers(socket.AF_UNIX, str(sandbox.state / 'agent.sock')), AGENT_TIMEOUT)
    say('agent answers')


def _start_mirror(sandbox: Sandbox, package: str, port: int, directory: Path | None, say: Say) -> None:
    """Start one of our servers of the lab: what machines and the plane take from outside."""
    if _running(sandbox, package):
        return
    space, state = names.namespace_path(sandbox.netns), sandbox.state / package
    command = [sys.executable, '-m', f'scs_sandbox.{package}', '--state', str(state)]
    command += ['--listen', f'{ADDRESS}:{port}', '--namespace', str(space)]
    command += ['--directory', str(directory)] if directory else []
    state.mkdir(exist_ok=True, mode=0o700)
    log = sandbox.state / 'log' / f'{package}.log'
    process = processes.spawn(package, command, sandbox.processes, log, environment=_environment(sandbox))
    _await(process, lambda: netns.within(space, lambda: _answers(socket.AF_INET, (ADDRESS, port))), MIRROR_TIMEOUT)
    say(f'mirror of {package} answers')


def _answers(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(2.0)
        try:
            link.connect(address)
        except OSError:
            return False
    return True


def _await(process: Process, condition: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        ended = not processes.alive(process)
        if ended or time.monotonic() > limit:
            why = 'it ended' if ended else f'no answer within {seconds:.0f} s'
            raise SandboxError(
                'cannot start',
                process.name,
                f'{why}; the end of its log:\n{processes.tail(Path(process.log))}',
                f'read the whole of it: scs-sandbox logs {process.name}',
            )
        time.sleep(0.05)


def down(sandbox: Sandbox) -> list[str]:
    """Remove everything of a sandbox, whatever state it is in. Returns what was removed.
    Raises SandboxError when something stays."""
    removed = template.sweep()
    if sandbox.state.exists():
        with locked(sandbox):
            removed += _remove(sandbox)
    else:
        removed += _remove(sandbox)
    with contextlib.suppress(OSError):  # others are in use
        sandbox.state.parent.rmdir()
    return removed


def _remove(sandbox: Sandbox) -> list[str]:
    """First what could make new things: the services, then the mirror. The agent goes with what it made."""
    ours = [p for p in recorded(sandbox) if p.name != 'agent']
    removed = [f'process {p.name} ({p.pid})' for p in processes.stop(ours)]
    removed += sweep.down(sandbox.state)
    return removed + [f'process {p.pid}, never recorded' for p in processes.stop(processes.marked(str(sandbox.state)))]


@contextlib.contextmanager
def locked(sandbox: Sandbox) -> Iterator[None]:
    """Only one up or down of a sandbox at a time. The lock is on its directory, so that nothing is left of it."""
    limit = time.monotonic() + LOCK_WAIT
    while True:
        sandbox.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(sandbox.state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(descriptor, sandbox.state):  # else a `down` removed it while we waited
                yield
                return
        except BlockingIOError as error:
            if time.monotonic() > limit:
                raise SandboxError(
                    'cannot use',
                    f'sandbox {sandbox.name}',
                    f'another up or down of it runs for over {LOCK_WAIT:.0f} s',
                    'wait for that, or end it',
                ) from error
        finally:
            os.close(descriptor)
        time.sleep(0.2)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
