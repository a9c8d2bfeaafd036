"""Requests and answers as plain data, refusals in each service's own words, and faults that are injected."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request as a service sees it. path: without query; query: last value of each name."""

    service: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Body
    headers: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Method, service and path without identities: what calls are counted by."""
        return f'{self.method} {self.service} {template(self.path)}'


@dataclass(frozen=True)
class Reply:
    """status 200 with a body, or what else."""

    body: Body | str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A line of the access log: seconds when it arrived, and what became of it (0: no answer)."""

    time: float
    kind: str
    status: int


class Refused(Exception):
    """An answer that is an error. kind: the service's name for it."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def body(self, service: str) -> Body:
        """Each service wraps its errors differently, and clients look into the wrapping."""
        if service == 'identity' or self.status == 401:  # Keystone's own filter refuses for all services
            return {'error': {'code': self.status, 'title': self.kind, 'message': self.message}}
        if service == 'network':
            return {'NeutronError': {'type': self.kind, 'message': self.message, 'detail': ''}}
        if service == 'load-balancer':
            return {'faultcode': 'Client', 'faultstring': self.message, 'debuginfo': None}
        return {self.kind: {'code': self.status, 'message': self.message}}


class Lost(Exception):
    """No answer at all: the connection broke."""


@dataclass
class Fault:
    """What happens to `count` requests that fit, after the first `skip`: a status, a broken connection (reset), delay.

    after: the service does the work and only the answer is lost. rate: (requests, seconds) that are let through.
    """

    method: str = '.*'
    path: str = ''
    service: str = '.*'
    status: int = 0
    count: int = 1
    skip: int = 0
    after: bool = False
    reset: bool = False
    delay: float = 0.0
    rate: tuple[int, float] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)

    def hits(self, call: Call, now: float) -> bool:
        """Whether this request is one of them; counts it."""
        fits = re.fullmatch(self.method, call.method) and re.fullmatch(self.service, call.service)
        if not fits or not re.search(self.path, call.path) or self.count <= 0:
            return False
        if self.rate:
            recent = [time for time in self.seen if time > now - self.rate[1]]
            self.seen = recent if len(recent) >= self.rate[0] else [*recent, now]
            return len(recent) >= self.rate[0]
        if self.skip:
            self.skip -= 1
            return False
        self.count -= 1
        return True


IDENTITY = re.compile(r'/(?:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|scs-ci-[0-9a-f]{12})(?=/|\.|$)')


def template(path: str) -> str:
    """The path with every identity replaced by a star."""
    return IDENTITY.sub('/*', path)


def parse(service: str, method: str, url: str, content: bytes | str | None, headers: Mapping[str, str]) -> Call:
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    body = json.loads(content) if content else {}
    return Call(service, method, parts.path, query, body, headers)
