"""Build the Go programs of tools/ once, check what they say about themselves, keep them in the cache.

One entry for each set of programs; the set `plane` is what nearly everything needs, others are built when asked for.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import cache, paths, programs, toolchain
from .problems import SetupProblem
from .process import run
from .programs import PLANE, Manifests, Program, linker_flags, version, wanted_answer

# The largest program takes 3 minutes from nothing on two busy cores, and the first one also downloads 250 MB.
BUILD_SECONDS = 1800
# Programs of 100 MB start slowly from a cold disk.
ANSWER_SECONDS = 60
# Layout of the entry; a change of it must not meet entries of the old layout.
LAYOUT = '1'


def key(name: str = PLANE, tools: Path = paths.TOOLS) -> str:
    """Key of a set's entry: everything that decides what is built, and the layout of the entry.

    The version of the toolchain is not part of it: asking for it costs more than the rest of a warm start, and a Go
    that is good enough for go.mod builds the same programs. It is in versions.json.
    """
    group = programs.named(name, tools)
    inputs = [f'{program.name} {program.package} {linker_flags(program, tools)}' for program in group.programs.values()]
    inputs += [str(source) for source in group.manifests.values()]
    inputs += [key(included, tools) for included in group.includes]
    # The plane's own key must not change by what is added for other sets: only modules that the set takes from.
    parts = {part.module for part in group.programs.values()} | {part.module for part in group.manifests.values()}
    modules = sorted(parts)
    files = [tools / module / name for name in ('go.mod', 'go.sum') for module in modules]
    files += [file for module in modules for file in sorted((tools / module).rglob('*.go'))]
    return cache.digest(LAYOUT, *inputs, *(file.read_bytes() for file in files if file.exists()))


def _entry(name: str) -> str:
    return 'tools' if name == PLANE else f'tools-{name}'


def existing(name: str = PLANE) -> Path | None:
    """The entry of a set if it has been built already."""
    return cache.taken(paths.cache_root() / f'{_entry(name)}-{key(name)}')


def ensure(name: str = PLANE) -> Path:
    """Directory with bin/, versions.json and (the plane's) manifests-src/; built if needed.

    Raises:
        SetupProblem: no such set, no toolchain, a build that fails, or a program that answers a wrong version.
    """
    return cache.ensure(paths.cache_root(), _entry(name), key(name), lambda place: _make(place, programs.named(name)))


def combined(names: Sequence[str]) -> Path:
    """One directory with what `ensure` makes of each of the sets, the first of which has manifests; hard links.

    Raises:
        SetupProblem: as `ensure` does.
    """
    parts = [ensure(name) for name in names]
    if len(parts) == 1:
        return parts[0]

    def make(place: Path) -> None:
        (place / 'bin').mkdir()
        _write_versions(place, _link(place, parts))
        if (parts[0] / 'manifests-src').is_dir():
            shutil.copytree(parts[0] / 'manifests-src', place / 'manifests-src', copy_function=os.link)

    return cache.ensure(
        paths.cache_root(), f'tools-{"+".join(names)}', cache.digest(LAYOUT, *(part.name for part in parts)), make
    )


def _make(directory: Path, group: programs.Set) -> None:
    included = [ensure(name) for name in group.includes]
    go = toolchain.ensure()
    (directory / 'bin').mkdir()
    versions = {'go': go.version}
    for number, program in enumerate(group.programs.values(), 1):
        started = time.monotonic()
        _build(go, program, directory / 'bin' / program.name)
        versions[program.name] = version(program)
        seconds = time.monotonic() - started
        cache.say(f'built {number}/{len(group.programs)} {program.name} {version(program)} {seconds:.0f} s')
    for name, source in group.manifests.items():
        _copy_manifests(go, source, directory / 'manifests-src' / name)
    _write_versions(directory, {**_link(directory, included), **versions})


def _link(directory: Path, parts: Sequence[Path]) -> dict[str, str]:
    """Put the programs of other entries beside those of this one, and return their versions."""
    versions: dict[str, str] = {}
    for part in parts:
        for file in (part / 'bin').iterdir():
            (directory / 'bin' / file.name).hardlink_to(file)  # entries never change, so one copy is enough
        versions |= json.loads((part / 'versions.json').read_text())
    return versions


def _write_versions(directory: Path, versions: Mapping[str, str]) -> None:
    (directory / 'versions.json').write_text(json.dumps(versions, indent=2, sort_keys=True) + '\n')


def _build(go: toolchain.Toolchain, program: Program, target: Path) -> None:
    verb = ['test', '-c'] if program.test else ['build']
    run(
        [go.go, *verb, '-trimpath', '-ldflags', linker_flags(program), '-o', target, program.package],
        f'cannot build {program.name} ({program.package})',
        f'check that this machine reaches a Go module proxy, or look at tools/{program.module}/go.mod',
        BUILD_SECONDS,
        cwd=paths.TOOLS / program.module,
        env=toolchain.environment(go),
    )
    wrong = wrong_version(go, program, target)
    if wrong:
        raise SetupProblem(
            f'{program.name} was built, but has not the version {version(program)}',
            wrong,
            'correct stamps, ask and answer of this program in tools/programs.toml',
        )


def wrong_version(go: toolchain.Toolchain, program: Program, binary: Path) -> str:
    """What a program says about its version if that is not the pinned one, else an empty string."""
    recorded = '' if program.own_version else recorded_version(go, program, binary)
    if not program.own_version and recorded != version(program):
        return f'module {program.version_of} recorded in it: {recorded or "none"}'
    if not program.ask:
        return ''
    try:
        done = subprocess.run(
            [binary, *program.ask],
            capture_output=True,
            text=True,
            errors='replace',
            timeout=ANSWER_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f'no answer to {" ".join(program.ask)} within {ANSWER_SECONDS} s'
    words = (done.stdout + done.stderr).strip()
    # Not a mere substring: v1.2.1 is in v1.2.10.
    if re.search(re.escape(wanted_answer(program)) + r'(?![\w.])', words):
        return ''
    return f'answered {words[:300]!r} to {" ".join(program.ask)}, wanted {wanted_answer(program)!r}'


def recorded_version(go: toolchain.Toolchain, program: Program, binary: Path) -> str:
    """The version of the program's module in the build information that Go records in every program."""
    information = run(
        [go.go, 'version', '-m', binary],
        f'cannot read the build information of {binary}',
        'remove the tools entry from the cache and build again',
        ANSWER_SECONDS,
        env=toolchain.environment(go),
    )
    found = re.search(rf'^\t(?:mod|dep)\t{re.escape(program.version_of)}\t(\S+)', information, re.MULTILINE)
    return found.group(1) if found else ''


def source_directory(go: toolchain.Toolchain, module: str, name: str) -> Path:
    """Directory in the module cache with the sources of module `name` as pinned in tools/<module>."""
    directory = run(
        [go.go, 'list', '-m', '-f', '{{.Dir}}', name],
        f'cannot find the sources of {name}',
        f'look at tools/{module}/go.mod',
        BUILD_SECONDS,
        cwd=paths.TOOLS / module,
        env=toolchain.environment(go),
    ).strip()
    return Path(directory)


def _copy_manifests(go: toolchain.Toolchain, source: Manifests, target: Path) -> None:
    directory = source_directory(go, source.module, source.of) / source.path
    if not directory.is_dir():
        raise SetupProblem(
            f'cannot copy the manifests of {source.name}',
            f'{source.of} has no directory {source.path}',
            'correct [manifests] in tools/programs.toml',
        )
    # Contents only: the module cache is read-only, and the copy must be removable.
    shutil.copytree(directory, target, copy_function=shutil.copyfile)
    for folder in [target, *(path for path in target.rglob('*') if path.is_dir())]:
        folder.chmod(0o755)
