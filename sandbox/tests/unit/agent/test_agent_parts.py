"""Client, protocol, store, names, sweep: without root."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scs_sandbox import names, sweep
from scs_sandbox.agent import serve, store
from scs_sandbox.agent.client import AgentError, call
from scs_sandbox.agent.protocol import OPERATIONS
from scs_sandbox.errors import SandboxError
from scs_sandbox.machines.model import Bind, Image

pytestmark = pytest.mark.unit


@pytest.fixture
def answer(tmp_path: Path) -> Iterator[Any]:
    """Serve one connection with fixed bytes; gives the path of the socket."""
    path = tmp_path / 's'
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threads: list[threading.Thread] = []

    def with_bytes(text: bytes) -> str:
        def work() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(1 << 16)
                link.sendall(text)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return str(path)

    yield with_bytes
    for thread in threads:
        thread.join(5)
    listener.close()


def test_client_gives_the_reply(answer: Any) -> None:
    assert call(answer(b'{"ok": true, "state": "running"}\n'), 'server-status', id='x') == {'state': 'running'}


def test_client_raises_the_agents_words(answer: Any) -> None:
    with pytest.raises(AgentError, match='no such thing'):
        call(answer(b'{"ok": false, "error": "no such thing"}\n'), 'status')


def test_client_tells_a_broken_answer(answer: Any) -> None:
    with pytest.raises(AgentError, match='next: '):
        call(answer(b'{"ok": tr'), 'status')


def test_client_tells_a_missing_agent(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match='next: look whether the agent runs'):
        call(str(tmp_path / 'none'), 'status')


class Double:
    """Stands for the worker; remembers what it was asked."""

    def server_delete(self, server_id: str) -> list[str]:
        if server_id == 'bad':
            raise SandboxError('cannot end', 'server bad', 'why', 'what')
        return [server_id]


def test_dispatch_turns_every_failure_into_a_reply() -> None:
    worker: Any = Double()
    assert serve.dispatch(worker, {'op': 'server-delete', 'id': 'a'}, lambda: None) == {'ok': True, 'removed': ['a']}
    assert (
        serve.dispatch(worker, {'op': 'server-delete', 'id': 'bad'}, lambda: None)['error']
        == 'cannot end server bad: why\n  next: what'
    )
    assert 'next: ' in serve.dispatch(worker, {'op': 'server-delete'}, lambda: None)['error']
    assert 'server-apply' in serve.dispatch(worker, {'op': 'nonsense'}, lambda: None)['error']
    assert 'stop' in OPERATIONS


def test_config_round_trip(tmp_path: Path) -> None:
    store.write_config(tmp_path, 'box', {'plain': Image(Path('/t'), ('/var/lib/etcd',))}, (Bind(Path('/a'), '/b'),))
    assert (tmp_path / 'agent.json').stat().st_mode & 0o777 == 0o600
    config = store.read_config(tmp_path)
    assert (config.name, config.images['plain'].private, config.shared[0].target) == ('box', ('/var/lib/etcd',), '/b')
    store.write_config(tmp_path, 'box', {'plain': Image(Path('/t,t'))})
    with pytest.raises(SandboxError, match='overlayfs'):
        store.read_config(tmp_path)


def test_desired_state_survives(tmp_path: Path) -> None:
    first = store.Store(tmp_path)
    first.put_server({'id': 'x', 'user_data': 'secret'})
    first.put_network({'networks': []})
    again = store.Store(tmp_path)
    assert (again.server_ids(), again.network()) == (['x'], {'networks': []})
    assert next((tmp_path / 'desired/servers').iterdir()).stat().st_mode & 0o777 == 0o600
    again.drop_server('x')
    assert again.server('x') is None


@pytest.mark.parametrize('name', ['', 'A', 'a-b', '1a', 'a' * 17, '../x'])
def test_a_name_that_would_not_be_safe_is_refused(name: str) -> None:
    with pytest.raises(SandboxError, match='cannot use sandbox name'):
        names.check_name(name)


def test_prefixes_tell_sandboxes_apart() -> None:
    assert names.belongs('scs-sandbox-a', 'a')
    assert names.belongs('scs-sandbox-a-net-1', 'a')
    assert not names.belongs('scs-sandbox-ab', 'a')
    assert len(names.port_link('6005052a-3a34-59e3-815f-5cebba3097eb')) <= 15


def test_state_directory_follows_the_environment() -> None:
    assert names.state_directory('a', {'SCS_SANDBOX_HOME': '/x'}) == Path('/x/a')
    assert names.state_directory('a', {}) == Path('/var/lib/scs-sandbox/a')


def test_mounts_are_found_deepest_first() -> None:
    points = ('/', '/s/box', '/s/box/a\\040b', '/s/boxer')
    info = ''.join(f'{number} 1 0:1 / {point} rw - tmpfs t rw\n' for number, point in enumerate(points))
    assert sweep.mounts_below(info, Path('/s/box')) == ['/s/box/a b', '/s/box']
