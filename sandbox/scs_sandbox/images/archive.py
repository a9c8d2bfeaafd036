"""The container images of a Kubernetes version as one cached OCI archive, made from the programs of the checkout."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import cache
from ..errors import SandboxError
from ..run import run
from . import build, contents, files, oci, storage, suite

# Names of architectures: of the kernel -> of Go and OCI.
ARCHITECTURES = {'x86_64': 'amd64', 'aarch64': 'arm64'}
ARCHIVE, FACTS = 'images.tar', 'images.json'
# Workloads that kubeadm makes once for a whole cluster. While its minor changes, machines of both minors run them, so
# those of one minor need the images of the other.
SPANNING = ('kube-proxy', 'coredns/coredns')
SOURCES = ('archive.py', 'contents.py', 'files.py', 'oci.py', 'storage.py', 'suite.py')


def ensure(kubernetes: str, tools: Path, home: Path | None = None) -> Path:
    """The OCI archive with all images of machines of this Kubernetes version; made when missing, some seconds.

    kubernetes: '1.34.10', of the minor that `tools` was built for; another patch gives the tags of that patch on the
    same programs, labelled. tools: directory with bin/ and versions.json of the set node-<minor>. home: the cache.
    Beside the archive is images.json; facts() reads it. Raises SandboxError.
    """
    versions = built(tools)
    home = home or cache.cache_home()
    name = f'images-{kubernetes}-{key(kubernetes, tools, build.host_release())}'
    return cache.entry(home, name, lambda place: _make(place, kubernetes, tools, versions, home)) / ARCHIVE


def spanning(kubernetes: str, tools: Path, home: Path | None = None) -> Path:
    """The OCI archive with what of a version's images machines of other minors need; arguments as for ensure()."""
    versions = built(tools)
    home = home or cache.cache_home()
    name = f'images-spanning-{kubernetes}-{key(kubernetes, tools, build.host_release())}'

    def make(place: Path) -> None:
        wanted = [name for name in references(kubernetes, tools) if repository(name) in SPANNING]
        _write(contents.images(wanted, tools / 'bin', versions, files.ensure(home)), place)

    return cache.entry(home, name, make) / ARCHIVE


def repository(reference: str) -> str:
    """'coredns/coredns' of 'registry.k8s.io/coredns/coredns:v1.12.1'."""
    return reference.rpartition(':')[0].partition('/')[2]


def facts(archive: Path) -> list[dict[str, list[str]]]:
    """What is in an archive: for each image its `references` and what is `simulated` in it."""
    found: list[dict[str, list[str]]] = json.loads((archive.parent / FACTS).read_text())
    return found


def key(kubernetes: str, tools: Path, release: build.Release) -> str:
    """The cache key: version, programs (by version and name of their directory), builder."""
    state = hashlib.sha256(repr((kubernetes, tools.name, files.key(release), platform.machine())).encode())
    state.update((tools / 'versions.json').read_bytes())
    for name in SOURCES:
        state.update((Path(__file__).parent / name).read_bytes())
    return state.hexdigest()[:16]


def built(tools: Path) -> Mapping[str, str]:
    """Program -> version of a directory of programs. Raises SandboxError when it is none."""
    try:
        versions: dict[str, str] = json.loads((tools / 'versions.json').read_text())
    except (OSError, ValueError) as error:
        raise SandboxError('cannot use programs', str(tools), str(error), contents.TOO_OLD) from error
    return versions


def references(kubernetes: str, tools: Path) -> tuple[str, ...]:
    """Names and tags that kubeadm of this minor wants for a version. Raises SandboxError."""
    minor = kubernetes.rpartition('.')[0]
    own = built(tools).get('kubeadm', '')
    if not own.startswith(f'v{minor}.'):
        raise SandboxError('cannot make images', f'of Kubernetes {kubernetes}', f'kubeadm is {own}', contents.TOO_OLD)
    command = [str(tools / 'bin/kubeadm'), 'config', 'images', 'list', '--kubernetes-version', f'v{kubernetes}']
    words = run(command, what='cannot list images', subject=f'of Kubernetes {kubernetes}', advice='run it by hand')
    return tuple(words.split())


def _make(place: Path, kubernetes: str, tools: Path, versions: Mapping[str, str], home: Path) -> None:
    wanted = references(kubernetes, tools)
    debian = files.ensure(home)
    images = contents.images(wanted, tools / 'bin', versions, debian)
    images += contents.addons(tools / 'bin', versions, debian)
    images += storage.images(tools / 'bin', versions, debian)
    if suite.PROGRAM in versions:
        minor = kubernetes.rpartition('.')[0]
        images += contents.images(suite.tags(minor).also, tools / 'bin', versions, debian)
        images += suite.images(tools / 'bin', files.ensure(home, suite.PACKAGES), minor)
    _write(images, place)


def _write(images: list[oci.Image], place: Path) -> None:
    machine = platform.machine()
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        oci.write(images, place / ARCHIVE, ARCHITECTURES.get(machine, machine), Path(scratch))
    told = [{'references': list(image.references), 'simulated': list(image.simulated)} for image in images]
    (place / FACTS).write_text(json.dumps(told, indent=2) + '\n')
