"""Writing many files, all or none."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ToolProblem, UsageProblem


@dataclass(frozen=True)
class Prepared:
    """A file that is to take a place. staged: where its new content lies, None when the place is to be empty.

    kept: where the old content is kept until all is done, None when there was none.
    """

    path: Path
    staged: Path | None
    kept: Path | None


def write_all(contents: Mapping[Path, bytes | None]) -> None:
    """Give every path its content, None removes it; modes stay. On any failure every path is what it was.

    Everything is written beside its place first, where disks are full and permissions lack; then renamed.
    """
    prepared: list[Prepared] = []
    try:
        try:
            for path, content in contents.items():
                prepared.append(_prepare(path, content))
            _exchange(prepared)
        finally:
            for one in prepared:
                for rest in (one.staged, one.kept):
                    if rest:
                        rest.unlink(missing_ok=True)
    except OSError as error:
        answer = f'{error.strerror or error} ({error.filename}); nothing was changed'
        raise ToolProblem(
            'cannot write', f'{len(contents)} files', answer, 'free disk space or fix permissions, run again'
        ) from error


def _prepare(path: Path, content: bytes | None) -> Prepared:
    if path.is_symlink():
        advice = 'change the file that it leads to, or replace the link by a file'
        raise UsageProblem('cannot write', str(path), 'it is a link', advice)
    kept = _beside(path, path.read_bytes()) if path.exists() else None
    staged = None if content is None else _beside(path, content)
    return Prepared(path, staged, kept)


def _beside(path: Path, content: bytes) -> Path:
    """A hidden file in the same directory, with the mode that the path has or would get."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    with os.fdopen(handle, 'wb') as file:
        file.write(content)
    Path(name).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644)
    return Path(name)


def _exchange(prepared: list[Prepared]) -> None:
    done: list[Prepared] = []
    try:
        for one in prepared:
            done.append(one)
            if one.staged:
                one.staged.replace(one.path)
            else:
                one.path.unlink(missing_ok=True)
    except BaseException:
        for one in reversed(done):
            with suppress(OSError):  # the first failure is what is told
                if one.kept:
                    one.kept.replace(one.path)
                else:
                    one.path.unlink(missing_ok=True)
        raise


def write_trees(output: Path, trees: Mapping[str, Mapping[str, bytes]]) -> None:
    """Make each directory below `output` hold exactly these files; on any failure every one is what it was.

    trees: name of the directory -> path below it -> content.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix='.scs-ci-') as work:
            for name, files in trees.items():
                _write_tree(Path(work) / 'new' / name, files)
            (Path(work) / 'old').mkdir()
            _exchange_trees(output, Path(work), list(trees))
    except OSError as error:
        answer = f'{error.strerror or error} ({error.filename}); nothing was changed'
        raise ToolProblem(
            'cannot write', f'directory {output}', answer, 'free disk space or fix permissions, run again'
        ) from error


def _write_tree(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _exchange_trees(output: Path, work: Path, names: list[str]) -> None:
    moved: list[str] = []
    try:
        for name in names:
            moved.append(name)
            if (output / name).exists():
                (output / name).rename(work / 'old' / name)
            (work / 'new' / name).rename(output / name)
    except BaseException:
        for name in reversed(moved):
            with suppress(OSError):
                if (work / 'old' / name).exists():
                    shutil.rmtree(output / name, ignore_errors=True)
                    (work / 'old' / name).rename(output / name)
                elif not (work / 'new' / name).exists():
                    shutil.rmtree(output / name, ignore_errors=True)
        raise
