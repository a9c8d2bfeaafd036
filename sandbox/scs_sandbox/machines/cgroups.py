"""Control groups of servers, version 1 (one hierarchy per controller) and version 2 (one hierarchy)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SandboxError
from ..names import control_group

REMOVE_TIMEOUT = (
    6.0  # seconds; the kernel frees a group some milliseconds after its last process, longer after heavy use
)
CPU_PERIOD = 100_000  # microseconds
NEEDED = ('cpu', 'memory', 'pids')
CONTROLLERS = (*NEEDED, 'cpuset', 'io', 'hugetlb')
PIDS_PER_CPU = 4096  # a control plane node needs about 600


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy. options: controllers ('cpu', 'cpu,cpuacct'), 'name=systemd', or '' for version 2."""

    path: Path
    options: str


@dataclass(frozen=True)
class Layout:
    """How this host does control groups. version: of the hierarchies with the controllers, 1 or 2; after those of
    version 1 comes the one of version 2 without controllers.
    """

    version: int
    hierarchies: tuple[Hierarchy, ...]


@dataclass(frozen=True)
class Limits:
    """Of the flavor. memory: bytes. cpus: number of processors' time."""

    memory: int
    cpus: int


def detect(mountinfo: str) -> Layout:
    """The layout from the text of /proc/self/mountinfo. Raises SandboxError when systemd could not run in it."""
    first: dict[str, Hierarchy] = {}
    unified: list[Hierarchy] = []
    for line in mountinfo.splitlines():
        fields, _, tail = line.partition(' - ')
        path = fields.split()[4]
        kind, _, options = tail.split()[:3]
        if kind == 'cgroup2':
            unified.append(Hierarchy(Path(path), ''))
        elif kind == 'cgroup':
            names = ','.join(
                o for o in options.split(',') if o not in ('rw', 'ro', 'xattr', 'clone_children') and '_agent' not in o
            )
            first.setdefault(names, Hierarchy(Path(path), names))
    if unified and not first:
        return Layout(2, (unified[0],))
    if 'name=systemd' not in first:
        raise _missing(
            'neither version 2 alone nor a version 1 hierarchy name=systemd', 'systemd', 'cgroup -o none,name=systemd'
        )
    if not unified:
        raise _missing('no version 2 hierarchy beside version 1', 'unified', 'cgroup2')
    # Beside version 1 the systemd of a server mounts version 2 by itself and keeps its units there. Were servers not in
    # groups of their own in it, all would share one tree, and one would remove the groups that another is about to use.
    return Layout(1, (*(first[name] for name in sorted(first)), unified[0]))


def _missing(lack: str, directory: str, kind: str) -> SandboxError:
    path = f'/sys/fs/cgroup/{directory}'
    return SandboxError(
        'cannot use control groups',
        'of this host',
        f'{lack} is mounted',
        f'mount one: mkdir -p {path} && mount -t {kind} cgroup {path}',
    )


def host_layout() -> Layout:
    """The layout of this host."""
    return detect(Path('/proc/self/mountinfo').read_text())


def shortfalls(layout: Layout, needed: Sequence[str] = NEEDED) -> list[str]:
    """What keeps servers of this host from having their limits, each with its cure; none when all is well. needed:
    controllers.
    """
    top = layout.hierarchies[0].path
    if layout.version == 1:
        mounted = {controller for hierarchy in layout.hierarchies for controller in hierarchy.options.split(',')}
        return [
            f'controller {name} of control groups is not mounted: mkdir -p {top.parent / name} && '
            f'mount -t cgroup -o {name} cgroup {top.parent / name}'
            for name in needed
            if name not in mounted
        ]
    if lacking := [name for name in needed if name not in (top / 'cgroup.controllers').read_text().split()]:
        lines = [f'{top} has no controller {", ".join(lacking)}']
        # Only a group that is not the kernel's own root has a type: then this is a container.
        if (top / 'cgroup.type').exists():
            return [f'{lines[0]}: start this container with its own control groups delegated (systemd: Delegate=yes)']
        return [f'{lines[0]}: boot with cgroup_enable={lacking[0]} on the kernel command line, or another kernel']
    enabled = (top / 'cgroup.subtree_control').read_text().split()
    busy = (top / 'cgroup.type').exists() and (top / 'cgroup.procs').read_text().strip()
    if busy and any(name not in enabled for name in needed):
        # The kernel gives controllers to groups below only when no process is in the group itself.
        cure = f'mkdir -p {top}/init && for p in $(cat {top}/cgroup.procs); do echo $p > {top}/init/cgroup.procs; done'
        return [f'processes in {top} itself keep its controllers from groups below: {cure}']
    return []


def parents(layout: Layout, name: str) -> tuple[Path, ...]:
    """The groups that hold all servers of a sandbox."""
    return tuple(hierarchy.path / control_group(name) for hierarchy in layout.hierarchies)


