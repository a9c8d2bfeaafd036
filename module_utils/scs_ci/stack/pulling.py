"""Releases that were made before: from a registry, a directory or an archive."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import UsageProblem
from . import content
from .content import Content
from .publish import layer_digests
from .registry import Credentials, Repository


def pull(tag: str, repository: Repository) -> Content:
    """The release under a tag or a digest; UsageProblem when the registry has no such thing."""
    found = repository.manifest(tag)
    if found is None:
        answer = 'the registry has no such tag'
        advice = f"see 'scs-ci release list {repository}'"
        raise UsageProblem('cannot find', f'release {repository}:{tag}', answer, advice)
    files = {name: repository.blob(digest) for name, digest in sorted(layer_digests(found[0]).items())}
    return content.content(tag, files)


def load(reference: str, ca: Path | None, credentials: Credentials) -> Content:
    """The release that somebody names: a directory, a tar.gz of one, or `HOST[:PORT]/REPOSITORY:TAG` (or `@DIGEST`)."""
    path = Path(reference)
    if path.is_dir():
        return content.from_directory(path)
    if path.is_file():
        return content.from_archive(path)
    repository, tag = split(reference)
    return pull(tag, Repository(repository, ca, credentials))


def split(reference: str) -> tuple[str, str]:
    """Repository and tag or digest; UsageProblem without either."""
    if '@' in reference:
        repository, _, tag = reference.partition('@')
    else:
        repository, _, tag = reference.rpartition(':')
    if not tag or '/' not in repository.removeprefix('oci://') or '/' in tag:
        answer = 'it is neither a directory, nor a file, nor HOST[:PORT]/REPOSITORY:TAG'
        raise UsageProblem('cannot find', f'release {reference!r}', answer, 'correct it')
    return repository, tag
