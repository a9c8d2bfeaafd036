"""A release as it was built: its files, and what metadata.yaml and hashes.json say. From a directory or an archive."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import Problem, ProductProblem, UsageProblem
from . import archive
from .release import RELEASED_NODE_IMAGES, Versions
from .treehash import Hashes
from .versions import Kubernetes, ReleaseVersion, parse_kubernetes, parse_release
from .yamlfile import yaml_file

METADATA, HASHES = 'metadata.yaml', 'hashes.json'
# A release has some megabytes; what is larger is none, and would only fill the memory.
MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Content:
    """title: for messages; hashes: with '' for what the builder did not write."""

    title: str
    kubernetes: Kubernetes
    versions: Versions
    hashes: Hashes
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def node_images(self) -> bytes | None:
        return self.files.get(RELEASED_NODE_IMAGES)


def content(title: str, files: Mapping[str, bytes]) -> Content:
    """What the files of a release say; ProductProblem for a release that the operator could not read either."""
    if METADATA not in files:
        raise _broken(title, f'it has no {METADATA}')
    said = yaml_file(METADATA, files[METADATA])
    if said.broken or said.root is None:
        raise _broken(title, f'{METADATA} is no YAML: {said.broken.message if said.broken else "empty"}')
    kubernetes = parse_kubernetes(said.value('versions', 'kubernetes'))
    if kubernetes is None:
        raise _broken(title, f'{METADATA} has Kubernetes version {said.value("versions", "kubernetes")!r}')
    stack = _version(title, said.value('versions', 'clusterStack'))
    addon, image = (said.value('versions', 'components', name) for name in ('clusterAddon', 'nodeImage'))
    versions = Versions(stack, _version(title, addon or stack.dotted), _version(title, image or 'v1'))
    return Content(title, kubernetes, versions, _hashes(files.get(HASHES, b'{}')), files)


def _version(title: str, text: str) -> ReleaseVersion:
    try:
        return parse_release(text)
    except Problem as problem:
        raise _broken(title, f'{METADATA} has version {text!r}, {problem.answer}') from problem


def _hashes(text: bytes) -> Hashes:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        plain = None
    values = plain if isinstance(plain, dict) else {}
    names = ('clusterStack', 'clusterAddonDir', 'clusterAddonValues', 'nodeImageDir')
    return Hashes(*(str(values.get(name) or '') for name in names))


def _broken(title: str, answer: str) -> ProductProblem:
    return ProductProblem('cannot read', f'release {title}', answer, "build it again with 'scs-ci release build'")


def from_directory(directory: Path) -> Content:
    """The release in a directory."""
    files: dict[str, bytes] = {}
    size = 0
    try:
        for path in sorted(directory.iterdir()):
            if path.is_file():
                size += path.stat().st_size
                if size > MOST_BYTES:
                    answer = f'it has more than {MOST_BYTES >> 20} MiB'
                    raise UsageProblem(
                        'will not read', f'release {directory}', answer, 'name the directory of one release'
                    )
                files[path.name] = path.read_bytes()
    except OSError as error:
        answer = error.strerror or str(error)
        raise UsageProblem('cannot read', f'release {directory}', answer, 'name the directory of a release') from error
    return content(directory.resolve().name, files)


def from_archive(path: Path) -> Content:
    """The release in a tar.gz, at its top or in its only directory."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f'more than {MOST_BYTES >> 20} MiB')
        packed = archive.unpack(path.read_bytes())
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        answer = f'not an archive of a release: {error}'
        raise UsageProblem('cannot read', f'release {path}', answer, 'name a tar.gz of a release directory') from error
    heads = {name.rpartition('/')[0] for name in packed if name.rpartition('/')[2] == METADATA}
    if len(heads) != 1:
        answer = f'{len(heads)} directories in it have a {METADATA}, must be one'
        raise UsageProblem('cannot read', f'release {path}', answer, 'name a tar.gz of a release directory')
    (head,) = heads
    prefix = f'{head}/' if head else ''
    own = {name[len(prefix) :]: data for name, data in packed.items() if name.startswith(prefix)}
    return content(path.name, {name: data for name, data in own.items() if '/' not in name})
