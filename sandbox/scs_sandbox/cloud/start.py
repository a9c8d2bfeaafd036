"""Start the services of a region inside a network namespace and wait until all answer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import processes
from ..errors import SandboxError
from ..processes import Process
from . import config
from .model import Region

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT = 120.0  # seconds; 10 s on 2 quiet cores, 40 s beside a compiler
MAKER = 'services'  # the process that makes those of the services, and where it writes
NEIGHBORS = ('keystone', 'placement', 'neutron')  # what Nova's compute services talk to when they start
# Makes the drivers known to the services without installing them: metadata of a package that holds nothing else. Not
# a copy for each sandbox, for what is known of a path is kept.
DRIVERS = PACKAGE_ROOT / 'scs_sandbox/drivers'
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
            'EVENTLET_NO_GREENDNS': 'yes',  # 200 modules that nobody uses
            'PYTHONPATH': f'{PACKAGE_ROOT}{os.pathsep}{DRIVERS}',
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
    wanted = [service.name for service in region.services if service.name not in running]
    started = _make(region, wanted, prefix, netns) if wanted else []
    _wait(region, started, say)
    return [*running.values(), *started]


def _make(region: Region, names: Sequence[str], prefix: Path, netns: str) -> list[Process]:
    """A process for each service, made by one that ends when all are there."""
    for name in names:
        ready(region, name).unlink(missing_ok=True)
    processes.forget(records(region), [p for p in processes.recorded(records(region)) if p.name in names])
    file = region.run / f'{MAKER}.json'
    file.write_text(json.dumps([_document(region, name) for name in names]))
    command = [str(prefix / 'bin/python'), '-m', 'scs_sandbox.services.serve', str(records(region)), str(file)]
    log = region.log / f'{MAKER}.out'
    maker = processes.spawn(MAKER, command, records(region), log, environment=environment(region, prefix), netns=netns)
    limit = time.monotonic() + READY_TIMEOUT
    while processes.lives(maker) and time.monotonic() < limit:
        time.sleep(0.02)
    processes.stop([maker])
    processes.forget(records(region), [maker])
    made = {p.name: p for p in processes.recorded(records(region))}
    missing = [name for name in names if name not in made]
    if missing:
        raise _failure(region, MAKER, f'no process for {", ".join(missing)}')
    return [made[name] for name in names]


def _document(region: Region, name: str) -> dict[str, Any]:
    """What services.serve.Service holds; that module can be loaded among OpenStack's libraries only."""
    return {
        'name': name,
        'etc': str(region.etc),
        'address': region.address,
        'port': region.port(name),
        'ready': str(ready(region, name)),
        'log': str(region.log / f'{name}.out'),
    }


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
