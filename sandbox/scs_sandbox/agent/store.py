"""Desired state on disk: what the drivers asked for last. Written before it is done, so that a new agent continues."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from ..machines.model import Bind, Image

UNMOUNTABLE = re.compile(r'[\s,:\\]')


@dataclass(frozen=True)
class Config:
    """<state>/agent.json. name: of the sandbox. images: tree name to image. shared: what every server sees."""

    name: str
    images: dict[str, Image]
    shared: tuple[Bind, ...]


def write_config(state: Path, name: str, images: Mapping[str, Image], shared: tuple[Bind, ...] = ()) -> Path:
    """Write the configuration of the agent; the agent reads it when it starts. Returns its path."""
    data = {
        'name': name,
        'images': {key: _image_data(image) for key, image in images.items()},
        'shared': _bind_data(shared),
    }
    path = state / 'agent.json'
    write(path, data)
    return path


def _image_data(image: Image) -> dict[str, Any]:
    return {'path': str(image.path), 'private': list(image.private), 'linked': _bind_data(image.linked)}


def _bind_data(binds: tuple[Bind, ...]) -> list[dict[str, str]]:
    return [{'source': str(bind.source), 'target': bind.target} for bind in binds]


def _binds(data: Any) -> tuple[Bind, ...]:
    return tuple(Bind(Path(item['source']), str(item['target'])) for item in data or ())


def read_config(state: Path) -> Config:
    """The configuration of the agent. Raises SandboxError when it is missing or malformed."""
    path = state / 'agent.json'
    try:
        data = json.loads(path.read_text())
        for item in (state, *(Path(value['path']) for value in data['images'].values())):
            if UNMOUNTABLE.search(str(item)):
                raise ValueError(f'path {item} holds a character that overlayfs does not take in its options')
        images = {
            str(key): Image(Path(value['path']), tuple(value.get('private') or ()), _binds(value.get('linked')))
            for key, value in data['images'].items()
        }
        return Config(str(data['name']), images, _binds(data.get('shared')))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SandboxError(
            'cannot read configuration of the agent',
            str(path),
            f'{type(error).__name__}: {error}',
            'run scs-sandbox up, which writes it, with SCS_SANDBOX_HOME and XDG_CACHE_HOME of plain names',
        ) from error


def write(path: Path, data: Any) -> None:
    """Write JSON atomically, readable for its owner only: user data holds secrets."""
    temporary = path.with_name(f'{path.name}.{threading.get_ident()}.tmp')
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, 'w') as file:
        json.dump(data, file)
    temporary.replace(path)


class Store:
    """Desired state below <state>/desired: one file per server, one for the network, one for the load balancers of each
    region.
    """

    def __init__(self, state: Path) -> None:
        self._servers = state / 'desired' / 'servers'
        self._network = state / 'desired' / 'network.json'
        self._balancers = state / 'desired' / 'balancers'
        for directory in (self._servers, self._balancers):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def server_ids(self) -> list[str]:
        """Servers that shall exist."""
        return sorted(path.stem for path in self._servers.glob('*.json'))

    def server(self, server_id: str) -> dict[str, Any] | None:
        """The last request for a server, None when there shall be none."""
        return self._read(self._servers / f'{server_id}.json')

    def put_server(self, data: Mapping[str, Any]) -> None:
        """Remember what a server shall be."""
        write(self._servers / f'{data["id"]}.json', dict(data))

    def drop_server(self, server_id: str) -> None:
        """Remember that a server shall not exist."""
        (self._servers / f'{server_id}.json').unlink(missing_ok=True)

    def network(self) -> dict[str, Any] | None:
        """The last snapshot, None before the first."""
        return self._read(self._network)

    def put_network(self, snapshot: Mapping[str, Any]) -> None:
        """Remember a snapshot."""
        write(self._network, dict(snapshot))

    def balancers(self) -> list[dict[str, Any]]:
        """Load balancers of all regions as they were asked for last."""
        found = (self._read(path) or {} for path in sorted(self._balancers.glob('*.json')))
        return [item for region in found for item in region['balancers']]

    def put_balancers(self, region: str, balancers: Sequence[Mapping[str, Any]]) -> None:
        """Remember all load balancers of a region."""
        write(self._balancers / f'{region}.json', {'balancers': [dict(item) for item in balancers]})

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SandboxError(
                'cannot read desired state', str(path), str(error), 'remove the file; the cloud sends it again'
            ) from error
        return data if isinstance(data, dict) else None
