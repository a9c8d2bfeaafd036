"""Archives that bring scs-ci to a plane host which has a Python and nothing else, not even a network.

Runs on the controller and imports the standard library only: a Zuul executor has no Kubernetes client.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import importlib.util
import os
import shlex
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core import caching, process
from ..core.errors import ToolProblem, UsageProblem
from . import carrier

ARCHIVE = 'archive.tar.gz'
# Seconds for the download of about 30 MB of wheels; a slow mirror needs minutes.
INSTALL_SECONDS = 900
COMPILE_SECONDS = 300  # ten seconds on two slow cores
CARRIED_SECONDS = 24 * 60 * 60  # a gigabyte takes three hours at 100 kB/s
COMPRESSION = 1  # programs shrink to 40 % in seconds; higher levels take minutes for a few percent
# glibc 2.28 is older than that of every supported system, and every wheel of the lock exists for it.
PLATFORM = 'manylinux_2_28'
# Not needed on a plane host: an oracle of the tests, and what is for people.
LEFT_OUT = frozenset({'csctl', 'clusterctl', 'kubeadm'})
# What nothing imports on a plane host, whose times are UTC. Files count: a slow host unpacks a thousand in a second.
NOT_FOR_HOSTS = ('bin', 'setuptools', '_distutils_hack', 'distutils-precedence.pth', 'tzdata', '*/tests', '**/*.pyi')
# glibc systems on which the programs and the wheels exist.
MACHINES = ('x86_64', 'aarch64')


@dataclass(frozen=True)
class Bundle:
    """One archive. name: directory on the host, unique for its content; sha256: of the archive file."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where things are on the host. prefix: of the archives; bin: of the command; tools: its own programs."""

    prefix: str
    bin: str
    tools: str


def command(place: Place, bundles: Mapping[str, Bundle]) -> str:
    """The program `scs-ci` of the host."""
    tools = f'{place.prefix}/{bundles["tools"].name}' if 'tools' in bundles else place.tools
    return f"""#!/bin/sh
# scs-ci of the checkout under test; written by the role ensure-scs-ci.
place={shlex.quote(place.prefix)}
PYTHONPATH=$place/{bundles['code'].name}:$place/{bundles['packages'].name}
tools={shlex.quote(tools)}
SCS_CI_TOOLS=${{SCS_CI_TOOLS:-$tools}}
export PYTHONPATH SCS_CI_TOOLS
# -P: a module in the working directory, which may be the checkout under test, must not replace one of ours
exec python3 -P -m scs_ci "$@"
"""


def installer(target: Path, script: Path, place: Place, bundles: Mapping[str, Bundle], have: Collection[str]) -> None:
    """A script that unpacks what the host does not have and writes the command. have: names below the prefix."""
    missing = [bundle for bundle in bundles.values() if bundle.name not in have]
    parts = [f'{bundle.name} {bundle.sha256} {Path(bundle.path).stat().st_size}' for bundle in missing]
    variables = {
        'prefix': place.prefix,
        'bin': place.bin,
        'command': command(place, bundles),
        'parts': '\n'.join(parts),
    }
    with carrier.written(target, script, variables) as file:
        for bundle in missing:
            with Path(bundle.path).open('rb') as part:
                shutil.copyfileobj(part, file, 1 << 20)


def cache_root() -> Path:
    """Directory of everything that can be made again."""
    found = Path(caching.directory(os.environ))
    if not found.is_absolute():
        raise UsageProblem('cannot find', 'the cache', f'{found} is no absolute path', 'set XDG_CACHE_HOME or HOME')
    return found


def forget(cache: Path, prefix: str) -> None:
    """Remove what begins so and is of no process any more: after Ctrl-C a playbook removes nothing."""
    for left in cache.glob(f'{prefix}*'):
        with contextlib.suppress(OSError):  # its owner or another process removes it this very moment
            if time.time() - left.stat().st_mtime > CARRIED_SECONDS:
                shutil.rmtree(left)


def packages(checkout: Path, python: str, machine: str, cache: Path) -> Bundle:
    """Third-party packages of the lock, as wheels for the host's Python ('3.11') and machine ('x86_64')."""
    if machine not in MACHINES:
        raise UsageProblem(
            'cannot bundle for', f'machine {machine}', f'known are {", ".join(MACHINES)}', 'use another host'
        )
    lock = checkout / 'requirements' / 'runtime.txt'
    if not lock.is_file():
        raise UsageProblem('cannot find', f'lock {lock}', 'no such file', 'run it from a complete checkout of scs-ci')
    target = [f'--python-version={python}', f'--python-platform={machine}-{PLATFORM}', '--only-binary=:all:']

    def fill(place: Path) -> None:
        process.check(
            [*_uv(cache), 'pip', 'install', '--quiet', '--require-hashes', '--link-mode=copy', *target]
            + ['--target', str(place), '--requirement', str(lock)],
            timeout=INSTALL_SECONDS,
            advice='check that the controller reaches a Python package index',
        )
        _strip(place)
        compiled(place, python)

    key = _hash([b'packages 5', _magic(python), lock.read_bytes(), ' '.join(target).encode()])
    return _ensure(cache, f'packages-{python}-{machine}', key, fill)


