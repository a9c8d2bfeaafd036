"""The lab: one network namespace with the external network and the address of the OpenStack APIs.

The host's network is not touched. Commands enter it all the time and make it once, so what makes it is imported there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import names
from .errors import SandboxError
from .run import run

PROGRAMS = {
    'ip': 'iproute2',
    'nft': 'nftables',
    'haproxy': 'haproxy',
    'nsenter': 'util-linux',
    'mount': 'mount',
    'pivot_root': 'util-linux',
    'sed': 'sed',
}
MODPROBE_TIMEOUT = 20.0  # seconds; it reads one index, from a cold disk at worst
INOTIFY = Path('/proc/sys/fs/inotify/max_user_instances')
INOTIFY_PER_SERVER = 7  # of a plain server, measured; all servers of a host share root's limit
INOTIFY_PER_MACHINE = 20  # of a control plane: kubelet and API server watch files, too
INOTIFY_ADVISED = 256


def shortfalls(machines: bool = False) -> list[str]:
    """What this host lacks for a lab with servers, each with its cure; none when everything is there. machines: some
    of the servers are Kubernetes machines.
    """
    from .machines import cgroups, kernel
    from .network import trial

    if os.geteuid() != 0:
        return ['not root: run as root, or with sudo']
    lacks = [
        f'program {program} is missing: apt-get install {package}'
        for program, package in PROGRAMS.items()
        if not shutil.which(program)
    ]
    if not Path('/proc/sys/net/bridge').is_dir():
        # Not loaded by itself: from then on bridges of the host, too, show their traffic to its own rules.
        lacks.append('the kernel has no bridge netfilter: modprobe br_netfilter')
    if 'overlay' not in Path('/proc/filesystems').read_text() and not _loadable('overlay'):
        lacks.append('the kernel has no overlayfs: use one with CONFIG_OVERLAY_FS')
    if not lacks:  # the trial needs the programs
        lacks += trial.shortfalls()
    try:
        layout = cgroups.host_layout()
        lacks += kernel.shortfalls(layout) if machines else cgroups.shortfalls(layout)
    except SandboxError as error:
        lacks.append(f'{error.answer}: {error.advice}')
    return lacks


def _loadable(module: str) -> bool:
    """Whether the kernel finds a module by itself when it is first needed."""
    program = shutil.which('modprobe')
    if program is None:
        return False
    done = subprocess.run([program, '--dry-run', '--quiet', module], check=False, timeout=MODPROBE_TIMEOUT)
    return done.returncode == 0


def advice(inotify_instances: int | None = None) -> list[str]:
    """What of this host suffices for few servers only, each with its cure. inotify_instances: instead of the host's."""
    limit = int(INOTIFY.read_text()) if inotify_instances is None else inotify_instances
    if limit >= INOTIFY_ADVISED:
        return []
    servers = limit // INOTIFY_PER_SERVER
    cure = f'sysctl fs.inotify.max_user_instances={4 * INOTIFY_ADVISED}'
    machines = limit // INOTIFY_PER_MACHINE
    enough = f'{servers} servers or {machines} Kubernetes machines'
    return [f'fs.inotify.max_user_instances is {limit}, enough for about {enough} on this host: {cure}']


def up(name: str) -> list[str]:
    """Make the lab of a sandbox; nothing is done when it is there. Returns what was changed. Raises SandboxError."""
    from .network import apply
    from .network.model import Snapshot
    from .network.plan import plan

    lab = plan(names.check_name(name), Snapshot())
    # What is in an existing lab belongs to the agent, which has the whole plan.
    return [] if exists(name) else apply.converge(name, lab, remove=False)


def exists(name: str) -> bool:
    """Whether the lab of a sandbox is there."""
    return names.namespace_path(names.lab_namespace(name)).exists()


def execute(name: str, command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process by a command inside the lab. Raises SandboxError when there is no lab or no such program."""
    _check(name)
    try:
        os.execvpe(
            'nsenter', ['nsenter', f'--net={names.namespace_path(names.lab_namespace(name))}', *command], environment
        )
    except OSError as error:
        raise SandboxError('cannot run in the lab', command[0], str(error), 'install util-linux') from error


def command(name: str, words: Sequence[str]) -> list[str]:
    """The command line that runs words inside the lab; for starting services there.

    Raises SandboxError when there is no lab.
    """
    _check(name)
    return ['nsenter', f'--net={names.namespace_path(names.lab_namespace(name))}', *words]


def call(name: str, words: Sequence[str], *, what: str, timeout: float = 30.0) -> str:
    """Run a short command inside the lab and return its output. Raises SandboxError."""
    return run(command(name, words), what=what, subject=f'in sandbox {name}', timeout=timeout)


def _check(name: str) -> None:
    if not exists(name):
        raise SandboxError(
            'cannot enter the lab of', f'sandbox {name}', 'it is not up', f'run scs-sandbox up --name {name}'
        )
