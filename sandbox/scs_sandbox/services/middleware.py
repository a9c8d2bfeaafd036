"""WSGI middleware: a line in the access log for every request, and faults on request.

Rules: {"http": [{"service", "method", "path", "status", "count", "delay", "rate": [n, seconds], "headers", "body",
"after"}]} in faults.json, read again whenever the file changes.
`after` lets the service do the work and loses the answer. `rate` lets n requests per seconds through.
Standard library only.
"""

from __future__ import annotations

import http
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class Rules:
    """The rules for one service, and how often each was used since the file changed."""

    def __init__(self, service: str, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._path, self._clock = service, path, clock
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._rules: list[dict[str, Any]] = []
        self._used: dict[int, int] = {}
        self._window: dict[int, list[float]] = {}

    def match(self, method: str, path: str) -> dict[str, Any] | None:
        """The first rule that hits this request now, counted as used; None for none."""
        with self._lock:
            self._load()
            for number, rule in enumerate(self._rules):
                fits = re.fullmatch(rule.get('method', '.*'), method) and re.search(rule.get('path', ''), path)
                if fits and self._due(number, rule):
                    self._used[number] = self._used.get(number, 0) + 1
                    return rule
        return None

    def _due(self, number: int, rule: dict[str, Any]) -> bool:
        if 'count' in rule and self._used.get(number, 0) >= rule['count']:
            return False
        if 'rate' not in rule:
            return True
        allowed, seconds = rule['rate']
        now = self._clock()
        recent = [t for t in self._window.get(number, []) if t > now - seconds]
        over = len(recent) >= allowed
        self._window[number] = recent if over else [*recent, now]
        return over

    def _load(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._rules = None, []
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        rules = json.loads(self._path.read_text()).get('http', [])
        self._rules = [rule for rule in rules if rule.get('service', self._service) == self._service]
        self._stamp, self._used, self._window = stamp, {}, {}


class Middleware:
    """Wraps the application of one service. log: its access log, one line per request: time, method, path, status,
    seconds."""

    def __init__(self, application: Application, rules: Rules, log: Path) -> None:
        self._application, self._rules = application, rules
        self._log = log.open('a', buffering=1)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began, clock = time.time(), time.monotonic()
        path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
        statuses = ['-']

        def recorded(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            statuses[:] = [status.split(' ', 1)[0]]
            return start_response(status, headers, *rest)

        try:
            return self._answer(environ, recorded, path)
        finally:
            seconds = time.monotonic() - clock
            self._log.write(f'{began:.3f} {environ["REQUEST_METHOD"]} {path} {statuses[0]} {seconds:.4f}\n')

    def _answer(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        rule = self._rules.match(environ['REQUEST_METHOD'], path)
        if rule is None:
            return self._application(environ, start_response)
        time.sleep(rule.get('delay', 0))
        if not rule.get('status'):
            return self._application(environ, start_response)
        if rule.get('after'):
            for _ in self._application(environ, lambda *_: lambda data: None):
                pass
        return _refuse(rule, start_response)


def _refuse(rule: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    code = int(rule['status'])
    default = json.dumps({'error': {'code': code, 'title': 'Injected', 'message': 'injected by scs-sandbox faults'}})
    body = str(rule.get('body', default)).encode()
    headers = [
        ('Content-Type', 'application/json'),
        ('Content-Length', str(len(body))),
        *map(tuple, rule.get('headers', {}).items()),
    ]
    start_response(f'{code} {http.HTTPStatus(code).phrase}', headers)
    return [body]
