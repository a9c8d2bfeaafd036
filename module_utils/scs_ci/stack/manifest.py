"""What a manifest says, whatever stands there: registries are not ours, and neither are all artifacts in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TITLE = 'org.opencontainers.image.title'
CREATED = 'org.opencontainers.image.created'
DIGEST = re.compile(r'[a-z0-9]+:[0-9a-f]+')


@dataclass(frozen=True)
class Part:
    """A blob, or a manifest of an index. title: the name of the file that it is, '' without one; size: in bytes."""

    digest: str
    size: int
    title: str


def noted(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Annotations that are texts."""
    said = manifest.get('annotations')
    entries = said.items() if isinstance(said, dict) else ()
    return {str(name): value for name, value in entries if isinstance(value, str)}


def layers(manifest: Mapping[str, Any]) -> tuple[Part, ...]:
    return _parts(manifest.get('layers'))


def config(manifest: Mapping[str, Any]) -> Part | None:
    """The configuration, None without one."""
    return next(iter(_parts([manifest.get('config')])), None)


def images(manifest: Mapping[str, Any]) -> tuple[Part, ...]:
    """The manifests of an index; none when it is none."""
    return _parts(manifest.get('manifests'))


def _parts(listed: Any) -> tuple[Part, ...]:
    """Those entries that have a digest."""
    entries = listed if isinstance(listed, list) else []
    return tuple(
        Part(
            entry['digest'],
            size if isinstance(size := entry.get('size'), int) else 0,
            noted(entry).get(TITLE, ''),
        )
        for entry in entries
        if isinstance(entry, dict) and DIGEST.fullmatch(str(entry.get('digest')))
    )
