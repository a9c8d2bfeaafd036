"""Publishing a release: never over another one, verified by pulling it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InfrastructureProblem, ProductProblem, ToolProblem, UsageProblem
from . import archive, manifest
from .content import Content
from .registry import MANIFEST_TYPE, Repository
from .versions import parse_tag

ARTIFACT_TYPE = 'application/vnd.scs.cluster-stacks.v1'
EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'
# As csctl writes them, `layer` missing in the class archive included; readers select by title and ignore the types.
TYPES = {
    'clusteraddon.yaml': 'application/vnd.scs.cluster-addon.config.layer.v1+yaml',
    'metadata.yaml': 'application/vnd.scs.metadata.layer.v1+yaml',
    'hashes.json': 'application/vnd.scs.hashes.layer.v1+yaml',
    'node-images.yaml': 'application/vnd.scs.node-image.config.layer.v1+yaml',
}
ARCHIVE_TYPES = {
    '-cluster-addon-': 'application/vnd.scs.cluster-addon.layer.v1.tar+gzip',
    '-cluster-class-': 'application/vnd.scs.cluster-class.v1.tar+gzip',
    '-node-image-': 'application/vnd.scs.node-image.layer.v1.tar+gzip',
}
OTHER_TYPE = 'application/vnd.oci.image.layer.v1.tar'


@dataclass(frozen=True)
class Published:
    """A release in a registry. digest: of its manifest; new: False when exactly this release was there already."""

    reference: str
    digest: str
    new: bool


class TagTaken(ProductProblem):
    """The tag exists with other content."""

    verdict = 'tag-taken'


def media_type(name: str) -> str:
    """Media type of a file of a release."""
    fitting = (kind for part, kind in ARCHIVE_TYPES.items() if part in name and name.endswith('.tgz'))
    return TYPES.get(name) or next(fitting, OTHER_TYPE)


def read_release(directory: Path) -> dict[str, bytes]:
    """Files of a release directory by name."""
    try:
        files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}
    except OSError as error:
        raise ToolProblem(
            'cannot read', f'release {directory}', error.strerror or str(error), "run 'scs-ci build' first"
        ) from error
    if 'metadata.yaml' not in files:
        raise ToolProblem(
            'cannot publish', f'release {directory}', 'it has no metadata.yaml', "run 'scs-ci build' again"
        )
    return files


def demand_publishable(release: Content) -> None:
    """ProductProblem for a release that the operator would not find or not accept under the name of its directory."""
    named = parse_tag(release.title)
    if named is None:
        answer = 'the name of its directory is no <provider>-<stack>-<major>-<minor>-<version>'
        raise UsageProblem('cannot publish', f'release {release.title}', answer, 'name the directory that was built')
    identity, version = named
    wanted = identity.class_archive(version)
    packed = archive.inspect(wanted, release.files.get(wanted, b''))
    faults = (
        (version != release.versions.stack, f'metadata.yaml has version {release.versions.stack.dotted}'),
        (not identity.kubernetes.agrees(release.kubernetes), f'metadata.yaml has Kubernetes {release.kubernetes}'),
        (wanted not in release.files, f'it has no {wanted}, for which the operator looks'),
        (bool(packed.problem), f'{wanted} is {packed.problem}'),
        (packed.name != identity.class_chart, f'the chart in {wanted} is called {packed.name}'),
        (packed.version != version.dotted, f'the chart in {wanted} has version {packed.version}'),
    )
    fault = next((answer for wrong, answer in faults if wrong), '')
    if fault:
        advice = "build it with 'scs-ci release build'"
        raise ProductProblem('cannot publish', f'release {release.title}', fault, advice)


def publish(files: Mapping[str, bytes], tag: str, annotations: Mapping[str, str], repository: Repository) -> Published:
    """Push the files of a release as `repository:tag`, then pull and compare everything.

    A tag that already holds exactly these files is a success; with other files TagTaken is raised, nothing changed.
    """
    existing = repository.manifest(tag)
    if existing:
        _demand_equal(files, existing[0], f'{repository}:{tag}')
    else:
        _push(files, tag, annotations, repository)
    digest = _verify(files, tag, repository)
    return Published(f'{repository}:{tag}', digest, existing is None)


def _push(files: Mapping[str, bytes], tag: str, annotations: Mapping[str, str], repository: Repository) -> None:
    layers = [
        {**repository.push_blob(content, media_type(name)), 'annotations': {manifest.TITLE: name}}
        for name, content in sorted(files.items())
    ]
    content = {
        'schemaVersion': 2,
        'mediaType': MANIFEST_TYPE,
        'artifactType': ARTIFACT_TYPE,
        'config': {**repository.push_blob(b'{}', EMPTY_TYPE), 'data': 'e30='},
        'layers': layers,
        'annotations': dict(annotations),
    }
    repository.push_manifest(tag, content)


def layer_digests(found: Mapping[str, Any]) -> dict[str, str]:
    """Title of each layer -> digest; layers without title under their digest."""
    return {layer.title or layer.digest: layer.digest for layer in manifest.layers(found)}


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: f'sha256:{hashlib.sha256(content).hexdigest()}' for name, content in files.items()}


def _demand_equal(files: Mapping[str, bytes], existing: Mapping[str, Any], reference: str) -> None:
    there, ours = layer_digests(existing), _digests(files)
    differing = sorted(name for name in {*there, *ours} if there.get(name) != ours.get(name))
    if differing:
        raise TagTaken(
            'will not overwrite',
            f'release {reference}',
            f'the tag exists with other content: {", ".join(differing)} differ',
            'give the changed stack a new version, or delete the tag if it was a mistake',
        )


def _verify(files: Mapping[str, bytes], tag: str, repository: Repository) -> str:
    """Pull the release and compare every byte; returns the digest of the manifest."""
    found = repository.manifest(tag)
    if found is None:
        raise InfrastructureProblem(
            'cannot find', f'release {repository}:{tag}', 'it was pushed a moment ago', 'see the log of the registry'
        )
    content, digest = found
    pulled = {name: repository.blob(blob) for name, blob in layer_digests(content).items()}
    if pulled != dict(files):
        raise TagTaken(
            'found other content in',
            f'release {repository}:{tag}',
            'somebody pushed the same tag meanwhile',
            'run it again',
        )
    return digest
