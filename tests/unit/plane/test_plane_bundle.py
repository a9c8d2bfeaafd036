"""Archives for plane hosts: complete, equal for equal content, made once."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from scs_ci.core.errors import ToolProblem, UsageProblem
from scs_ci.plane import bundle

pytestmark = pytest.mark.unit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / 'checkout' / 'module_utils' / 'scs_ci'
    (package / 'core').mkdir(parents=True)
    (package / '__init__.py').write_text('')
    (package / 'core' / '__init__.py').write_text('x = 1\n')
    (package / 'core' / 'notes.pyc').write_bytes(b'left out')
    return tmp_path / 'checkout'


def names(archive: str) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_code_holds_sources_alone(checkout: Path, tmp_path: Path) -> None:
    found = bundle.code(checkout, tmp_path / 'cache')
    assert names(found.path) == ['scs_ci', 'scs_ci/__init__.py', 'scs_ci/core', 'scs_ci/core/__init__.py']
    assert hashlib.sha256(Path(found.path).read_bytes()).hexdigest() == found.sha256


def test_equal_content_gives_equal_bytes(checkout: Path, tmp_path: Path) -> None:
    first, second = bundle.code(checkout, tmp_path / 'a'), bundle.code(checkout, tmp_path / 'b')
    assert (first.name, first.sha256) == (second.name, second.sha256)


def test_made_once(checkout: Path, tmp_path: Path) -> None:
    first = bundle.code(checkout, tmp_path / 'cache')
    stamp = Path(first.path).stat().st_mtime_ns
    assert bundle.code(checkout, tmp_path / 'cache') == first
    assert Path(first.path).stat().st_mtime_ns == stamp
    assert not [path for path in (tmp_path / 'cache').iterdir() if path.is_dir() and path.name.startswith('.')]


def test_changed_code_has_another_name(checkout: Path, tmp_path: Path) -> None:
    first = bundle.code(checkout, tmp_path / 'cache')
    (checkout / 'module_utils/scs_ci/core/__init__.py').write_text('x = 2\n')
    assert bundle.code(checkout, tmp_path / 'cache').name != first.name


def test_tools(tmp_path: Path) -> None:
    tools = tmp_path / 'tools'
    (tools / 'bin').mkdir(parents=True)
    (tools / 'manifests-src' / 'capi').mkdir(parents=True)
    (tools / 'manifests-src' / 'capi' / 'a.yaml').write_text('a: 1\n')
    (tools / 'versions.json').write_text('{}\n')
    for name in ('etcd', 'csctl'):
        (tools / 'bin' / name).write_bytes(b'\x7fELF')
        (tools / 'bin' / name).chmod(0o755)
    found = bundle.tools(tools, tmp_path / 'cache')
    assert 'bin/etcd' in names(found.path)
    assert 'bin/csctl' not in names(found.path)
    assert {'manifests-src/capi/a.yaml', 'versions.json'} <= set(names(found.path))
    with tarfile.open(found.path) as tar:
        assert tar.getmember('bin/etcd').mode == 0o755
        assert tar.getmember('versions.json').mode == 0o644


def test_no_programs(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match='cannot find programs'):
        bundle.tools(tmp_path, tmp_path / 'cache')


def test_unknown_machine(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match='cannot bundle for machine s390x'):
        bundle.packages(checkout, '3.11', 's390x', tmp_path / 'cache')


def test_no_lock(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match='cannot find lock'):
        bundle.packages(checkout, '3.11', 'x86_64', tmp_path / 'cache')


def test_a_failed_bundle_leaves_nothing(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / 'requirements').mkdir()
    (checkout / 'requirements' / 'runtime.txt').write_text('')
    failing = tmp_path / 'bin' / 'uv'
    failing.parent.mkdir()
    failing.write_text('#!/bin/sh\necho no index >&2\nexit 2\n')
    failing.chmod(0o755)
    monkeypatch.setenv('PATH', str(failing.parent), prepend=':')
    with pytest.raises(ToolProblem, match='no index'):
        bundle.packages(checkout, '3.11', 'x86_64', tmp_path / 'cache')
    assert [path for path in (tmp_path / 'cache').iterdir() if path.is_dir()] == []