def groups(layout: Layout, name: str, server_id: str) -> tuple[Path, ...]:
    """The groups of one server."""
    return tuple(parent / server_id for parent in parents(layout, name))


def console_group(layout: Layout, name: str) -> Path:
    """The group of the processes that copy consoles: outside the servers' own groups, which belong to their systemd
    alone.
    """
    return layout.hierarchies[0].path / control_group(name) / 'consoles'


def values(layout: Layout, limits: Limits) -> tuple[dict[str, str], ...]:
    """What to write into the files of a server's groups, one dictionary per hierarchy."""
    pids = str(PIDS_PER_CPU * max(limits.cpus, 1))
    quota = limits.cpus * CPU_PERIOD
    if layout.version == 2:
        return ({'memory.max': str(limits.memory), 'cpu.max': f'{quota} {CPU_PERIOD}', 'pids.max': pids},)
    by_controller = {
        'memory': {'memory.limit_in_bytes': str(limits.memory)},
        'cpu': {'cpu.cfs_period_us': str(CPU_PERIOD), 'cpu.cfs_quota_us': str(quota)},
        'pids': {'pids.max': pids},
    }
    return tuple(
        {
            file: value
            for controller in hierarchy.options.split(',')
            for file, value in by_controller.get(controller, {}).items()
        }
        for hierarchy in layout.hierarchies
    )


def controllers(available: str) -> str:
    """What to enable below a group of version 2: what limits need, and what Kubernetes insists on or uses where this
    host has it. available: text of cgroup.controllers.
    """
    return ' '.join(f'+{name}' for name in CONTROLLERS if name in NEEDED or name in available.split())


def create(layout: Layout, name: str, server_id: str, limits: Limits) -> tuple[Path, ...]:
    """Make the groups of a server with its limits; existing ones are adjusted. Returns them. Raises SandboxError."""
    made = groups(layout, name, server_id)
    try:
        for hierarchy, group, files in zip(layout.hierarchies, made, values(layout, limits), strict=True):
            for path in (group.parent, group):
                path.mkdir(exist_ok=True)
                _prepare(hierarchy, path)
            if layout.version == 2:
                wanted = controllers((hierarchy.path / 'cgroup.controllers').read_text())
                for path in (hierarchy.path, group.parent):
                    (path / 'cgroup.subtree_control').write_text(wanted)
            for file, value in files.items():
                (group / file).write_text(value)
        console_group(layout, name).mkdir(exist_ok=True)
        _prepare(layout.hierarchies[0], console_group(layout, name))
    except OSError as error:
        raise SandboxError(
            'cannot make control group of',
            f'server {server_id}',
            str(error),
            'check that the controllers memory, cpu and pids are available to root here',
        ) from error
    return made


def _prepare(hierarchy: Hierarchy, path: Path) -> None:
    """A version 1 cpuset is unusable until it has processors and memory nodes."""
    if 'cpuset' in hierarchy.options.split(','):
        for file in ('cpuset.cpus', 'cpuset.mems'):
            (path / file).write_text((path.parent / file).read_text())
        (path / 'cgroup.clone_children').write_text('1')


def complete(layout: Layout, name: str, server_id: str) -> bool:
    """Whether all groups that a process of a server joins are there."""
    return all(path.is_dir() for path in (*groups(layout, name, server_id), console_group(layout, name)))


def processes(paths: tuple[Path, ...]) -> set[int]:
    """Process ids in these groups and below them."""
    found: set[int] = set()
    for path in paths:
        for directory in _below(path):
            with contextlib.suppress(OSError):
                found.update(map(int, (directory / 'cgroup.procs').read_text().split()))
    return found - {0}


def remove(paths: tuple[Path, ...]) -> list[str]:
    """Remove empty groups and what is below them. Returns those that existed.

    Raises SandboxError when one stays busy.
    """
    gone = [str(path) for path in paths if path.is_dir()]
    limit = time.monotonic() + REMOVE_TIMEOUT
    for path in paths:
        while path.is_dir():
            error = ''
            for directory in _below(path):
                try:
                    directory.rmdir()
                except FileNotFoundError:
                    continue
                except OSError as caught:
                    error = str(caught)
            if path.is_dir() and time.monotonic() > limit:
                raise SandboxError(
                    'cannot remove control group',
                    str(path),
                    error,
                    'end the processes in its cgroup.procs, then try again',
                )
            if path.is_dir():
                time.sleep(0.02)
    return gone


def drop_parents(layout: Layout, name: str) -> list[str]:
    """Remove the sandbox's own groups where no server is left in them. Returns those removed.

    Only when nothing of the sandbox starts any more: a server that starts has made them and needs them a moment later.
    """
    gone = []
    for path in (console_group(layout, name), *parents(layout, name)):
        with contextlib.suppress(OSError):
            path.rmdir()
            gone.append(str(path))
    return gone


def _below(path: Path) -> Iterator[Path]:
    """Deepest first."""
    for directory, _, _ in os.walk(path, topdown=False):
        yield Path(directory)
