"""Build what Kubernetes machines of a minor boot: a tree, and a containerd directory with their container images."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import cache
from ..errors import SandboxError
from ..machines.model import Bind
from ..machines.model import Image as Tree
from ..run import run
from . import build, customize, node

IMPORT_TIMEOUT = 600.0  # seconds; 10 s on 2 idle cores, everything is read and written once
FORMAT = 1  # to be raised when the steps of the build change without any of the data
PAUSE = 'registry.k8s.io/pause:'
# Tagged with the version, as opposed to CoreDNS, etcd and pause.
VERSIONED = ('kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy')
# Arguments: tree, containerd directory, number of archives, archives, then pairs of references: a new name for an old
# one. In namespaces of its own, so that neither mounts nor processes are left, however it ends.
IMPORT = """\
set -eu
tree=$1; directory=$2; archives=$3; shift 3
mount --make-rprivate /
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
mkdir -p "$tree/var/lib/containerd"
mount --bind "$directory" "$tree/var/lib/containerd"
mkdir "$tree/run/archives"
while [ $archives -gt 0 ]; do
  touch "$tree/run/archives/$archives.tar"
  mount --bind "$1" "$tree/run/archives/$archives.tar"
  archives=$((archives - 1)); shift
done
exec chroot "$tree" sh -eu -c '
containerd --log-level error > /tmp/log 2>&1 & daemon=$!
tries=0
until ctr version > /dev/null 2>&1; do
  tries=$((tries + 1)); [ $tries -lt 300 ] || { cat /tmp/log >&2; exit 1; }
  sleep 0.1
