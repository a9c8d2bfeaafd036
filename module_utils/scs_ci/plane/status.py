"""What a plane looks like right now, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core import files
from . import services, sockets
from .kube import Api
from .layout import REPOSITORY, Layout, Settings
from .lifecycle import Plane, service_names
from .processes import Usage, usage

STATES = ('running', 'dead', 'stopped')


@dataclass(frozen=True)
class ProcessStatus:
    """state: one of STATES; dead: it ended by itself. memory: MiB; cpu: seconds; last_lines: of a dead one's log."""

    name: str
    state: str
    pid: int | None
    memory: int
    cpu: float
    log: str
    last_lines: str = ''


@dataclass(frozen=True)
class Status:
    """registry: where to push candidates, HOST:PORT/REPOSITORY; ca: PEM file to verify it with. memory: MiB in all.

    open_ports: TCP ports on all addresses of the host (or of its network namespace); keep them closed to others.
    """

    state: str
    ready: bool
    kubeconfig: str
    registry: str
    ca: str
    logs: str
    versions: dict[str, str]
    processes: tuple[ProcessStatus, ...]
    memory: int
    open_ports: tuple[int, ...]


def status(plane: Plane) -> Status:
    """Ask the processes and the API server; UsageProblem when there never was a plane."""
    settings, layout = plane.settings(), plane.layout
    rows = tuple(_process(plane, name) for name in service_names(settings))
    kubeconfig = settings.kubeconfig or str(layout.kubeconfig)
    running = all(row.state == 'running' for row in rows)
    return Status(
        state=str(layout.state),
        ready=running and _serving(layout, settings) and _healthy(layout, settings),
        kubeconfig=kubeconfig,
        registry=REPOSITORY,
        ca=str(layout.bundle),
        logs=str(layout.logs),
        versions=_versions(layout),
        processes=rows,
        memory=sum(row.memory for row in rows),
        open_ports=() if settings.kubeconfig else services.OPEN_PORTS,
    )


def table(found: Status) -> str:
    """For people: a row per process, the last words of the dead ones, and where everything is."""
    lines = [f'{"process":10} {"state":8} {"pid":>8} {"MiB":>6} {"CPU s":>8}']
    for row in found.processes:
        pid = row.pid or ''
        lines.append(f'{row.name:10} {row.state:8} {pid:>8} {row.memory:6} {row.cpu:8.1f}')
        lines += [f'    {line}' for line in row.last_lines.splitlines()]
    lines += [
        f'{"total":10} {"ready" if found.ready else "NOT READY":8} {"":>8} {found.memory:6}',
        '',
        f'kubeconfig  {found.kubeconfig}',
        f'registry    {found.registry} (CA {found.ca})',
        f'logs        {found.logs}',
        f'versions    {", ".join(f"{name} {version}" for name, version in sorted(found.versions.items()))}',
    ]
    if found.open_ports:
        ports = ', '.join(map(str, found.open_ports))
        lines.append(f'open ports  {ports} listen on all addresses: keep them closed to other hosts')
    return '\n'.join(lines)


def reason(found: Status) -> str:
    """One line about a plane that is not ready."""
    dead = [row.name for row in found.processes if row.state != 'running']
    return f'not running: {", ".join(dead)}' if dead else 'all processes run, but not all of them answer'


def _process(plane: Plane, name: str) -> ProcessStatus:
    record = plane.processes.records().get(name)
    used: Usage | None = usage(record) if record else None
    state = 'running' if used else 'dead' if record else 'stopped'
    words = plane.processes.last_lines(name) if state == 'dead' else ''
    return ProcessStatus(
        name,
        state,
        record.pid if record and used else None,
        used.memory if used else 0,
        used.cpu if used else 0.0,
        str(plane.layout.log(name)),
        words,
    )


def _serving(layout: Layout, settings: Settings) -> bool:
    return Api(Path(settings.kubeconfig)).ready() if settings.kubeconfig else sockets.serving(layout)


def _healthy(layout: Layout, settings: Settings) -> bool:
    ports = () if settings.kubeconfig else services.HEALTH_PORTS
    return sockets.listening(5443) and all(map(sockets.healthy, ports))


def _versions(layout: Layout) -> dict[str, str]:
    try:
        return {str(name): str(version) for name, version in files.read_json(layout.versions).items()}
    except FileNotFoundError:
        return {}  # the first `up` did not get that far
