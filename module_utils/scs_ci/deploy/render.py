"""The class chart's objects, rendered as the operator renders them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..core import process
from ..core.errors import ProductProblem
from .kinds import Object
from .objects import Release

# A class chart has no dependencies and renders in a fraction of a second; a loaded machine may take some.
HELM_SECONDS = 60


def render_class(archive: Path, release: Release, space: str, tools: Path | None = None) -> list[Object]:
    """`helm template` with the operator's release name and, as it does, without a Kubernetes version."""
    search = f'{tools / "bin"}:{os.environ.get("PATH", "")}' if tools else tools_path(os.environ)
    helm = process.program('helm', search)
    done = process.run(
        [helm, 'template', release.stack_object, archive, '--namespace', space],
        timeout=HELM_SECONDS,
        cwd=archive.parent,
    )
    if done.code:
        raise ProductProblem('helm cannot render', f'class chart {archive.name}', done.last_words(), 'fix the template')
    return documents(done.stdout, archive.name)


def tools_path(environment: Mapping[str, str]) -> str:
    """PATH with the programs of SCS_CI_TOOLS first."""
    named = environment.get('SCS_CI_TOOLS')
    path = environment.get('PATH', '')
    return f'{Path(named) / "bin"}:{path}' if named else path


def documents(text: str, source: str) -> list[Object]:
    """The non-empty YAML documents; each must be an object with a kind and a name."""
    try:
        found: list[Any] = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ProductProblem('cannot parse', f'rendering of {source}', str(error), 'fix the template') from error
    for document in found:
        named = isinstance(document, dict) and document.get('kind') and (document.get('metadata') or {}).get('name')
        if not named:
            answer = f'a document without kind or name: {str(document)[:200]}'
            raise ProductProblem('cannot use', f'rendering of {source}', answer, 'fix the template')
    return found
