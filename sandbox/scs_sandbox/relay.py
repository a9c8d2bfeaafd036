"""Make chosen ports of the lab reachable on the host's loopback, for a browser or a debugger.

Only what is asked for, only on 127.0.0.0/8, only while the relay runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import SandboxError
from .netns import within

CONNECT_SECONDS = 5.0  # everything in the lab is on this machine: later is never
CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True)
class Route:
    """From an address on the host's loopback to an address in the lab."""

    listen: tuple[str, int]
    target: tuple[str, int]

    def __str__(self) -> str:
        return f'{self.listen[0]}:{self.listen[1]} -> {self.target[0]}:{self.target[1]}'


def parse(text: str) -> Route:
    """A route from `127.0.0.1:PORT=ADDRESS:PORT`. Raises SandboxError for anything else, also off loopback."""
    found = re.fullmatch(r'([\d.]+):(\d+)=([\d.]+):(\d+)', text)
    try:
        if not found:
            raise ValueError('it is not of the form 127.0.0.1:PORT=ADDRESS:PORT')
        if not ipaddress.IPv4Address(found.group(1)).is_loopback:
            raise ValueError('a relay listens on loopback (127.0.0.0/8) only')
        ipaddress.IPv4Address(found.group(3))
        ports = int(found.group(2)), int(found.group(4))
        if not all(0 < port < 65536 for port in ports):
            raise ValueError('a port is between 1 and 65535')
    except ValueError as error:
        raise SandboxError('cannot relay', text, str(error), 'for instance 127.0.0.1:8080=198.18.1.7:80') from error
    return Route((found.group(1), ports[0]), (found.group(3), ports[1]))


def relay(namespace: Path, routes: Sequence[Route]) -> None:
    """Relay until SIGTERM or SIGINT. Raises SandboxError when an address is taken or there is no such lab."""
    within(namespace, lambda: None)  # a lab that is not up is told now, not at the first connection
    listeners = [_listen(route) for route in routes]
    for route in routes:
        print(f'relay {route}', file=sys.stderr, flush=True)
    asyncio.run(_serve(namespace, list(zip(routes, listeners, strict=True))))


def _listen(route: Route) -> socket.socket:
    try:
        return socket.create_server(route.listen)
    except OSError as error:
        advice = 'choose another port, or see who listens there with `ss -ltnp`'
        raise SandboxError('cannot relay', str(route), error.strerror or str(error), advice) from error


async def _serve(namespace: Path, listening: Sequence[tuple[Route, socket.socket]]) -> None:
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # we are called by one
        tasks.add(task)
        try:
            await _connection(namespace, route, reader, writer)
        finally:
            tasks.discard(task)

    servers = []
    for route, listener in listening:

        async def connected(r: asyncio.StreamReader, w: asyncio.StreamWriter, route: Route = route) -> None:
            await accept(route, r, w)

        servers.append(await asyncio.start_server(connected, sock=listener))
    await done.wait()
    for server in servers:
        server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _connection(
    namespace: Path, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One client: connect in the lab and copy both ways until both sides have said all."""

    def connect() -> socket.socket:
        return socket.create_connection(route.target, CONNECT_SECONDS)

    try:
        inside = await asyncio.to_thread(within, namespace, connect)
        inside.setblocking(False)
        lab_reader, lab_writer = await asyncio.open_connection(sock=inside)
    except (OSError, SandboxError) as error:
        print(f'relay {route}: {error}', file=sys.stderr, flush=True)
        writer.close()
        return
    try:
        await asyncio.gather(_copy(reader, lab_writer), _copy(lab_reader, writer))
    finally:
        for end in (lab_writer, writer):
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # the other side went away: so does this one
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