def _strip(place: Path) -> None:
    """Remove what no plane host needs; `bin` has console scripts with the controller's interpreter in them."""
    for pattern in NOT_FOR_HOSTS:
        for found in list(place.glob(pattern)):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def code(checkout: Path, python: str, cache: Path) -> Bundle:
    """The package scs_ci of the checkout under test, for the host's Python ('3.11')."""
    source = checkout / 'module_utils' / 'scs_ci'
    # read once: what somebody writes meanwhile must not get the name of what was there before
    with _told(f'archive of {source}'):
        found = sorted(path for path in source.rglob('*.py') if path.is_file())
        files = {str(path.relative_to(source)): path.read_bytes() for path in found}

    def fill(place: Path) -> None:
        for name, content in files.items():
            target = place / 'scs_ci' / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        compiled(place, python)

    parts = [part for name, content in files.items() for part in (name.encode(), content)]
    return _ensure(cache, 'code', _hash([b'code 2', _magic(python), *parts]), fill)


def compiled(place: Path, python: str) -> None:
    """Byte code beside the modules, if our Python is like the host's: else the host compiles each one at its first use.

    The Kubernetes client has 700 modules, for which a slow host needs three seconds. Nobody compares the times of the
    files, which archives do not keep: nobody edits them, either. A file that does not compile is nobody's to import.
    """
    if not _magic(python):
        return
    command = [sys.executable, '-I', '-m', 'compileall', '-qq', '-j', '0', '--invalidation-mode', 'unchecked-hash']
    # not where this happens to be: equal content gives equal bytes
    command += ['-s', str(place), str(place)]
    process.run(command, timeout=COMPILE_SECONDS)


def _magic(python: str) -> bytes:
    """What byte code for this Python begins with; empty when ours is another one, which cannot make it."""
    ours = sys.implementation.cache_tag == f'cpython-{python.replace(".", "")}'
    return importlib.util.MAGIC_NUMBER if ours else b''


def tools(directory: Path, cache: Path) -> Bundle:
    """The Go programs with their manifests; hard links where possible, for it is a gigabyte."""
    if not (directory / 'bin').is_dir():
        raise UsageProblem('cannot find', f'programs in {directory}', 'there is no bin/', "build them ('make tools')")
    programs = sorted(path for path in (directory / 'bin').iterdir() if path.name not in LEFT_OUT)

    def fill(place: Path) -> None:
        (place / 'bin').mkdir()
        for path in programs:
            _link(path, place / 'bin' / path.name)
        shutil.copytree(directory / 'manifests-src', place / 'manifests-src', symlinks=False)
        shutil.copyfile(directory / 'versions.json', place / 'versions.json')

    others = [directory / 'versions.json', *sorted((directory / 'manifests-src').rglob('*'))]
    with _told(f'archive of {directory}'):
        stats = [(path.relative_to(directory), path.stat()) for path in [*programs, *others]]
    sizes = [f'{name} {stat.st_size} {stat.st_mtime_ns}'.encode() for name, stat in stats]
    return _ensure(cache, 'tools', _hash([b'tools 2', str(directory).encode(), *sizes]), fill)


def _ensure(cache: Path, kind: str, key: str, fill: Callable[[Path], None]) -> Bundle:
    """The archive in the cache; made in a sibling under a lock and renamed, so that nobody sees half of one."""
    entry = cache / f'bundle-{kind}-{key}'
    with _told(f'archive of {kind} in {cache}'):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f'.bundle-{kind}.lock').open('w') as lock:
            # Without a limit of its own: the holder's work is bounded, and its lock vanishes with it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not entry.is_dir():
                _make(entry, f'.bundle-{kind}-', fill)
            os.utime(entry)  # when it was last used: the set-up removes what is not
    return Bundle(f'{kind}-{key}', str(entry / ARCHIVE), (entry / 'sha256').read_text())


def _make(entry: Path, prefix: str, fill: Callable[[Path], None]) -> None:
    """Under the lock of the prefix: what begins with it is of processes that were killed."""
    for left in entry.parent.glob(f'{prefix}*'):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix=prefix) as temporary:
        content, made = Path(temporary, 'content'), Path(temporary, 'made')
        content.mkdir()
        made.mkdir()
        fill(content)
        pack(content, made / ARCHIVE)
        (made / 'sha256').write_text(_file_hash(made / ARCHIVE))
        made.rename(entry)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What of the file system goes wrong is a ToolProblem."""
    try:
        yield
    except OSError as error:
        answer = ': '.join(filter(None, (str(error.filename or ''), error.strerror or str(error))))
        advice = 'make it readable, free disk space or set XDG_CACHE_HOME, run it again'
        raise ToolProblem('cannot make', what, answer, advice) from error


def pack(source: Path, archive: Path) -> None:
    """A gzipped tar of what is below source; equal content gives equal bytes."""
    try:
        with (
            archive.open('wb') as file,
            gzip.GzipFile('', 'wb', COMPRESSION, file, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode='w') as tar,
        ):
            for path in sorted(source.rglob('*')):
                tar.add(path, str(path.relative_to(source)), recursive=False, filter=_plain)
    except OSError as error:
        raise ToolProblem(
            'cannot write', f'archive {archive}', error.strerror or str(error), 'free disk space'
        ) from error


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner, time and odd modes."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = 'root'
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
        target.chmod(0o755)


def _uv(cache: Path) -> list[str]:
    """uv from PATH, from the controller's Python or from the set-up's cache. pip cannot resolve for another Python."""
    found = shutil.which('uv') or next((str(path) for path in sorted(cache.glob('uv-*/bin/uv'))), None)
    if found:
        return [found]
    beside = Path(sys.executable).with_name('uv')
    if beside.is_file():
        return [str(beside)]
    raise ToolProblem('cannot find', 'program uv', 'not in PATH', "install it on the controller ('pip install uv')")


def _hash(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, 'big') + part)
    return found.hexdigest()[:16]


def _file_hash(path: Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