done
for archive in /run/archives/*.tar; do
  ctr --namespace k8s.io images import "$archive" > /tmp/import 2>&1 || { cat /tmp/import /tmp/log >&2; exit 1; }
done
while [ $# -gt 1 ]; do ctr --namespace k8s.io images tag --force "$2" "$1" > /dev/null; shift 2; done
ctr --namespace k8s.io images ls -q
kill $daemon
wait $daemon || true' sh "$@"
"""


@dataclass(frozen=True)
class Machine:
    """What is built for a minor. version: of the programs ('1.34.10'). tree: of the files. containerd: to be linked.

    simulated: what in the container images is not as their names say.
    """

    version: str
    tree: Path
    containerd: Path
    simulated: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the tree, as the image property scs_sandbox_tree has it: 'machine-1.34'."""
        return f'machine-{minor(self.version)}'

    def image(self) -> Tree:
        """For the hypervisor."""
        return Tree(self.tree, node.PRIVATE, (Bind(self.containerd, node.CONTAINERD, read_only=False),))


def minor(version: str) -> str:
    """'1.34' of '1.34.10' or 'v1.34.10'."""
    return '.'.join(version.lstrip('v').split('.')[:2])


def programs_version(tools: Path) -> str:
    """Version of Kubernetes in a directory of programs, without v. Raises SandboxError when it has none."""
    try:
        versions = json.loads((tools / 'versions.json').read_text())
        return str(versions['kubelet']).lstrip('v')
    except (OSError, ValueError, KeyError) as error:
        raise SandboxError(
            'cannot use programs', str(tools), f'{type(error).__name__}: {error}', 'build the set node-<minor> again'
        ) from error


def references(archive: Path) -> tuple[str, ...]:
    """All names in an archive, from the list beside it."""
    return tuple(name for image in _listed(archive) for name in image['references'])


def tags(names: tuple[str, ...], patches: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names that images get for other patches of their minor: (new, old)."""
    versioned = [name for name in names if name.rpartition(':')[0].rpartition('/')[2] in VERSIONED]
    return tuple(
        (f'{name.rpartition(":")[0]}:v{patch.lstrip("v")}', name)
        for patch in patches
        for name in versioned
        if minor(patch) == minor(version := name.rpartition(':')[2]) and patch.lstrip('v') != version.lstrip('v')
    )


@dataclass(frozen=True)
class Images:
    """Container images of machines: OCI archives, each with images.json beside it.

    archive: what kubeadm of the minor wants, and addons. others: what machines of other minors in the same cluster need
    here, too (archive.spanning). patches: versions ('v1.34.7') under which images of their minor shall be found, too.
    """

    archive: Path
    others: tuple[Path, ...] = ()
    patches: tuple[str, ...] = ()

    @property
    def archives(self) -> tuple[Path, ...]:
        return (self.archive, *self.others)

    @property
    def references(self) -> tuple[str, ...]:
        """All names in the archives; CoreDNS and pause of two minors may have the same ones."""
        return tuple(dict.fromkeys(name for archive in self.archives for name in references(archive)))

    @property
    def added(self) -> tuple[tuple[str, str], ...]:
        """More names, for the other patches: (new, old)."""
        return tags(self.references, self.patches)


@dataclass(frozen=True)
class Names:
    """Of cache entries. base: packages, for all minors. tree: with the files of a minor. content: of containerd."""

    base: str
    tree: str
    content: str


def names(tools: Path, images: Images, release: build.Release) -> Names:
    """Names of the cache entries. The names of all directories hold the keys of what made them."""
    version = programs_version(tools)
    base = _digest(FORMAT, build.key(release), platform.machine(), node.PACKAGES)
    data = (node.PROGRAMS, node.NETWORK_PLUGINS, node.UNITS, node.CONTAINERD_CONFIG, node.FILES)
    tree = _digest(base, tools.name, _pause(references(images.archive)), data)
    content = _digest(base, IMPORT, [archive.parent.name for archive in images.archives], images.added)
    return Names(f'image-node-{base}', f'image-machine-{version}-{tree}', f'containerd-{version}-{content}')


def _digest(*data: object) -> str:
    return hashlib.sha256(repr(data).encode()).hexdigest()[:16]


def ensure(tools: Path, images: Images, home: Path | None = None) -> Machine:
    """What machines with these programs boot, built when missing (root, mmdebstrap; two minutes on 2 cores).

    tools: directory with bin/ and versions.json. home: the cache. Raises SandboxError.
    """
    home = home or cache.cache_home()
    release = build.host_release()
    called = names(tools, images, release)
    base = cache.entry(home, called.base, lambda place: _make_base(place, release))
    entry = cache.entry(home, called.tree, lambda place: _make_tree(place, base, tools, images.archive))
    content = cache.entry(home, called.content, lambda place: _import(place, build.tree(entry), tools, images))
    return found(programs_version(tools), entry, content, images.archive)


def found(version: str, entry: Path, content: Path, archive: Path) -> Machine:
    """The machine of two cache entries."""
    simulated = tuple(dict.fromkeys(text for image in _listed(archive) for text in image['simulated']))
    return Machine(version, build.tree(entry), content / 'containerd', simulated)


def furnish(root: Path, tools: Path, pause: str) -> None:
    """Put programs and files of a machine into the tree root."""
    for place, programs in (('usr/bin', node.PROGRAMS), ('opt/cni/bin', node.NETWORK_PLUGINS)):
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in programs:
            shutil.copyfile(tools / 'bin' / name, root / place / name)
            (root / place / name).chmod(0o755)
    files = {**node.FILES, '/etc/containerd/config.toml': node.CONTAINERD_CONFIG.format(pause=pause)}
    customize.write(root, files)
    for path in node.EXECUTABLE:
        (root / path.lstrip('/')).chmod(0o755)


def _make_base(place: Path, release: build.Release) -> None:
    build.make(place, release, tuple(sorted({*build.PACKAGES, *node.PACKAGES})), 'of Kubernetes machines')


def _make_tree(place: Path, base: Path, tools: Path, archive: Path) -> None:
    """Files of the base are hard links: writing replaces files, it never changes them."""
    run(
        ['cp', '--archive', '--link', str(build.tree(base)), str(build.facts_file(base)), str(place)],
        what='cannot copy',
        subject=str(base),
        timeout=IMPORT_TIMEOUT,
        advice='free disk space',
    )
    root = build.tree(place)
    furnish(root, tools, _pause(references(archive)))
    build.inside(root, 'systemctl', 'enable', *node.UNITS)


def _import(place: Path, tree: Path, tools: Path, images: Images) -> None:
    directory = place / 'containerd'
    directory.mkdir(mode=0o711)
    archives = [str(archive) for archive in images.archives]
    pairs = [name for pair in images.added for name in pair]
    words = ['unshare', '--mount', '--pid', '--net', '--fork', '--kill-child', 'sh', '-c', IMPORT, 'import']
    there = run(
        [*words, str(tree), str(directory), str(len(archives)), *archives, *pairs],
        what='cannot import images of',
        subject=f'machine {programs_version(tools)}',
        timeout=IMPORT_TIMEOUT,
        advice='look whether this host lets root mount overlay file systems in new namespaces',
    ).split()
    if missing := {*images.references, *(new for new, _ in images.added)} - set(there):
        told = ', '.join(sorted(missing))
        raise SandboxError('cannot import images of', archives[0], f'containerd lacks {told}', 'build it again')


def _listed(archive: Path) -> list[dict[str, list[str]]]:
    path = archive.parent / 'images.json'
    try:
        listed: list[dict[str, list[str]]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SandboxError('cannot read', str(path), str(error), 'remove its directory and build it again') from error
    return listed


def _pause(references_: tuple[str, ...]) -> str:
    return next((name for name in references_ if name.startswith(PAUSE)), f'{PAUSE}3.10')
