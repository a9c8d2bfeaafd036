"""Whether a registry does its work for those who pull and push: each thing that was looked at is one line."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import Problem
from . import artifacts, manifest, registry_host
from .artifacts import DAY, Artifact
from .registry import ACCEPT_ANY, Credentials, Repository


@dataclass(frozen=True)
class Look:
    """One thing that was looked at. ok: None when it could not be tried; facts: numbers and digests for programs."""

    subject: str
    check: str
    ok: bool | None
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What must be so. private: also pulls are made with the account; slowest: seconds; days: left to certificates."""

    ca: Path | None
    credentials: Credentials
    private: bool
    slowest: float
    days: float
    now: datetime.datetime


def check(references: Iterable[str], listed: Iterable[Artifact], wanted: Wanted) -> Iterator[Look]:
    """Look at the registries of the repositories, then at the repositories, then at the artifacts."""
    repositories = [Repository(reference, wanted.ca) for reference in references]
    silent = set()
    for host in dict.fromkeys(repository.host for repository in repositories):
        looks = list(_host(host, wanted))
        silent |= {host} if len(looks) == 1 else set()
        yield from looks
    for repository in repositories:
        if repository.host in silent:
            for name in ('pull', 'push'):
                yield Look(str(repository), name, None, 'not tried, the registry does not answer')
        else:
            yield _look(str(repository), 'pull', partial(_pull, _with_account(repository, wanted, wanted.private)))
            yield _push(repository, wanted)
    for artifact in listed:
        yield _artifact(artifact, wanted)


def _with_account(repository: Repository, wanted: Wanted, account: bool = True) -> Repository:
    return Repository(str(repository), wanted.ca, wanted.credentials if account else None)


def _look(subject: str, name: str, work: Callable[[], Look]) -> Look:
    """What work says, or its problem on one line."""
    try:
        return replace(work(), subject=subject, check=name)
    except Problem as problem:
        return Look(subject, name, False, problem.reason, {'verdict': problem.verdict})


def _good(text: str, **facts: Any) -> Look:
    return Look('', '', True, text, facts)


def _host(host: str, wanted: Wanted) -> Iterator[Look]:
    """The looks at a registry: a single one when none answers there."""
    try:
        door = registry_host.knock(host, wanted.ca)
    except Problem as problem:
        yield Look(host, 'answer', False, problem.reason, {'verdict': problem.verdict})
        return
    slow = door.seconds > wanted.slowest
    text = f'{door.seconds:.3f} s' + (f', wanted at most {wanted.slowest:g} s' if slow else '')
    yield Look(host, 'answer', not slow, text, {'seconds': round(door.seconds, 4)})
    yield _certificate(host, door.expires, wanted)
    yield _look(host, 'login', lambda: _good(registry_host.log_in(host, wanted.ca, door.challenge, wanted.credentials)))


def _certificate(host: str, expires: datetime.datetime | None, wanted: Wanted) -> Look:
    if expires is None:
        return Look(host, 'certificate', None, 'the connection does not tell when it ends')
    left = (expires - wanted.now) / DAY
    text = f'ends in {left:.1f} days, on {expires:%Y-%m-%d}' + (
        f', wanted at least {wanted.days:g}' if left < wanted.days else ''
    )
    return Look(host, 'certificate', left >= wanted.days, text, {'days': round(left, 2)})


def _pull(repository: Repository) -> Look:
    """The manifest of a tag and its smallest blob: both ways that a pull goes, without the weight."""
    tags = repository.tags()
    if not tags:
        return Look('', '', False, 'there is nothing to pull: no such repository, or it is empty')
    tag = artifacts.newest(tags)
    found = repository.manifest(tag, ACCEPT_ANY)
    if found is None:
        return Look('', '', False, f'tag {tag} is listed but cannot be had')
    content, digest = found
    images = manifest.images(content)
    if images:
        one = repository.manifest(images[0].digest, ACCEPT_ANY)
        if one is None:
            return Look('', '', False, f'tag {tag} is an index of manifests that cannot be had')
        content = one[0]
    config = manifest.config(content)
    blobs = [*manifest.layers(content), *([config] if config else [])]
    if not blobs:
        return Look('', '', False, f'tag {tag} has a manifest without blobs')
    repository.blob(min(blobs, key=lambda blob: blob.size).digest)
    return _good(f'{len(tags)} tags, pulled {tag}', tags=len(tags), tag=tag, digest=digest)


def _push(repository: Repository, wanted: Wanted) -> Look:
    if not wanted.credentials.user:
        return Look(str(repository), 'push', None, 'not tried, no account in OCI_USERNAME and OCI_PASSWORD')

    def tried() -> Look:
        stays = _with_account(repository, wanted).try_upload()
        return _good(f'an upload may begin{f"; its session was not cancelled: {stays}" if stays else ""}')

    return _look(str(repository), 'push', tried)


def _artifact(artifact: Artifact, wanted: Wanted) -> Look:
    def looked() -> Look:
        account = wanted.credentials if wanted.private else None
        held = artifacts.look(artifact, Repository(artifact.repository, wanted.ca, account), wanted.now)
        if isinstance(held, str):
            return Look('', '', False, f'{artifact.repository}: {held}')
        fault = artifacts.fault(artifact, held)
        age = 'unknown age' if held.age is None else f'{held.age:.0f} days old'
        text = f'{artifact.repository}:{held.tag}@{held.digest}, {age}'
        facts = {'tag': held.tag, 'digest': held.digest, 'days': None if held.age is None else round(held.age, 2)}
        return Look('', '', not fault, f'{artifact.repository}: {fault}' if fault else text, facts)

    return _look(artifact.name, 'artifact', looked)
