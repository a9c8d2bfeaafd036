"""Images in a directory: `<registry>/<repository>` is an OCI image layout, as
`skopeo copy docker://ghcr.io/a/b:1 oci:DIR/ghcr.io/a/b:1` writes it. Nothing leaves the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .model import BLOB, DIGEST, Answer, Request, error, found, media_type

# https://github.com/opencontainers/image-spec/blob/main/annotations.md
REFERENCE = 'org.opencontainers.image.ref.name'


class Layouts:
    """The layouts below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, request: Request) -> Answer:
        """A blob of the layout of the repository; tags are looked up in its index."""
        layout = self.directory / request.registry / request.name
        if not layout.is_dir():
            return error(404, 'NAME_UNKNOWN', f'the mirror has no directory {layout}')
        digest, told = request.reference, ''
        if not DIGEST.fullmatch(digest):
            try:
                descriptor = tagged(json.loads((layout / 'index.json').read_text()), request.reference)
            except (OSError, ValueError, TypeError, AttributeError, KeyError) as problem:
                return error(500, 'UNKNOWN', f'{layout}/index.json is no index of an OCI layout: {problem}')
            if descriptor is None:
                return error(404, 'MANIFEST_UNKNOWN', f'{layout}/index.json has no {request.reference}')
            digest, told = str(descriptor.get('digest')), str(descriptor.get('mediaType') or '')
        file = layout / 'blobs' / 'sha256' / digest.removeprefix('sha256:')
        if not DIGEST.fullmatch(digest) or not file.is_file():
            return error(404, 'BLOB_UNKNOWN', f'{layout} has no {digest}')
        if request.kind == BLOB:
            return found(request, file, 'mirror', digest, '')
        manifest = file.read_bytes()
        return found(request, manifest, 'mirror', digest, told or media_type(manifest))


def tagged(index: Mapping[str, Any], tag: str) -> Mapping[str, Any] | None:
    """The descriptor of a tag; one whose name is a whole reference counts by its end, as containerd exports it."""
    for descriptor in index['manifests']:
        name = str((descriptor.get('annotations') or {}).get(REFERENCE, ''))
        if name == tag or name.endswith(f':{tag}'):
            return dict(descriptor)
    return None
