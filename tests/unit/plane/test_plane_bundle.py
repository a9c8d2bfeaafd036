"""Archives for plane hosts: complete, equal for equal content, made once."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scs_ci.core.errors import ToolProblem, UsageProblem
from scs_ci.plane import bundle

pytestmark = pytest.mark.unit

INSTALL = Path(__file__).resolve().parents[3] / 'roles/ensure-scs-ci/files/install.sh'
OURS = f'{sys.version_info.major}.{sys.version_info.minor}'
MAIN = """
import os, sys
print(os.environ['SCS_CI_TOOLS'] if 'tools' in sys.argv else sys.argv[1:])
"""
OTHER = '2.7'  # whose byte code we cannot make


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
    found = bundle.code(checkout, OTHER, tmp_path / 'cache')
    assert names(found.path) == ['scs_ci', 'scs_ci/__init__.py', 'scs_ci/core', 'scs_ci/core/__init__.py']
    assert hashlib.sha256(Path(found.path).read_bytes()).hexdigest() == found.sha256


def test_code_is_compiled_for_a_python_like_ours(checkout: Path, tmp_path: Path) -> None:
    found = bundle.code(checkout, OURS, tmp_path / 'cache')
    place = tmp_path / 'host'
    with tarfile.open(found.path) as tar:
        tar.extractall(place, filter='data')
    module = place / 'scs_ci/core/__init__.py'
    compiled = Path(importlib.util.cache_from_source(str(module)))
    assert compiled.is_file()
    before = compiled.read_bytes()
    answer = subprocess.run(
        [sys.executable, '-v', '-c', 'import scs_ci.core; print(scs_ci.core.x)'],
        env={'PYTHONPATH': str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout == '1\n'
    assert f"code object from '{compiled}'" in answer.stderr, 'the host compiled it again'
    assert compiled.read_bytes() == before


def test_with_byte_code_it_has_another_name(checkout: Path, tmp_path: Path) -> None:
    names_of = [bundle.code(checkout, python, tmp_path / 'cache').name for python in (OURS, OTHER)]
    assert len(set(names_of)) == 2


def test_equal_content_gives_equal_bytes(checkout: Path, tmp_path: Path) -> None:
    first, second = bundle.code(checkout, OURS, tmp_path / 'a'), bundle.code(checkout, OURS, tmp_path / 'b')
    assert (first.name, first.sha256) == (second.name, second.sha256)


def test_made_once(checkout: Path, tmp_path: Path) -> None:
    first = bundle.code(checkout, OTHER, tmp_path / 'cache')
    stamp = Path(first.path).stat().st_mtime_ns
    assert bundle.code(checkout, OTHER, tmp_path / 'cache') == first
    assert Path(first.path).stat().st_mtime_ns == stamp
    assert not [path for path in (tmp_path / 'cache').iterdir() if path.is_dir() and path.name.startswith('.')]


def test_changed_code_has_another_name(checkout: Path, tmp_path: Path) -> None:
    first = bundle.code(checkout, OTHER, tmp_path / 'cache')
    (checkout / 'module_utils/scs_ci/core/__init__.py').write_text('x = 2\n')
    assert bundle.code(checkout, OTHER, tmp_path / 'cache').name != first.name


def test_what_is_written_meanwhile_does_not_get_the_name_of_what_was_there(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = checkout / 'module_utils/scs_ci/core/__init__.py'
    ensure = bundle._ensure

    def late(cache: Path, kind: str, key: str, fill: Callable[[Path], None]) -> bundle.Bundle:
        module.write_text('x = 2\n')
        return ensure(cache, kind, key, fill)

    monkeypatch.setattr(bundle, '_ensure', late)
    with tarfile.open(bundle.code(checkout, OTHER, tmp_path / 'cache').path) as tar:
        member = tar.extractfile('scs_ci/core/__init__.py')
        assert member
        assert member.read() == b'x = 1\n'


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    tools = tmp_path / 'tools'
    (tools / 'bin').mkdir(parents=True)
    (tools / 'manifests-src' / 'capi').mkdir(parents=True)
    (tools / 'manifests-src' / 'capi' / 'a.yaml').write_text('a: 1\n')
    (tools / 'versions.json').write_text('{}\n')
    for name in ('etcd', 'csctl'):
        (tools / 'bin' / name).write_bytes(b'\x7fELF')
        (tools / 'bin' / name).chmod(0o755)
    return tools


@pytest.mark.parametrize('name', ['versions.json', 'manifests-src/capi/a.yaml', 'bin/etcd'])
def test_other_tools_have_another_name(tools: Path, tmp_path: Path, name: str) -> None:
    before = bundle.tools(tools, tmp_path / 'cache').name
    (tools / name).write_text('of another version')
    assert bundle.tools(tools, tmp_path / 'cache').name != before


def test_tools_without_versions(tools: Path, tmp_path: Path) -> None:
    (tools / 'versions.json').unlink()
    with pytest.raises(ToolProblem, match=r'cannot make archive of .*: .*/versions.json: No such file.*\n  next: '):
        bundle.tools(tools, tmp_path / 'cache')


def test_what_a_killed_bundle_left_is_removed(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / 'cache' / '.bundle-code-abcdefgh' / 'content').mkdir(parents=True)
    found = bundle.code(checkout, OTHER, tmp_path / 'cache')
    assert sorted(path.name for path in (tmp_path / 'cache').iterdir()) == ['.bundle-code.lock', f'bundle-{found.name}']


def test_of_installers_only_old_ones_are_removed(tmp_path: Path) -> None:
    for name, hours in (('a-old', 25), ('a-new', 1), ('b-old', 25)):
        (tmp_path / name / 'x').mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - hours * 3600,) * 2)
    bundle.forget(tmp_path, 'a-')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a-new', 'b-old']


def test_a_cache_that_cannot_be_written(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(ToolProblem, match=r'cannot make archive of code in .*/file/cache: Not a directory\n  next: '):
        bundle.code(checkout, OTHER, tmp_path / 'file' / 'cache')


def test_no_home_is_no_place_for_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a directory named ~ was made in the working directory."""
    monkeypatch.setenv('XDG_CACHE_HOME', '~/.cache')
    with pytest.raises(UsageProblem, match=r'cannot find the cache: .*\n  next: set XDG_CACHE_HOME'):
        bundle.cache_root()


