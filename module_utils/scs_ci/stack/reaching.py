"""Which files outside of a stack reach it, and which part of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from .discover import IMAGE_LIST
from .versions import Kubernetes, parse_kubernetes
from .yamltext import Broken, parse

# Documents beside the stacks reach no release.
DOCUMENT = re.compile(r'(?i).*\.(md|rst|txt|adoc)|license.*|\.gitignore|codeowners')
LOCAL_CHART = re.compile(r'^\s*(?:- )?repository:\s*["\']?file://(?P<path>[^"\'\s#]+)', re.MULTILINE)


def between(path: str) -> list[str]:
    """Directories above the stack and below the checkout, nearest first."""
    parts = path.split('/')
    return ['/'.join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def is_document(name: str) -> bool:
    return DOCUMENT.fullmatch(PurePosixPath(name).name) is not None


def local_charts(path: str, charts: Mapping[str, str]) -> Iterator[str]:
    """Directories outside of the stack that its charts depend on by `file://`. charts: path of Chart.yaml -> text.

    What lies outside of the checkout has no history, what lies inside the stack is its own.
    """
    if path == '.':
        return
    for name, text in charts.items():
        for match in LOCAL_CHART.finditer(text):
            directory = posixpath.normpath(posixpath.join(posixpath.dirname(name), match['path']))
            if not directory.startswith(('/', '../')) and not f'{directory}/'.startswith(f'{path}/'):
                yield directory


def is_image_list(name: str) -> bool:
    return name.rsplit('/', 1)[-1] == IMAGE_LIST


def images_of_minor(content: bytes, version: Kubernetes) -> Any:
    """An image list without the versions of other minors: what of it reaches a stack of this version.

    A list that cannot be read reaches it wholly, and so does an entry that names no version.
    """
    try:
        documents = parse(content.decode('utf-8', 'replace'))
    except Broken:
        return content
    plain = [document.root.plain() if document.root is not None else None for document in documents]
    for image in _images(plain):
        image['versions'] = [entry for entry in image['versions'] if _reaches(entry, version)]
    return plain


def _images(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        images = document.get('images') if isinstance(document, dict) else None
        for image in images if isinstance(images, list) else ():
            if isinstance(image, dict) and isinstance(image.get('versions'), list):
                yield image


def _reaches(entry: Any, version: Kubernetes) -> bool:
    stated = parse_kubernetes(str(entry.get('version', ''))) if isinstance(entry, dict) else None
    return stated is None or (stated.major, stated.minor) == (version.major, version.minor)
