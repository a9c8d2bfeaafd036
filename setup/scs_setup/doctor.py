"""Look at the machine: what is missing for which part of scs-ci, and what works all the same."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import apt, paths, toolchain
from .problems import SetupProblem
from .process import run

# Programs, environments, images and the template of the cloud take about 6 GB, a running sandbox with a plane 3 GB.
DISK_GIB = 10
# Sandbox 1.1 GiB, plane 1.3 GiB, machines and the system.
MEMORY_GIB = 6
PROBE_SECONDS = 20
# Watchers of files are limited for all servers of a host together.
WATCHES = Path('/proc/sys/fs/inotify/max_user_instances')
# For several sandboxes with machines; the kernel's default of 128 lets machines die at boot.
WATCHES_FOR_MORE = 1024
# Of a control plane: kubelet and API server watch files, too.
WATCHES_OF_MACHINE = 20
WATCHES_ADVISED = 256
# kubeadm refuses a machine whose kernel does not tell it how it was built, or without this controller.
KERNEL_CONFIGURATIONS = ('proc/config.gz', 'boot/config-{}', 'usr/lib/modules/{}/config', 'usr/lib/kernel/config-{}')
MACHINES_WANT = 'cpuset'
PROCESSORS = 2  # kubeadm refuses a control plane that sees fewer
# An ordinary user's path has no administrators' programs.
ADMINISTRATOR = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}


@dataclass(frozen=True)
class Finding:
    """One look at the machine. `cure` is empty when all is well."""

    subject: str
    state: str
    cure: str = ''


@dataclass(frozen=True)
class Part:
    """A part of scs-ci and the findings that it depends on."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether nothing that the part needs is missing."""
        return not any(finding.cure for finding in self.findings)


def root() -> Finding:
    """Namespaces, mounts and control groups are root's."""
    if os.geteuid() == 0:
        return Finding('root', 'yes')
    return Finding('root', f'no, user {os.geteuid()}', 'run it as root, for instance with sudo')


def namespaces() -> Finding:
    """Try it instead of reading settings: a container runtime or a kernel policy may forbid it to root, too."""
    if os.geteuid() != 0:
        return Finding('namespaces', 'not tried without root', 'run it as root')
    try:
        command = ['unshare', '--net', '--mount', '--pid', '--fork', '--uts', '--ipc', 'true']
        run(command, 'cannot make namespaces', '', PROBE_SECONDS)
    except SetupProblem as problem:
        cure = 'use a machine or a privileged container whose kernel allows namespaces'
        return Finding('namespaces', problem.answer, cure)
    return Finding('namespaces', 'network, mount, process, host name, IPC')


def overlay() -> Finding:
    """Each server of the sandbox is an overlay on a shared tree. A module is enough: the kernel loads it by itself."""
    known = [line.split()[-1] for line in Path('/proc/filesystems').read_text().splitlines()]
    if 'overlay' in known:
        return Finding('file system overlay', 'yes')
    try:
        run(['modprobe', '--dry-run', 'overlay'], 'cannot find overlay', '', PROBE_SECONDS, env=ADMINISTRATOR)
    except SetupProblem as problem:
        cure = 'use a kernel with CONFIG_OVERLAY_FS, and install kmod if it is a module'
        return Finding('file system overlay', problem.answer, cure)
    return Finding('file system overlay', 'a module, loaded when it is needed')


def bridge_filter() -> Finding:
    """Security groups of the sandbox filter on bridges."""
    if Path('/proc/sys/net/bridge').is_dir():
        return Finding('bridge netfilter', 'yes')
    cure = 'run as root: modprobe br_netfilter (at each boot: echo br_netfilter > /etc/modules-load.d/scs-ci.conf)'
    return Finding('bridge netfilter', 'not loaded', cure)


