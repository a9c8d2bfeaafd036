"""Archives: reading charts packed by others with care, writing ours so that equal content gives equal bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import yamltext

# A packed chart larger than this, unpacked, is an attack or an accident; cilium unpacks to 2 MB.
MOST_UNPACKED = 64 * 1024 * 1024
MOST_MEMBERS = 20_000


@dataclass(frozen=True)
class Archive:
    """A packed chart. path: where it lies; name, version: from the Chart.yaml inside; problem: why it is unreadable.

    files: its files below the directory of the chart.
    """

    path: str
    name: str
    version: str
    problem: str = ''
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)


def inspect(path: str, content: bytes) -> Archive:
    """Name and version inside a chart archive."""
    try:
        files = unpack(content)
        metas = [name for name in files if name.count('/') == 1 and name.endswith('/Chart.yaml')]
        if len(metas) != 1:
            return Archive(path, '', '', f'{len(metas)} files <chart>/Chart.yaml, must be one')
        document = yamltext.parse(files[metas[0]].decode('utf-8', 'replace'))
    except (OSError, EOFError, tarfile.TarError, ValueError, yamltext.Broken) as error:
        return Archive(path, '', '', f'not a chart archive: {error}')
    root = document[0].root if document else None
    if root is None:
        return Archive(path, '', '', 'empty Chart.yaml')
    head = metas[0].removesuffix('Chart.yaml')
    own = {name.removeprefix(head): data for name, data in files.items() if name.startswith(head)}
    return Archive(path, root.value('name'), root.value('version'), files=own)


def unpack(content: bytes) -> dict[str, bytes]:
    """Regular files of a tar.gz in memory; ValueError for one that is too large or leaves its directory."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
        plain = packed.read(MOST_UNPACKED + 1)
    if len(plain) > MOST_UNPACKED:
        raise ValueError(f'more than {MOST_UNPACKED >> 20} MiB unpacked')
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for number, member in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise ValueError(f'more than {MOST_MEMBERS} entries')
            if member.name.startswith('/') or '..' in member.name.split('/'):
                raise ValueError(f'entry {member.name!r} leaves the archive')
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                found[member.name.removeprefix('./')] = file.read()
    return found


def pack(files: Mapping[str, bytes], directories: bool = False) -> bytes:
    """A tar.gz of the files, the same bytes for the same files: sorted, no owner, no time, fixed modes.

    directories: add entries for directories, which the Cluster Stack Operator's unpacker expects in addon archives.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename='', fileobj=buffer, mode='wb', mtime=0, compresslevel=9) as packed,
        tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as archive,
    ):
        entries: dict[str, bytes | None] = dict(files)
        if directories:
            entries.update({parent: None for path in files for parent in _parents(path)})
        for path, content in sorted(entries.items()):
            archive.addfile(_entry(path, content), io.BytesIO(content or b''))
    return buffer.getvalue()


def _parents(path: str) -> list[str]:
    parts = path.split('/')
    return ['/'.join(parts[:end]) for end in range(1, len(parts))]


def _entry(path: str, content: bytes | None) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mtime, entry.mode = 0, 0o644
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    else:
        entry.size = len(content)
    return entry
