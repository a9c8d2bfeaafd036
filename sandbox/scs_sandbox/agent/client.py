"""Talk to the agent over its unix socket. Standard library only: the drivers inside the OpenStack services import this
file.

One request per connection: one line of JSON there, one line of JSON back. Operations and shapes:
scs_sandbox/agent/protocol.py.
"""

from __future__ import annotations

import json
import socket
from typing import Any

TIMEOUT = (
    60.0  # seconds; the slowest operation is a stop: 15 s for systemd to power off, then a kill, beside a loaded host
)
MAX_REPLY = 64 << 20  # bytes; a status with every port of a full /16 stays far below


class AgentError(Exception):
    """The agent refused, failed or could not be reached.

    The text says what, on which object, the answer and what to do next.
    """


def call(socket_path: str, op: str, *, timeout: float = TIMEOUT, **arguments: Any) -> dict[str, Any]:
    """Ask the agent for one operation and wait until it is done.

    socket_path: <state>/agent.sock. op: for instance 'server-apply'. timeout: seconds for the whole exchange.
    Returns the reply without its field 'ok'. Raises AgentError with the agent's own words.
    """
    line = json.dumps({'op': op, **arguments}).encode() + b'\n'
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(timeout)
            link.connect(socket_path)
            link.sendall(line)
            text = _read_line(link)
    except OSError as error:
        raise AgentError(
            f'cannot ask the sandbox agent for {op} at {socket_path}: {error or type(error).__name__}\n'
            '  next: look whether the agent runs (scs-sandbox status), then into log/agent.log of the sandbox'
        ) from error
    return _judge(op, text)


def _read_line(link: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < MAX_REPLY:
        part = link.recv(1 << 16)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if part.endswith(b'\n'):
            break
    return b''.join(parts)


def _judge(op: str, text: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(text)
    except ValueError as error:
        raise AgentError(
            f'cannot read the answer of the sandbox agent to {op}: {text[:200]!r}\n'
            '  next: the agent ended in the middle; look into log/agent.log of the sandbox'
        ) from error
    if not isinstance(reply, dict) or not reply.pop('ok', False):
        raise AgentError(str(reply.get('error', reply) if isinstance(reply, dict) else reply))
    return reply
