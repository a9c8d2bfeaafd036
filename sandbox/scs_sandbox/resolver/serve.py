"""The resolver of a sandbox, in threads of its agent: listens in the lab, asks the host's resolver outside of it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.dns import PTR
from dnslib.server import DNSLogger, DNSServer

from .. import names, netns
from ..errors import SandboxError
from ..network.model import Snapshot, parse_snapshot
from ..network.plan import API_ADDRESS
from .views import DOMAIN, Views, views

PORT = 53
TTL = 5  # seconds; servers and floating addresses come and go
UPSTREAM_TIMEOUT = 1.0  # seconds; clients give up after 1 s with the resolv.conf that servers have
UPSTREAM_PAUSE = 30.0  # seconds without asking a resolver that did not answer: a machine without network stays quick
REVERSE = '.in-addr.arpa'

log = logging.getLogger('scs_sandbox.agent')


class Directory:
    """The views, from the agent's desired state, read again when that has changed."""

    def __init__(self, state: Path) -> None:
        self._network = state / 'desired' / 'network.json'
        self._servers = state / 'desired' / 'servers'
        self._lock = threading.Lock()
        self._key: object = None
        self._views = views(Snapshot(), {})

    def views(self) -> Views:
        """As of now."""
        with self._lock:
            # Files are replaced, never written to, so their directory tells of every change.
            key = (self._servers.stat().st_mtime_ns, self._network.parent.stat().st_mtime_ns)
            if key != self._key:
                self._views, self._key = self._read(), key
            return self._views

    def _read(self) -> Views:
        snapshot = parse_snapshot(json.loads(self._network.read_text())) if self._network.exists() else Snapshot()
        servers = [json.loads(path.read_text()) for path in self._servers.glob('*.json')]
        return views(snapshot, {str(s['id']): str(s.get('hostname') or s['name']) for s in servers})


class Resolver:
    """Answers requests. clock and send are the world: send(request, address) returns the answer of a resolver."""

    def __init__(
        self,
        look: Callable[[], Views],
        upstream: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
        send: Callable[[Any, str], Any] | None = None,
    ) -> None:
        self._look, self._upstream, self._clock = look, tuple(upstream), clock
        self._send = send or ask
        self._quiet_until = 0.0

    def resolve(self, request: Any, handler: Any) -> Any:
        """The reply to a request; handler: of dnslib, it knows the client."""
        view = self._look().of(str(handler.client_address[0]))
        name, kind = str(request.q.qname).rstrip('.').lower(), QTYPE[request.q.qtype]
        reply = request.reply()
        if name in view.forward:
            addresses = view.forward[name] if kind in ('A', 'ANY') else ()  # others: the name exists, without that
            for address in addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=TTL))
            return reply
        if name.endswith(REVERSE):
            address = '.'.join(reversed(name.removesuffix(REVERSE).split('.')))
            if address in view.reverse:
                reply.add_answer(RR(request.q.qname, QTYPE.PTR, rdata=PTR(view.reverse[address]), ttl=TTL))
                return reply
        local = '.' not in name or name.endswith(f'.{DOMAIN}')
        answer = None if local else self._forward(request)
        if answer is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        return answer

    def _forward(self, request: Any) -> Any:
        """The answer of the first resolver of the host that gives one."""
        if self._clock() < self._quiet_until:
            return None
        for address in self._upstream:
            try:
                return self._send(request, address)
            except (OSError, ValueError) as error:
                log.info('resolver %s did not answer for %s: %s', address, request.q.qname, error)
        if self._upstream:
            self._quiet_until = self._clock() + UPSTREAM_PAUSE
        return None


def ask(request: Any, address: str) -> Any:
    """Ask a resolver. Raises OSError when it does not answer in time."""
    return DNSRecord.parse(request.send(address, PORT, timeout=UPSTREAM_TIMEOUT))


def nameservers(text: str) -> list[str]:
    """The resolvers that a resolv.conf names."""
    rows = (line.split() for line in text.splitlines())
    return [row[1] for row in rows if len(row) > 1 and row[0] == 'nameserver']


def start(state: Path, resolv_conf: Path = Path('/etc/resolv.conf')) -> list[str]:
    """Listen in the lab of the sandbox from now on, in threads. Returns the host's resolvers.

    Raises SandboxError when the address cannot be used.
    """
    upstream = nameservers(resolv_conf.read_text()) if resolv_conf.exists() else []
    resolver = Resolver(Directory(state).views, upstream)
    space = names.namespace_path(names.lab_namespace(state.name))
    address = API_ADDRESS.partition('/')[0]
    for tcp in (False, True):
        try:
            server = netns.within(space, partial(_server, resolver, address, tcp))
        except OSError as error:
            raise SandboxError(
                'cannot listen for names at', f'{address}:{PORT}', str(error), 'look who listens there'
            ) from error
        server.start_thread()
    return upstream


def _server(resolver: Resolver, address: str, tcp: bool) -> Any:
    return DNSServer(
        resolver, address=address, port=PORT, tcp=tcp, logger=DNSLogger('-request,-reply,-truncated,-data')
    )
