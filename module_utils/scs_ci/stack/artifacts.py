"""Artifacts that a registry should hold, and how old what it holds is."""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.errors import Problem, UsageProblem
from . import manifest
from .registry import ACCEPT_ANY, Repository
from .semver import parse_version

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Artifact:
    """An entry of the list. tag: '' for the newest version; digest, most_days: '' and 0 for any."""

    name: str
    repository: str
    tag: str = ''
    digest: str = ''
    most_days: float = 0.0


@dataclass(frozen=True)
class Held:
    """What a registry holds under a tag. age: in days, None when the artifact does not say when it was made."""

    tag: str
    digest: str
    age: float | None


def read(path: Path) -> tuple[Artifact, ...]:
    """The list in a TOML file; UsageProblem for a file that is none."""
    try:
        plain = tomllib.loads(path.read_text(encoding='utf-8'))
        entries = shape.load(_List, plain, str(path)).artifact
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        answer = getattr(error, 'strerror', None) or str(error)
        raise UsageProblem('cannot read', f'list of artifacts {path}', answer, 'correct --artifacts') from error
    except Problem as problem:
        advice = 'see examples/registry/artifacts.toml'
        raise UsageProblem('cannot read', f'list of artifacts {path}', problem.answer, advice) from problem
    if not entries:
        raise UsageProblem('cannot read', f'list of artifacts {path}', 'it has no entry', 'leave --artifacts out')
    return entries


@dataclass(frozen=True)
class _List:
    artifact: tuple[Artifact, ...] = ()


def look(artifact: Artifact, repository: Repository, now: datetime.datetime) -> Held | str:
    """What the repository holds of an artifact, or why that is nothing. Raises as Repository does."""
    tag = artifact.tag or newest(repository.tags())
    if not tag:
        return 'there is no such repository, or it is empty'
    found = repository.manifest(tag, ACCEPT_ANY)
    if found is None:
        return f'there is no tag {tag}'
    return Held(tag, found[1], _age(_created(found[0], repository), now))


def newest(tags: tuple[str, ...]) -> str:
    """The tag with the highest version; of tags without versions the last by name, '' without any."""
    versions = {tag: version for tag in tags if (version := parse_version(tag)) is not None}
    return max(versions, key=lambda tag: versions[tag]) if versions else max(tags, default='')


def _created(content: Mapping[str, Any], repository: Repository) -> str:
    """When it was made: by its annotation, by the configuration of an image, by the first image of an index."""
    said = manifest.noted(content).get(manifest.CREATED, '')
    images, config = manifest.images(content), manifest.config(content)
    if said:
        return said
    if images:
        found = repository.manifest(images[0].digest)
        return _created(found[0], repository) if found and not manifest.images(found[0]) else ''
    try:
        image = json.loads(repository.blob(config.digest)) if config else {}
    except (ValueError, RecursionError):
        return ''  # only images have a configuration that is JSON
    return str(image.get('created', '')) if isinstance(image, dict) else ''


def _age(created: str, now: datetime.datetime) -> float | None:
    try:
        made = datetime.datetime.fromisoformat(created)
    except ValueError:
        return None
    made = made if made.tzinfo else made.replace(tzinfo=datetime.UTC)
    return max((now - made) / DAY, 0.0)


def fault(artifact: Artifact, held: Held) -> str:
    """What is wrong with what the registry holds, '' when it is as the list wants it."""
    if artifact.digest and artifact.digest != held.digest:
        return f'tag {held.tag} has digest {held.digest}, wanted {artifact.digest}'
    if artifact.most_days and held.age is None:
        return f'tag {held.tag} does not say when it was made'
    if artifact.most_days and held.age is not None and held.age > artifact.most_days:
        return f'tag {held.tag} is {held.age:.0f} days old, wanted at most {artifact.most_days:g}'
    return ''
