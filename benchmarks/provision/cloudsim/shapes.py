"""What answers look like, without what they say: to hold an imagined cloud against a real one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests

from .wire import template

# Mappings whose keys are content: names of networks, marks, properties.
OPAQUE = frozenset({'addresses', 'metadata', 'extra_specs', 'rules'})
SERVICES = ('identity', 'placement', 'image', 'compute', 'network', 'block-storage', 'load-balancer')

Shapes = dict[str, list[str]]


def shape(value: Any, path: str = '') -> set[str]:
    """'path: type' of every leaf; items of a list are merged into one."""
    if isinstance(value, Mapping) and path.rsplit('.', 1)[-1] not in OPAQUE:
        return {f'{path}: object'}.union(*(shape(inner, f'{path}.{key}') for key, inner in value.items()))
    if isinstance(value, list):
        return {f'{path}: list'}.union(*(shape(inner, f'{path}[]') for inner in value))
    names = {type(None): 'null', bool: 'boolean', int: 'number', float: 'number', str: 'string'}
    return {f'{path}: {names.get(type(value), "object")}'}


def kind(method: str, url: str, status: int, catalog: Mapping[str, str]) -> str:
    """'POST compute /v2.1/servers 202'. catalog: host and port to the type of the service."""
    parts = urlsplit(url)
    return f'{method} {catalog.get(parts.netloc, parts.netloc)} {template(parts.path).rstrip("/") or "/"} {status}'


@contextlib.contextmanager
def recorded(catalog: Mapping[str, str]) -> Iterator[Shapes]:
    """The shapes of all answers to this process, by kind of call. Complete when the block ends."""
    found: dict[str, set[str]] = {}
    shapes: Shapes = {}
    send = requests.Session.send

    def noting(session: requests.Session, request: requests.PreparedRequest, **named: Any) -> requests.Response:
        response = send(session, request, **named)
        name = kind(request.method or '', request.url or '', response.status_code, catalog)
        found.setdefault(name, set()).update(shape(json.loads(response.text)) if response.text.strip() else ())
        return response

    with mock.patch.object(requests.Session, 'send', noting):
        yield shapes
    shapes.update({name: sorted(lines) for name, lines in sorted(found.items())})


def differences(imagined: Shapes, real: Shapes) -> list[str]:
    """Where the imagined cloud answers what a real one does not; that it leaves out what nobody reads is no difference.

    A leaf that may be null fits any type.
    """
    found = []
    for name, lines in imagined.items():
        if name not in real:
            found.append(f'{name}: a real cloud gave no such answer')
            continue
        types: dict[str, set[str]] = {}
        for line in real[name]:
            path, _, what = line.rpartition(': ')
            types.setdefault(path, set()).add(what)
        for line in lines:
            path, _, what = line.rpartition(': ')
            if path not in types:
                found.append(f'{name}: {path} is not there')
            elif what not in types[path] and 'null' not in {what, *types[path]}:
                found.append(f'{name}: {path} is {what}, really {" or ".join(sorted(types[path]))}')
    return found
