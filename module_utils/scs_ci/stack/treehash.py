"""Content hashes of a stack, identical to those of csctl (Go's dirhash.Hash1, squashed)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

ADDON_DIR = 'cluster-addon/'
# csctl looks for `node-image`, while stacks have `node-images`; hashes must be csctl's, so the singular stays.
NODE_IMAGE_DIR = 'node-image/'
ADDON_VALUES = 'cluster-addon-values.yaml'
SUFFIX = 7  # characters of the hash in a version


@dataclass(frozen=True)
class Hashes:
    """Content of hashes.json; '' for parts the stack does not have."""

    cluster_stack: str
    addon_dir: str
    addon_values: str
    node_image_dir: str

    @property
    def suffix(self) -> str:
        return self.cluster_stack[:SUFFIX]


def squash(digest: bytes) -> str:
    """Base64 without `/`, `=`, `+`, in lower case."""
    return base64.b64encode(digest).decode().translate(str.maketrans('', '', '/=+')).lower()


def tree(files: Mapping[str, bytes], below: str = '') -> str:
    """Hash of all files below a directory prefix ('' or 'dir/'), '' when there are none. Keys are paths with `/`."""
    chosen = {path[len(below) :]: content for path, content in files.items() if path.startswith(below)}
    return tree_of_digests({path: hashlib.sha256(content).hexdigest() for path, content in chosen.items()})


def tree_of_digests(digests: Mapping[str, str]) -> str:
    """Hash of a tree from the SHA-256 of each file, lower-case hexadecimal; '' for no file."""
    # Python compares strings by code point, which is the order of their UTF-8 bytes
    lines = [f'{digest}  {path}\n' for path, digest in sorted(digests.items())]
    return squash(hashlib.sha256(''.join(lines).encode('utf-8', 'surrogateescape')).digest()) if lines else ''


def hashes(files: Mapping[str, bytes]) -> Hashes:
    """All hashes of a stack from its files, keyed by the path below the stack directory."""
    values = files.get(ADDON_VALUES)
    return Hashes(
        cluster_stack=tree(files),
        addon_dir=tree(files, ADDON_DIR),
        addon_values=squash(hashlib.sha256(values).digest()) if values is not None else '',
        node_image_dir=tree(files, NODE_IMAGE_DIR),
    )