def watches() -> Finding:
    """Never missing, but few: all servers of the sandbox share root's limit."""
    limit = int(WATCHES.read_text())
    enough = f'{limit}, enough for about {limit // WATCHES_OF_MACHINE} Kubernetes machines'
    more = '' if limit >= WATCHES_ADVISED else f'; for more: sysctl fs.inotify.max_user_instances={WATCHES_FOR_MORE}'
    return Finding('inotify instances', enough + more)


def control_groups() -> Finding:
    """Either version, with the controllers that limits of servers need."""
    available, version = _controllers()
    lacking = {'memory', 'pids', 'cpu'} - available
    if lacking:
        cure = 'enable them on the kernel command line (cgroup_enable=memory) or delegate them to this container'
        return Finding('control groups', f'{version} without {", ".join(sorted(lacking))}', cure)
    unmounted = () if version == 'v2' else unmounted_hierarchies(Path('/proc/mounts').read_text())
    if unmounted:
        lines = [f'mkdir -p {path} && mount -t {kind} cgroup {path}' for path, kind in unmounted]
        return Finding('control groups', f'{version} without what systemd needs', f'run as root: {" && ".join(lines)}')
    return Finding('control groups', version)


def unmounted_hierarchies(mounts: str) -> tuple[tuple[str, str], ...]:
    """Beside controllers of version 1 the systemd of a server needs two hierarchies without any: path and type of those
    that are not mounted. mounts: text of /proc/mounts.
    """
    rows = [line.split() for line in mounts.splitlines()]
    named = any(row[2] == 'cgroup' and 'name=systemd' in row[3].split(',') for row in rows)
    unified = any(row[2] == 'cgroup2' for row in rows)
    wanted = (
        (named, '/sys/fs/cgroup/systemd', 'cgroup -o none,name=systemd'),
        (unified, '/sys/fs/cgroup/unified', 'cgroup2'),
    )
    return tuple((path, kind) for there, path, kind in wanted if not there)


def _controllers(top: Path = Path('/')) -> tuple[set[str], str]:
    """Controllers of control groups that the kernel has, and the version: v1 or v2."""
    unified = top / 'sys/fs/cgroup/cgroup.controllers'
    if unified.exists():
        return set(unified.read_text().split()), 'v2'
    lines = (top / 'proc/cgroups').read_text().splitlines()
    fields = [line.split() for line in lines if not line.startswith('#')]
    return {field[0] for field in fields if field[-1] == '1'}, 'v1'


def machines(top: Path = Path('/'), release: str = platform.release()) -> Finding:
    """What kubeadm asks of the kernel, which Kubernetes machines share with this one."""
    subject = 'kernel of Kubernetes machines'
    available, version = _controllers(top)
    if MACHINES_WANT not in available:
        cure = f'use a kernel with {MACHINES_WANT}, or delegate it to this container'
        return Finding(subject, f'control groups {version} without {MACHINES_WANT}', cure)
    names = [name.format(release) for name in KERNEL_CONFIGURATIONS]
    found = next((name for name in names if (top / name).is_file()), None)
    if found is None:
        target = f'/{names[1]}'
        cure = f'run as root: modprobe configs; or copy its configuration to {target} (in a container: from its host)'
        return Finding(subject, f'{release}, its configuration is nowhere', cure)
    return Finding(subject, f'{release}, configuration in /{found}')


def processors(have: int | None = None) -> Finding:
    """Those that this process may use: machines see them all, whatever time their flavor gives them."""
    found = len(os.sched_getaffinity(0)) if have is None else have
    cure = '' if found >= PROCESSORS else f'kubeadm refuses such machines: use a host with {PROCESSORS}'
    return Finding('processors', str(found), cure)


def nftables() -> Finding:
    """NAT in a namespace of its own shows that the kernel has what the lab needs."""
    if os.geteuid() != 0 or shutil.which('nft', path='/usr/sbin:/sbin:/usr/bin:/bin') is None:
        return Finding('nftables with NAT', 'not tried', 'run as root with the package nftables installed')
    rules = 'add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; add rule ip t c masquerade'
    with tempfile.NamedTemporaryFile('w', suffix='.nft') as file:
        file.write(rules.replace('; add', '\nadd') + '\n')
        file.flush()
        try:
            run(['unshare', '--net', 'nft', '-f', file.name], 'cannot load NAT rules', '', PROBE_SECONDS)
        except SetupProblem as problem:
            return Finding('nftables with NAT', problem.answer, 'run as root: modprobe -a nft_chain_nat nft_masq')
    return Finding('nftables with NAT', 'yes')


