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


def inspect(path: str, content: bytes, most: int = MOST_UNPACKED) -> Archive:
    """Name and version inside a chart archive of at most so many bytes unpacked."""
    try:
        files = unpack(content, most)
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


def inspect_all(contents: Mapping[str, bytes]) -> tuple[Archive, ...]:
    """The archives of a stack, which together are not larger than one may be: they are all held in memory."""
    found: list[Archive] = []
    left = MOST_UNPACKED
    for path, content in contents.items():
        found.append(inspect(path, content, left))
        left = max(left - sum(map(len, found[-1].files.values())), 0)
    return tuple(found)


def unpack(content: bytes, most: int = MOST_UNPACKED) -> dict[str, bytes]:
    """Regular files of a tar.gz in memory; ValueError for one that is too large or leaves its directory."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
        plain = packed.read(most + 1)
    if len(plain) > most:
        beside = ' with the archives before it' if most < MOST_UNPACKED else ''
        raise ValueError(f'more than {MOST_UNPACKED >> 20} MiB unpacked{beside}')
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for number, member in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise ValueError(f'more than {MOST_MEMBERS} entries')
            if member.name.startswith('/') or '..' in member.name.split('/'):
                raise ValueError(f'entry {member.name!r} leaves the archive')
            if member.isreg():
                found[member.name.removeprefix('./')] = _member(archive, member, len(plain))
    return found


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    """The content of a file. Holes of sparse files would be read as zeros without end."""
    if member.issparse() or member.size > most:
        raise ValueError(f'entry {member.name!r} says that it is larger than the archive')
    file = archive.extractfile(member)
    return file.read() if file is not None else b''


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
