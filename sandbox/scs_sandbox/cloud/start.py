"""Start the services of a region inside a network namespace and wait until all answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import processes
from ..errors import SandboxError
from ..processes import Process
from . import config
from .model import Region

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT = 120.0  # seconds; 10 s on 2 quiet cores, 40 s beside a compiler
NEIGHBORS = ('keystone', 'placement', 'neutron')  # what Nova's compute services talk to when they start
ENTRY_POINTS = """\
[neutron.ml2.mechanism_drivers]
sandbox = scs_sandbox.services.neutron:SandboxMechanismDriver

[neutron.service_plugins]
sandbox_router = scs_sandbox.services.neutron:SandboxL3Plugin

[octavia.api.drivers]
ovn = scs_sandbox.services.octavia:SandboxOvn
"""
METADATA = 'Metadata-Version: 2.1\nName: scs-sandbox-drivers\nVersion: 0\n'
# Values that would lead OpenStack's libraries or Python astray.
DROPPED = (
    'PYTHONHOME',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'http_proxy',
    'https_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'all_proxy',
    'ALL_PROXY',
)

Say = Callable[[str], None]


def write_entry_points(directory: Path) -> None:
    """What makes the drivers known to the services without installing them; the directory goes on PYTHONPATH."""
    info = directory / 'scs_sandbox_drivers-0.dist-info'
    info.mkdir(parents=True, exist_ok=True)
    (info / 'entry_points.txt').write_text(ENTRY_POINTS)
    (info / 'METADATA').write_text(METADATA)


def environment(region: Region, prefix: Path, inherited: dict[str, str] | None = None) -> dict[str, str]:
    """Environment of a service's process. prefix: root of the OpenStack environment."""
    base = {
        k: v
        for k, v in (os.environ if inherited is None else inherited).items()
        if k not in DROPPED and not k.startswith('OS_')
    }
    names = ('KEYSTONE', 'PLACEMENT', 'GLANCE', 'NOVA', 'NEUTRON', 'CINDER', 'OCTAVIA')
    return (
        base
        | {f'OS_{name}_CONFIG_DIR': str(region.etc) for name in names}
        | {
            # Nova looks for its paste file first in this list, not in its configuration.
            'OS_NOVA_CONFIG_FILES': f'{prefix}/etc/nova/api-paste.ini;{config.FILES["nova"]}',
            'OS_NEUTRON_CONFIG_FILES': config.FILES['neutron'],
            'OS_NOVA_DISABLE_EVENTLET_PATCHING': '1',
            'PYTHONPATH': f'{PACKAGE_ROOT}{os.pathsep}{region.home / "entry-points"}',
            'PYTHONWARNINGS': 'ignore',
            'PYTHONUNBUFFERED': '1',
            'PYTHONSAFEPATH': '1',  # nothing from the current directory
            'MALLOC_ARENA_MAX': '2',  # glibc makes 8 arenas per core otherwise; a third of the memory
            'SCS_SANDBOX_STATE': str(region.state),
            'SCS_SANDBOX_REGION': region.name,
            'SCS_SANDBOX_NEIGHBORS': ','.join(f'{region.address}:{region.port(name)}' for name in NEIGHBORS),
        }
    )


def records(region: Region) -> Path:
    """Where the processes of a region are recorded."""
    return region.run / 'processes'


def start(region: Region, prefix: Path, netns: str, say: Say) -> list[Process]:
    """Start all services of a region that do not run yet, and wait until they answer.

    Raises SandboxError with the end of a service's log when it ends or stays silent; what was started is recorded and
    left running, for the caller decides what becomes of it.
    """
    running = {p.name: p for p in processes.recorded(records(region)) if processes.alive(p)}
    started = []
    for service in region.services:
        if service.name in running:
            continue
        ready(region, service.name).unlink(missing_ok=True)
        command = [
            str(prefix / 'bin/python'),
            '-m',
            'scs_sandbox.services.serve',
            service.name,
            str(region.etc),
            region.address,
            str(region.port(service.name)),
            str(ready(region, service.name)),
        ]
        log = region.log / f'{service.name}.out'
        started.append(
            processes.spawn(
                service.name, command, records(region), log, environment=environment(region, prefix), netns=netns
            )
        )
    _wait(region, started, say)
    return [*running.values(), *started]


def ready(region: Region, service: str) -> Path:
    """The file that a service writes when it listens."""
    return region.run / f'{service}.ready'


def _wait(region: Region, started: Sequence[Process], say: Say) -> None:
    waiting = {p.name: p for p in started}
    began = time.monotonic()
    while waiting:
        for name, process in list(waiting.items()):
            if ready(region, name).exists():
                say(f'{region.name} {name} answers')
                del waiting[name]
            elif not processes.alive(process):
                raise _failure(region, name, 'it ended')
        if waiting and time.monotonic() - began > READY_TIMEOUT:
            raise _failure(region, next(iter(waiting)), f'no answer within {READY_TIMEOUT:.0f} s')
        time.sleep(0.05)


def _failure(region: Region, name: str, why: str) -> SandboxError:
    logs = [region.log / f'{name}.out', region.log / f'{name}.log']
    text = '\n'.join(filter(None, (processes.tail(log) for log in logs)))
    return SandboxError(
        'cannot start service',
        f'{name} of {region.name}',
        f'{why}; the end of its log:\n{text}',
        'read the whole of it: scs-sandbox logs ' + name,
    )