def packages(name: str) -> Finding:
    """The Debian packages of a purpose."""
    lacking = [package.name for package in apt.missing(apt.purposes()[name])]
    if not lacking:
        return Finding(f'packages for {name}', 'all there')
    return Finding(f'packages for {name}', f'{", ".join(lacking)} missing', f'run as root: {apt.command(lacking)}')


def disk() -> Finding:
    """Free space where the cache is."""
    place = paths.cache_root()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    cure = '' if free >= DISK_GIB else f'free {DISK_GIB - free:.0f} GiB there or set XDG_CACHE_HOME'
    return Finding('disk', f'{free:.0f} GiB free below {place}, {DISK_GIB} wanted', cure)


def memory() -> Finding:
    """Memory that is available now."""
    for line in Path('/proc/meminfo').read_text().splitlines():
        if line.startswith('MemAvailable:'):
            free = int(line.split()[1]) / 2**20
            cure = '' if free >= MEMORY_GIB else 'end other programs or use a larger machine'
            return Finding('memory', f'{free:.1f} GiB available, {MEMORY_GIB} wanted', cure)
    return Finding('memory', 'unknown, /proc/meminfo has no MemAvailable', 'check it by hand')


def go() -> Finding:
    """A machine's own toolchain saves a download."""
    found = toolchain.of_machine()
    return Finding('Go', found.version if found else 'none that is new enough: the one of the package index is used')


def python() -> Finding:
    """The interpreter that everything runs with; an older one does not come this far."""
    return Finding('Python', platform.python_version())


STATIC: tuple[Callable[[], Finding], ...] = (python, go, disk)
# What no package brings.
HOST: tuple[Callable[[], Finding], ...] = (root, namespaces, overlay, control_groups, bridge_filter)
SANDBOX: tuple[Callable[[], Finding], ...] = (
    *HOST,
    lambda: packages('sandbox'),
    nftables,
    watches,
    memory,
)


def demand(looks: Iterable[Callable[[], Finding]] = HOST) -> None:
    """Refuse a machine before minutes go by with environments and programs for it.

    Raises:
        SetupProblem: something is missing; all of it is told at once.
    """
    lacking = [finding for finding in (look() for look in looks) if finding.cure]
    if lacking:
        raise SetupProblem(
            'cannot run the sandbox on this machine',
            '; '.join(f'{finding.subject}: {finding.state}' for finding in lacking),
            '; '.join(finding.cure for finding in lacking),
        )


def examine() -> list[Part]:
    """Look at the machine; each part with what it needs."""
    static = tuple(look() for look in STATIC)
    sandbox = (*static, *(look() for look in SANDBOX))
    return [
        Part('static checks (discover, check, build), unit tests', static),
        Part('linters', (*static, packages('lint'))),
        Part('sandbox, management plane, make e2e E2E=infra, integration tests', sandbox),
        Part(
            'clusters of Kubernetes machines (E2E=cluster, E2E=full), tests of them',
            (*sandbox, machines(), processors()),
        ),
    ]


def text(parts: list[Part]) -> str:
    """The findings once each, then what works and what does not."""
    findings = {finding.subject: finding for part in parts for finding in part.findings}
    lines = []
    for finding in findings.values():
        lines.append(f'{"missing" if finding.cure else "ok":8} {finding.subject}: {finding.state}')
        if finding.cure:
            lines.append(f'         next: {finding.cure}')
    lines += ['', *(f'{"works" if part.works else "does not work":14} {part.name}' for part in parts)]
    return '\n'.join(lines)
