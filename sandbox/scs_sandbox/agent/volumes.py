"""Volumes as directories: a volume is one, and lies in the directory of the server that it is attached to.

A server sees its volumes below VOLUMES_TARGET, because that directory of the host is mounted into it for as long as it
runs; to attach and to detach is to rename. Beside it is a link with the name that KVM gives a disk. So the content
stays, whatever server the volume goes to. There is no block device, file system or size limit: volume.json in each says
what the volume should have been.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from ..machines.model import IDENTIFIER
from .store import write

FACTS = 'volume.json'
# Of a volume's id, virtio has room for so many characters as serial number of a disk.
SERIAL = 20


class Volumes:
    """Volumes of one sandbox; every method may be called by several threads at once and repeated."""

    def __init__(self, state: Path) -> None:
        self._home, self._servers = state / 'volumes', state / 'servers'
        self._lock = threading.Lock()

    def attach(self, server: str, volume: str, facts: Mapping[str, Any]) -> list[str]:
        """Put a volume into a server; a new one is empty. Returns what was changed.

        Raises SandboxError when it is in another server, or there is no such server.
        """
        _check(server, volume)
        with self._lock:
            target = self._servers / server / 'volumes' / volume
            found = self._where(volume)
            if found == target:
                _name(target)  # we may have been killed before
                return []
            if found is not None and found.parent != self._home:
                raise _refused('attach', volume, f'it is attached to server {found.parent.parent.name}')
            if not target.parent.is_dir():
                raise _refused('attach', volume, f'server {server} has no disk')
            source = self._home / volume
            source.mkdir(parents=True, exist_ok=True, mode=0o755)
            write(source / FACTS, {'id': volume, **facts})
            source.rename(target)
            _name(target)
        return [f'volume {volume} attached to server {server}']

    def detach(self, volume: str) -> list[str]:
        """Take a volume out of its server. Returns what was changed."""
        _check(volume)
        with self._lock:
            found = self._where(volume)
            return [] if found is None or found.parent == self._home else [self._take(found)]

    def release(self, server: str) -> list[str]:
        """Take all volumes out of a server that is about to be removed. Returns what was changed."""
        with self._lock:
            directory = self._servers / server / 'volumes'
            found = directory.iterdir() if directory.is_dir() else ()
            return [self._take(path) for path in sorted(path for path in found if not path.is_symlink())]

    def delete(self, volume: str) -> list[str]:
        """Remove a volume with its content. Returns what was removed. Raises SandboxError when it is attached."""
        _check(volume)
        with self._lock:
            found = self._where(volume)
            if found is None:
                return []
            if found.parent != self._home:
                raise _refused('delete', volume, f'it is attached to server {found.parent.parent.name}')
            shutil.rmtree(found)
        return [f'volume {volume}']

    def _where(self, volume: str) -> Path | None:
        places = (self._home / volume, *self._servers.glob(f'*/volumes/{volume}'))
        return next((path for path in places if path.is_dir()), None)

    def _take(self, path: Path) -> str:
        self._home.mkdir(exist_ok=True, mode=0o700)
        _link(path).unlink(missing_ok=True)
        path.rename(self._home / path.name)
        return f'volume {path.name} detached from server {path.parent.parent.name}'


def _link(path: Path) -> Path:
    return path.with_name(f'virtio-{path.name[:SERIAL]}')


def _name(path: Path) -> None:
    if not _link(path).is_symlink():
        _link(path).symlink_to(path.name)


def _check(*identifiers: str) -> None:
    for identifier in identifiers:
        if not IDENTIFIER.fullmatch(identifier):
            raise SandboxError('cannot find', repr(identifier), 'this is not an id', 'send ids of server and volume')


def _refused(what: str, volume: str, answer: str) -> SandboxError:
    return SandboxError(
        f'cannot {what}', f'volume {volume}', answer, 'detach it there first, or name a server that runs'
    )
