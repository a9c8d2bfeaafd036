"""Write container images as one archive in the OCI image layout, without a container engine.

Format: OCI image specification 1.1 (image-layout, image-index, manifest, config). Containerd takes the name of an image
from the annotation `io.containerd.image.name` of the index. Layers are uncompressed: they are read once, on the same
machine. Equal contents give equal digests: entries are sorted, owned by root and dated to the epoch.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

MEDIA = 'application/vnd.oci.image'
CHUNK = 1 << 20
DEFAULT_ENVIRONMENT = ('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',)


@dataclass(frozen=True)
class Entry:
    """One thing in a layer, at the absolute path `path`.

    Exactly one of: source (a file of this machine), text (content), link (target of a symbolic link); none of them is a
    directory.
    """

    path: str
    mode: int = 0o644
    source: Path | None = None
    text: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Image:
    """An image: references as a kubelet asks for them, layers from the lowest, and what the container runs.

    simulated: what is not as in the image that these names mean elsewhere; in the label scs_ci_simulated.
    """

    references: tuple[str, ...]
    layers: tuple[tuple[Entry, ...], ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ''
    environment: tuple[str, ...] = DEFAULT_ENVIRONMENT
    simulated: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Blob:
    """A content-addressed part of an archive: its SHA-256 in hexadecimal, its size, and where it is."""

    digest: str
    size: int
    content: bytes | Path

    def descriptor(self, kind: str) -> dict[str, Any]:
        """How other parts refer to it; kind: what follows application/vnd.oci.image."""
        return {'mediaType': f'{MEDIA}.{kind}', 'digest': f'sha256:{self.digest}', 'size': self.size}


def write(images: Iterable[Image], target: Path, architecture: str, scratch: Path) -> None:
    """Write all images into the archive `target`; equal layers are stored once.

    architecture: as Go names it ('amd64'). scratch: an existing directory for the layers while they are made.
    """
    blobs: dict[str, Blob] = {}
    manifests: list[dict[str, Any]] = []
    done: dict[tuple[Entry, ...], Blob] = {}
    for image in images:
        for entries in image.layers:
            if entries not in done:
                done[entries] = layer(entries, scratch / f'layer-{len(done)}.tar')
        parts, described = manifest(image, [done[entries] for entries in image.layers], architecture)
        blobs |= {blob.digest: blob for blob in (*parts, *(done[entries] for entries in image.layers))}
        manifests += described
    index = {'schemaVersion': 2, 'mediaType': f'{MEDIA}.index.v1+json', 'manifests': manifests}
    with tarfile.open(target, 'w', format=tarfile.GNU_FORMAT) as archive:
        _add(archive, 'oci-layout', _json({'imageLayoutVersion': '1.0.0'}))
        _add(archive, 'index.json', _json(index))
        for digest, blob in sorted(blobs.items()):
            _add(archive, f'blobs/sha256/{digest}', blob.content)
    for blob in done.values():
        if isinstance(blob.content, Path):
            blob.content.unlink(missing_ok=True)


def manifest(image: Image, layers: list[Blob], architecture: str) -> tuple[list[Blob], list[dict[str, Any]]]:
    """Config and manifest of an image as blobs, and the descriptors for the index: one for each reference."""
    labels = {'scs_ci_simulated': ', '.join(image.simulated)} if image.simulated else {}
    wanted: Mapping[str, Any] = {
        'Entrypoint': list(image.entrypoint),
        'Cmd': list(image.command),
        'User': image.user,
        'Env': list(image.environment),
        'Labels': labels,
    }
    platform = {'architecture': architecture, 'os': 'linux'}
    config = _blob(
        {
            **platform,
            'config': {name: value for name, value in wanted.items() if value},
            'rootfs': {'type': 'layers', 'diff_ids': [f'sha256:{blob.digest}' for blob in layers]},
            'history': [{'created_by': 'scs-sandbox'} for _ in layers],
        }
    )
    body = _blob(
        {
            'schemaVersion': 2,
            'mediaType': f'{MEDIA}.manifest.v1+json',
            'config': config.descriptor('config.v1+json'),
            'layers': [blob.descriptor('layer.v1.tar') for blob in layers],
        }
    )
    described = [
        {
            **body.descriptor('manifest.v1+json'),
            'platform': platform,
            'annotations': {
                'io.containerd.image.name': reference,
                'org.opencontainers.image.ref.name': reference.rpartition(':')[2],
            },
        }
        for reference in image.references
    ]
    return [config, body], described


def layer(entries: Iterable[Entry], target: Path) -> Blob:
    """Write a layer as a tar file and say its digest; directories above an entry are added."""
    with target.open('wb') as file:
        _write_layer(entries, file)
    digest = hashlib.sha256()
    with target.open('rb') as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return Blob(digest.hexdigest(), target.stat().st_size, target)


def _write_layer(entries: Iterable[Entry], file: BinaryIO) -> None:
    wanted = {entry.path.strip('/'): entry for entry in entries}
    for path in list(wanted):
        for parent in PurePosixPath(path).parents:
            if str(parent) != '.':
                wanted.setdefault(str(parent), Entry(str(parent), 0o755))
    with tarfile.open(fileobj=file, mode='w', format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(wanted, key=lambda path: path.split('/')):  # parents before what is in them
            _add_entry(archive, path, wanted[path])


def _add_entry(archive: tarfile.TarFile, path: str, entry: Entry) -> None:
    info = tarfile.TarInfo(path)
    info.mode = entry.mode
    if entry.link is not None:
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.link
        archive.addfile(info)
    elif entry.text is not None:
        content = entry.text.encode()
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    elif entry.source is not None:
        info.size = entry.source.stat().st_size
        with entry.source.open('rb') as content_file:
            archive.addfile(info, content_file)
    else:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open('rb') as file:
        archive.addfile(info, file)


def _blob(value: Mapping[str, Any]) -> Blob:
    content = _json(value)
    return Blob(hashlib.sha256(content).hexdigest(), len(content), content)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(',', ':')).encode()
