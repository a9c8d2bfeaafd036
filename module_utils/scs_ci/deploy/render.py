"""The class chart's objects, rendered as the operator renders them and by the renderer that `check` uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..core.errors import ProductProblem
from ..stack.helm import helm
from .kinds import Object
from .objects import Release


def render_class(archive: Path, release: Release, space: str, tools: Path | None = None) -> list[Object]:
    """A packed class chart's objects: with the operator's release name and, as it does, no Kubernetes version."""
    with helm(tools) as program:
        output = program.template(archive.absolute(), release.stack_object, space)
    if output.error:
        where = f'{output.template}:{output.line} in {archive.name}' if output.template else archive.name
        raise ProductProblem('helm cannot render', where, output.error, 'fix the template')
    return [obj for part in output.parts for obj in documents(part.text, part.template)]


def documents(text: str, source: str) -> list[Object]:
    """The non-empty YAML documents; each must be an object with a kind and a name."""
    try:
        found: list[Any] = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ProductProblem('cannot parse', f'rendering of {source}', str(error), 'fix the template') from error
    for document in found:
        meta = document.get('metadata') if isinstance(document, dict) else None
        if not (isinstance(meta, dict) and meta.get('name') and document.get('kind') and document.get('apiVersion')):
            answer = f'a document without apiVersion, kind or name: {str(document)[:200]}'
            raise ProductProblem('cannot use', f'rendering of {source}', answer, 'fix the template')
    return found
