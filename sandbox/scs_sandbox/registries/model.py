"""What is asked of the mirror and what it answers; a part of the OCI distribution specification 1.1, pulling only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

MANIFEST, BLOB = 'manifests', 'blobs'
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests; `ns` is containerd's.
PATH = re.compile(r'/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)')
COMPONENT = re.compile(r'[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*')
TAG = re.compile(r'\w[\w.-]{0,127}', re.ASCII)
DIGEST = re.compile(r'sha256:[0-9a-f]{64}')
REGISTRY = re.compile(r'[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*(?::[0-9]{1,5})?')
# What a manifest is that does not say it.
MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
BLOB_TYPE = 'application/octet-stream'


@dataclass(frozen=True)
class Request:
    """registry: 'ghcr.io'. name: 'flannel-io/flannel'. kind: manifests or blobs. reference: tag or digest. accept:
    media types of manifests, as the client sent them.
    """

    registry: str
    name: str
    kind: str
    reference: str
    accept: str = '*/*'

    def __str__(self) -> str:
        return f'{self.registry}/{self.name}{"@" if DIGEST.fullmatch(self.reference) else ":"}{self.reference}'


@dataclass(frozen=True)
class Answer:
    """content: the bytes, or a file with them. origin: mirror, cache, stale (the registry did not answer), upstream."""

    status: int
    content: bytes | Path
    origin: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


class Source(Protocol):
    """Something that has images of registries."""

    def get(self, request: Request) -> Answer:
        """The manifest or blob, or an error in the form of the specification."""
        ...


def parse(target: str, accept: str = '*/*') -> Request | None:
    """The request of a path with query; None if it is none of those that the mirror knows."""
    url = urlsplit(target)
    path = PATH.fullmatch(url.path)
    registry = parse_qs(url.query).get('ns', [''])[0]
    if not path or not REGISTRY.fullmatch(registry):
        return None
    reference, named = path['reference'], path['kind'] == MANIFEST and TAG.fullmatch(path['reference'])
    if not named and not DIGEST.fullmatch(reference):
        return None
    if not all(COMPONENT.fullmatch(part) for part in path['name'].split('/')):
        return None
    return Request(registry, path['name'], path['kind'], reference, accept)


def error(status: int, code: str, message: str) -> Answer:
    """An error as registries tell it; containerd shows the message in the event of the pod."""
    body = json.dumps({'errors': [{'code': code, 'message': message}]}).encode()
    return Answer(status, body, 'none', {'Content-Type': 'application/json'})


def found(request: Request, content: bytes | Path, origin: str, digest: str, media_type: str) -> Answer:
    """A manifest or blob that is there."""
    kind = BLOB_TYPE if request.kind == BLOB else media_type
    return Answer(200, content, origin, {'Content-Type': kind, 'Docker-Content-Digest': digest})


def media_type(manifest: bytes) -> str:
    """What a manifest says that it is."""
    try:
        return str(json.loads(manifest).get('mediaType') or MANIFEST_TYPE)
    except (ValueError, AttributeError):
        return MANIFEST_TYPE