def test_tools(tools: Path, tmp_path: Path) -> None:
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


def place_of(host: Path) -> bundle.Place:
    return bundle.Place(str(host / 'prefix'), str(host / 'bin'), str(host / "my } $HOME own's"))


def tools_of(command: Path, env: Mapping[str, str]) -> str:
    """Where the command finds the programs."""
    shown = subprocess.run(
        [command, 'tools'],
        env={'PATH': os.environ['PATH'], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return shown.stdout.rstrip('\n')


def install(script: Path, programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """programs: a directory with programs that the installer finds before the real ones."""
    env = {**os.environ, 'PATH': f'{programs}:{os.environ["PATH"]}'} if programs else None
    return subprocess.run(['/bin/sh', script], capture_output=True, text=True, timeout=60, check=False, env=env)


def program(directory: Path, name: str, script: str) -> Path:
    directory.mkdir()
    (directory / name).write_text(f'#!/bin/sh\n{script}\n')
    (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def bundles(checkout: Path, tmp_path: Path) -> dict[str, bundle.Bundle]:
    """Code of the checkout, and a second archive that takes the place of the packages."""
    other = tmp_path / 'other'
    (other / 'module_utils/scs_ci').mkdir(parents=True)
    (other / 'module_utils/scs_ci/__init__.py').write_text('')
    (other / 'module_utils/scs_ci/__main__.py').write_text(MAIN)
    cache = tmp_path / 'cache'
    return {'packages': bundle.code(checkout, OURS, cache), 'code': bundle.code(other, OURS, cache)}


def test_an_installer_unpacks_and_writes_the_command(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    place = place_of(tmp_path / 'host')
    bundle.installer(tmp_path / 'i.sh', INSTALL, place, bundles, ())
    done = install(tmp_path / 'i.sh')
    assert (done.returncode, done.stderr) == (0, '')
    assert sorted(path.name for path in Path(place.prefix).iterdir()) == sorted(b.name for b in bundles.values())
    command = Path(place.bin, 'scs-ci')
    assert command.read_text() == bundle.command(place, bundles)
    assert command.stat().st_mode & 0o777 == 0o755
    assert tools_of(command, {}) == place.tools
    assert tools_of(command, {'SCS_CI_TOOLS': '/else where'}) == '/else where'
    shown = subprocess.run([command, 'a', 'b c'], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout == "['a', 'b c']\n"


def test_an_installer_carries_only_what_the_host_lacks(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    place = place_of(tmp_path / 'host')
    bundle.installer(tmp_path / 'i.sh', INSTALL, place, bundles, {bundles['packages'].name})
    assert install(tmp_path / 'i.sh').returncode == 0
    assert [path.name for path in Path(place.prefix).iterdir()] == [bundles['code'].name]


def test_an_installer_that_was_damaged_installs_nothing(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    place = place_of(tmp_path / 'host')
    script = tmp_path / 'i.sh'
    bundle.installer(script, INSTALL, place, bundles, ())
    script.write_bytes(script.read_bytes()[:-10])
    done = install(script)
    assert done.returncode == 3
    assert 'sha256 of archive' in done.stderr
    assert 'next: run it again' in done.stderr
    # the first archive is whole; the second one and the command, which needs both, are not there
    assert [path.name for path in Path(place.prefix).iterdir()] == [bundles['packages'].name]
    assert not Path(place.bin, 'scs-ci').exists()


def test_two_may_install_at_once(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    """The second one comes and goes while the first one unpacks."""
    place, script = place_of(tmp_path / 'host'), tmp_path / 'i.sh'
    bundle.installer(script, INSTALL, place, bundles, ())
    second = f'mkdir {tmp_path}/begun 2>/dev/null && {{ /bin/sh {script} || exit; }}'
    done = install(script, program(tmp_path / 'programs', 'tar', f'{second}\nexec {shutil.which("tar")} "$@"'))
    assert (done.returncode, done.stderr) == (0, '')
    assert sorted(path.name for path in Path(place.prefix).iterdir()) == sorted(b.name for b in bundles.values())
    assert [path.name for path in Path(place.bin).iterdir()] == ['scs-ci']


def test_an_installer_that_fails_says_so_and_leaves_nothing(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    place = place_of(tmp_path / 'host')
    bundle.installer(tmp_path / 'i.sh', INSTALL, place, bundles, ())
    told = 'seq 1000\necho tar: x: No space left on device\nexit 2'
    done = install(tmp_path / 'i.sh', program(tmp_path / 'programs', 'tar', told))
    assert done.returncode == 3
    assert done.stderr.startswith('cannot install scs-ci on ')
    assert f' in {place.prefix} and {place.bin}: 1000\ntar: x: No space left on device; next: free ' in done.stderr
    assert list(Path(place.prefix).iterdir()) == []


def test_what_a_killed_installer_left_is_removed(bundles: dict[str, bundle.Bundle], tmp_path: Path) -> None:
    place = place_of(tmp_path / 'host')
    (Path(place.prefix) / '.new-999999999' / 'content').mkdir(parents=True)
    (Path(place.prefix) / f'.new-{os.getpid()}').mkdir()
    bundle.installer(tmp_path / 'i.sh', INSTALL, place, bundles, ())
    assert install(tmp_path / 'i.sh').returncode == 0
    assert [path.name for path in Path(place.prefix).glob('.new-*')] == [f'.new-{os.getpid()}']
