"""The whole cloud behind one door: login, faults, round trips, access log. And how code is made to go through it."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import datetime
import email.utils
import io
import json
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import requests
import requests.adapters

from . import identity, wire
from .compute import Compute
from .identity import Identity
from .network import Network
from .storage import Balancers, Images, Volumes
from .store import Settings, Store
from .turns import Event, Executor, Killed, Turns, as_completed, wait
from .wire import Call, Entry, Fault, Lost, Refused, Reply


class Service(Protocol):
    def answer(self, call: Call) -> Reply: ...


class Cloud:
    """faults: of requests; the machinery's are in store.troubles. log: every request that arrived, in order.

    cut: from when until when nothing gets through. nameless: hosts that no resolver knows. killer: asked before and
    after each request whether the process dies there.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.turns = Turns()
        self.store = Store(self.turns, settings or Settings())
        self.identity, self.network = Identity(self.store), Network(self.store)
        self.images, self.balancers, self.compute = Images(self.store), Balancers(self.store), Compute(self.store)
        self.services: dict[str, Service] = {
            'identity': self.identity,
            'compute': self.compute,
            'network': self.network,
            'image': self.images,
            'block-storage': Volumes(self.store),
            'load-balancer': self.balancers,
        }
        self.faults: list[Fault] = []
        self.log: list[Entry] = []
        self.cut = (0.0, 0.0)
        self.nameless = set[str]()
        self.killer: Callable[[int, bool], bool] = lambda _number, _after: False

    def calls(self, since: int = 0) -> collections.Counter[str]:
        """Kind of call to number, from that line of the log on."""
        return collections.Counter(entry.kind for entry in self.log[since:])

    def serve(self, method: str, address: str, content: bytes | str | None, headers: dict[str, str]) -> Reply:
        """One request with its round trip. Lost: no answer; Killed: the process died."""
        call = wire.parse(
            identity.service_of(urllib.parse.urlsplit(address).hostname or ''), method, address, content, headers
        )
        number = len(self.log)
        # keystoneauth logs in under a lock that all threads want, so nobody else could have the turn meanwhile
        travel = (
            self.turns.skip if call.service == 'identity' and not call.headers.get('X-Auth-Token') else self.turns.sleep
        )
        self.turns.check()
        self._maybe_kill(number, False)
        self.log.append(Entry(self.turns.time, call.kind, 0))
        travel(self.store.settings.rtt / 2)
        reply, seconds = self._reply(call)
        self._maybe_kill(number, True)
        travel(self.store.settings.rtt / 2 + seconds)
        if reply is None:
            raise Lost
        self.log[number] = Entry(self.log[number].time, call.kind, reply.status)
        return reply

    def _maybe_kill(self, number: int, after: bool) -> None:
        if self.killer(number, after):
            self.turns.kill()

    def _reply(self, call: Call) -> tuple[Reply | None, float]:
        """The answer, None when it gets lost, and the seconds it takes beyond the way."""
        self.store.advance()
        if self.cut[0] <= self.turns.time < self.cut[1]:
            return None, 0.0
        fault = next((fault for fault in self.faults if fault.hits(call, self.turns.time)), None)
        if fault is None:
            return self._work(call), 0.0
        if not fault.status and not fault.reset:
            return self._work(call), fault.delay
        if fault.after:
            self._work(call)
        if fault.reset:
            return None, fault.delay
        refused = Refused(fault.status, 'injected', 'injected')
        return Reply(refused.body(call.service), fault.status, fault.headers), fault.delay

    def _work(self, call: Call) -> Reply:
        root = urllib.parse.urlsplit(identity.url(call.service)).path
        try:
            if call.method == 'GET' and call.path.rstrip('/') == root.rstrip('/'):
                if call.service == 'block-storage':  # Cinder tells its version only to whom it knows
                    self.identity.demand(call)
                document = identity.versions(call.service)
                assert document
                return document
            if call.path != '/v3/auth/tokens':
                self.identity.demand(call)
            return self.services[call.service].answer(call)
        except Refused as refused:
            return Reply(refused.body(call.service), refused.status)

    @contextlib.contextmanager
    def open(self, directory: Path) -> Iterator[None]:
        """Inside, requests of this process reach this cloud, which clouds.yaml names `cloudsim`; threads take turns."""
        file = directory / 'clouds.yaml'
        file.write_text(json.dumps({'clouds': {'cloudsim': self._entry()}}), encoding='utf-8')
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.dict('os.environ', {'OS_CLIENT_CONFIG_FILE': str(file)}))
            for target, name, value in (
                (requests.adapters.HTTPAdapter, 'send', self._sender()),
                # no proxy is on the way, and looking for one takes a tenth of a request's time
                (requests.sessions, 'get_environ_proxies', lambda *_, **__: {}),
                (socket, 'getaddrinfo', self._resolver()),
                (concurrent.futures, 'ThreadPoolExecutor', partial(Executor, self.turns)),
                (concurrent.futures, 'wait', wait),
                (threading, 'Event', partial(Event, self.turns)),
                (concurrent.futures, 'as_completed', as_completed),
            ):
                stack.enter_context(mock.patch.object(target, name, value))
            yield

    def _entry(self) -> dict[str, Any]:
        auth = {
            'auth_url': identity.url('identity'),
            'username': 'user',
            'password': self.identity.password,
            'project_name': 'project',
            'user_domain_id': 'default',
            'project_domain_id': 'default',
        }
        return {'auth': auth, 'region_name': 'RegionOne', 'interface': 'public', 'identity_api_version': '3'}

    def _resolver(self) -> Callable[..., Any]:
        real = socket.getaddrinfo

        def lookup(host: Any, port: Any, *words: Any, **named: Any) -> Any:
            if not str(host).endswith(identity.ZONE):
                return real(host, port, *words, **named)
            if host in self.nameless:
                raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, '', ('192.0.2.1', port or 0))]

        return lookup

    def _sender(self) -> Callable[..., requests.Response]:
        cloud = self

        def send(_adapter: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            address = request.url or ''
            base = '{0.scheme}://{0.netloc}'.format(urllib.parse.urlsplit(address))
            if urllib.parse.urlsplit(address).hostname in cloud.nameless:
                raise requests.exceptions.ConnectionError('Name or service not known', request=request)
            try:
                reply = cloud.serve(request.method or '', address, request.body, {**request.headers, 'base': base})  # type: ignore[arg-type]
            except Lost:
                raise requests.exceptions.ConnectionError('Connection reset by peer', request=request) from None
            return _response(request, reply, cloud.turns.services())

        return send

    @contextlib.contextmanager
    def process(self) -> Iterator[list[Killed]]:
        """A process that may be killed: what it left is looked at by a new one. The list is empty if it lived."""
        killed: list[Killed] = []
        try:
            yield killed
        except Killed as end:
            killed.append(end)
        finally:
            self.killer = lambda _number, _after: False
            self.turns.revive()


def _response(request: requests.PreparedRequest, reply: Reply, now: datetime.datetime) -> requests.Response:
    response = requests.Response()
    response.status_code, response.url, response.request = reply.status, request.url or '', request
    content = b'' if reply.body is None else json.dumps(reply.body).encode()
    date = email.utils.format_datetime(now, usegmt=True)
    about = {'Content-Type': 'application/json', 'Content-Length': str(len(content)), 'Date': date}
    response.headers.update({**about, **reply.headers})
    response.raw, response.encoding = io.BytesIO(content), 'utf-8'
    return response
