"""The releases in a repository, by their tags; tags of other things are passed over."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import Problem
from . import content, manifest
from .publish import layer_digests
from .registry import ACCEPT_ANY, Repository
from .versions import parse_tag


@dataclass(frozen=True)
class Listed:
    """A release in a registry. problem: why the rest of it is not known.

    kubernetes: full version, of the annotation or of metadata.yaml; hash: its first characters; '' where not told.
    """

    tag: str
    provider: str
    stack: str
    version: str
    kubernetes: str
    hash: str
    created: str
    digest: str
    problem: str = ''


def listed(repository: Repository, patterns: tuple[str, ...] = ()) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    """The releases whose tag matches one of the patterns (all without), oldest version first; and the other tags."""
    tags = repository.tags()
    named = {tag: found for tag in tags if (found := parse_tag(tag))}
    chosen = [tag for tag in named if not patterns or any(fnmatch.fnmatchcase(tag, p) for p in patterns)]

    def order(tag: str) -> tuple[Any, ...]:
        identity, version = named[tag]
        kubernetes = identity.kubernetes
        return identity.provider, identity.name, kubernetes.major, kubernetes.minor, version.channel, version.order

    return tuple(_listed(tag, repository) for tag in sorted(chosen, key=order)), tuple(
        t for t in tags if t not in named
    )


def _listed(tag: str, repository: Repository) -> Listed:
    named = parse_tag(tag)
    assert named is not None
    identity, version = named
    known = {'tag': tag, 'provider': identity.provider, 'stack': identity.name, 'version': version.dotted}
    digest = ''
    try:
        found = repository.manifest(tag, ACCEPT_ANY)
        if found is None:
            return Listed(**known, **_nothing(), problem='the tag is listed but cannot be had')
        digest = found[1]
        return Listed(**known, **_details(found[0], tag, repository), digest=digest)
    except Problem as problem:
        return Listed(**known, **{**_nothing(), 'digest': digest}, problem=problem.reason)


def _nothing() -> dict[str, str]:
    return {'kubernetes': '', 'hash': '', 'created': '', 'digest': ''}


def _details(found: Mapping[str, Any], tag: str, repository: Repository) -> dict[str, str]:
    """Releases of older builders have no annotations: then the files are asked."""
    said = manifest.noted(found)
    kubernetes, suffix = said.get('kubernetesVersion', ''), said.get('hash', '')
    if not kubernetes:
        wanted = {content.METADATA, content.HASHES}
        files = {name: repository.blob(d) for name, d in layer_digests(found).items() if name in wanted}
        release = content.content(tag, files)
        kubernetes, suffix = str(release.kubernetes), release.hashes.suffix
    return {'kubernetes': kubernetes, 'hash': suffix, 'created': said.get(manifest.CREATED, '')}
