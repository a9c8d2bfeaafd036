"""Where a management plane keeps its files and which ports it uses: plain data, nothing happens here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE = Path('/var/lib/scs-ci/plane')
LOOPBACK = '127.0.0.1'
SERVER = f'https://{LOOPBACK}:6443'
ETCD = f'http://{LOOPBACK}:2379'
ETCD_PEER = f'http://{LOOPBACK}:2380'
REGISTRY = f'{LOOPBACK}:5443'
# Where candidates are pushed to and where CSO looks for them; fixed, because CSO learns it when it starts.
REPOSITORY = f'{REGISTRY}/stacks/cluster-stacks'
MARKER = 'SCS_CI_PLANE_STATE'  # in the environment of every process of a plane: its state directory


@dataclass(frozen=True)
class Port:
    """A TCP port. open: the program listens on all addresses and has no flag to change that."""

    number: int
    purpose: str
    open: bool = False


@dataclass(frozen=True)
class Settings:
    """What the caller decides about a plane; stored in the state directory, so that a later `up` starts the same one.

    cso: another cluster stack operator than the built one. https_proxy, proxy_ca, no_proxy: how CSO (its helm) reaches
    chart repositories; no_proxy is a comma list of what must not go there, above all the clusters' API servers.
    kubeconfig: of an existing management cluster; then only the registry is started.
    """

    tools: str
    cso: str = ''
    https_proxy: str = ''
    proxy_ca: str = ''
    no_proxy: str = ''
    kubeconfig: str = ''


@dataclass(frozen=True)
class Layout:
    """Files below the state directory."""

    state: Path

    @property
    def kubeconfig(self) -> Path:
        return self.state / 'kubeconfig'

    @property
    def pki(self) -> Path:
        return self.state / 'pki'

    @property
    def bundle(self) -> Path:
        """CAs for processes and clients: the system's, the plane's and that of the chart proxy."""
        return self.pki / 'bundle.crt'

    @property
    def logs(self) -> Path:
        return self.state / 'logs'

    @property
    def records(self) -> Path:
        return self.state / 'processes'

    @property
    def settings(self) -> Path:
        return self.state / 'settings.json'

    @property
    def versions(self) -> Path:
        return self.state / 'versions.json'

    @property
    def manifests(self) -> Path:
        return self.state / 'manifests.json'

    @property
    def purged(self) -> Path:
        """A file for each namespace whose clusters a purge has deleted while the plane did not run."""
        return self.state / 'purged'

    @property
    def lock(self) -> Path:
        return self.state / 'lock'

    def log(self, name: str) -> Path:
        return self.logs / f'{name}.log'

    def serving(self, name: str) -> Path:
        """Directory with tls.crt and tls.key for the webhook server of a controller."""
        return self.state / 'serving' / name

    def temporary(self, name: str) -> Path:
        """TMPDIR of a process: CSO finds its webhook certificate there and would share it with others in /tmp."""
        return self.state / 'tmp' / name


def digest(*parts: bytes) -> str:
    """Short content digest of several pieces."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, 'big') + part)
    return found.hexdigest()[:16]
