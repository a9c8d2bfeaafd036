"""What Kubernetes machines need of the kernel that they share with this host, and see of it."""

from __future__ import annotations

import os
from pathlib import Path

from . import cgroups
from .cgroups import Layout
from .model import Bind

# kubeadm refuses a machine without them. A kernel's version 2 always has devices and freezer.
CONTROLLERS = {1: ('cpuset', 'cpuacct', 'devices', 'freezer'), 2: ('cpuset',)}
PROCESSORS = 2  # kubeadm's preflight check NumCPU; flavors limit the time that a server gets, not what it sees
# There kubeadm reads the configuration without help; needs CONFIG_IKCONFIG_PROC, which distributions do without.
RUNNING = 'proc/config.gz'
# Where packages of kernels leave it; {} is the release. kubeadm looks there, too, but in the machine's own tree.
PACKAGED = ('boot/config-{}', 'usr/lib/modules/{}/config', 'usr/lib/kernel/config-{}')
SEEN = '/boot/config-{}'


def binds(top: Path = Path('/'), release: str = os.uname().release) -> tuple[Bind, ...]:
    """The configuration of the kernel as a file of servers, where a machine with a kernel of its own has it. Nothing
    when the kernel itself tells it, or when this host has no such file.
    """
    found = packaged(top, release)
    return () if found is None or (top / RUNNING).exists() else (Bind(found, SEEN.format(release)),)


def packaged(top: Path, release: str) -> Path | None:
    """The file on this host with the configuration of its kernel."""
    paths = (top / name.format(release) for name in PACKAGED)
    return next((path for path in paths if path.is_file()), None)


def shortfalls(
    layout: Layout, top: Path = Path('/'), release: str = os.uname().release, processors: int | None = None
) -> list[str]:
    """What keeps Kubernetes machines, not other servers, from starting on this host, each with its cure. processors:
    instead of those that this process may use, which servers see, too.
    """
    lacks = cgroups.shortfalls(layout, (*cgroups.NEEDED, *CONTROLLERS[layout.version]))
    have = len(os.sched_getaffinity(0)) if processors is None else processors
    if have < PROCESSORS:
        lacks.append(f'kubeadm refuses a control plane that sees {have} processor: use a host with {PROCESSORS}')
    if (top / RUNNING).exists() or packaged(top, release):
        return lacks
    where = SEEN.format(release)
    lack = f'kubeadm cannot read the configuration of the kernel, for there is neither /{RUNNING} nor {where}'
    cure = f'modprobe configs, or copy the one that it was built with to {where} (in a container: from its host)'
    return [*lacks, f'{lack}: {cure}']
