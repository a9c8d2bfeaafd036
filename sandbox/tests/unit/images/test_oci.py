"""The writer of OCI archives, checked by reading what it wrote."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scs_sandbox.images import oci
from scs_sandbox.images.oci import Entry, Image

pytestmark = pytest.mark.unit

BASE = (Entry('/etc/passwd', text='root:x:0:0::/:/bin/sh\n'), Entry('/tmp', 0o1777), Entry('/bin/sh', link='busybox'))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / 'program'
    file.write_bytes(b'\x7fELF program')
    return file


def images(program: Path) -> list[Image]:
    own = (Entry('/usr/local/bin/a', 0o755, source=program),)
    return [
        Image(('example.org/a:v1', 'example.org/a:v2'), (BASE, own), ('/usr/local/bin/a',), simulated=('a is b',)),
        Image(('example.org/base:1',), (BASE,), command=('sh', '-c', 'true'), user='65535:65535'),
    ]


def written(target: Path, program: Path, scratch: Path) -> dict[str, bytes]:
    scratch.mkdir(exist_ok=True)
    oci.write(images(program), target, 'amd64', scratch)
    with tarfile.open(target) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def by_reference(parts: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    found = {}
    for described in json.loads(parts['index.json'])['manifests']:
        manifest = json.loads(parts[blob(described)])
        name = described['annotations']['io.containerd.image.name']
        found[name] = {**manifest, 'config': json.loads(parts[blob(manifest['config'])])}
    return found


def blob(described: dict[str, Any]) -> str:
    return 'blobs/sha256/' + described['digest'].removeprefix('sha256:')


def test_every_blob_has_the_digest_that_its_name_says(tmp_path: Path, program: Path) -> None:
    parts = written(tmp_path / 'a.tar', program, tmp_path / 'scratch')
    blobs = {name.rpartition('/')[2]: content for name, content in parts.items() if name.startswith('blobs/')}
    assert {hashlib.sha256(content).hexdigest() for content in blobs.values()} == set(blobs)
    assert len(blobs) == 2 + 2 + 2, 'configs, manifests, and each layer once'
    assert parts['oci-layout'] == b'{"imageLayoutVersion":"1.0.0"}'


def test_references_lead_to_config_and_layers(tmp_path: Path, program: Path) -> None:
    parts = written(tmp_path / 'a.tar', program, tmp_path / 'scratch')
    found = by_reference(parts)
    assert set(found) == {'example.org/a:v1', 'example.org/a:v2', 'example.org/base:1'}
    first = found['example.org/a:v2']
    assert first['config']['config']['Entrypoint'] == ['/usr/local/bin/a']
    assert first['config']['config']['Labels'] == {'scs_ci_simulated': 'a is b'}
    assert first['config']['rootfs']['diff_ids'] == [described['digest'] for described in first['layers']]
    assert (first['config']['architecture'], first['config']['os']) == ('amd64', 'linux')
    plain = found['example.org/base:1']['config']['config']
    assert (plain['Cmd'], plain['User']) == (['sh', '-c', 'true'], '65535:65535')
    assert 'Labels' not in plain
    sizes = [described['size'] for described in first['layers']]
    assert sizes == [len(parts[blob(described)]) for described in first['layers']]


def test_layers_hold_parents_before_what_is_in_them(tmp_path: Path, program: Path) -> None:
    parts = written(tmp_path / 'a.tar', program, tmp_path / 'scratch')
    base, own = by_reference(parts)['example.org/a:v1']['layers']
    with tarfile.open(fileobj=io.BytesIO(parts[blob(base)])) as archive:
        members = {member.name: member for member in archive}
        assert list(members) == ['bin', 'bin/sh', 'etc', 'etc/passwd', 'tmp']
        assert members['tmp'].mode == 0o1777
        assert members['bin/sh'].linkname == 'busybox'
        assert {member.mtime for member in members.values()} == {0}
    with tarfile.open(fileobj=io.BytesIO(parts[blob(own)])) as archive:
        file = archive.getmember('usr/local/bin/a')
        assert (file.mode, file.uid, file.size) == (0o755, 0, program.stat().st_size)
        assert archive.getnames() == ['usr', 'usr/local', 'usr/local/bin', 'usr/local/bin/a']


def test_equal_contents_give_equal_archives_whatever_the_order_and_the_time(tmp_path: Path, program: Path) -> None:
    first = oci.layer(BASE, tmp_path / 'one.tar')
    second = oci.layer(tuple(reversed(BASE)), tmp_path / 'two.tar')
    assert first.digest == second.digest
    written(tmp_path / 'a.tar', program, tmp_path / 'scratch')
    program.touch()
    written(tmp_path / 'b.tar', program, tmp_path / 'scratch')
    assert (tmp_path / 'a.tar').read_bytes() == (tmp_path / 'b.tar').read_bytes()
    assert not list((tmp_path / 'scratch').iterdir()), 'layers are removed when they are in the archive'
