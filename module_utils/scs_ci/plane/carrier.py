"""Shell scripts that carry archives: one file brought to a host and started there does what took a task for each part.

Runs on the controller and imports the standard library only: a Zuul executor has no Kubernetes client.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ..core.errors import ToolProblem

# Where the archives begin, in bytes. A shell reads on until it exits, and what follows is no shell.
PAYLOAD = 8192


def head(script: str, variables: Mapping[str, str]) -> bytes:
    """The script behind its variables, ended and filled up to the length PAYLOAD.

    It finds the archives in "$0", from the byte `payload` on, which is a number as `tail -c +N` counts.
    """
    values = {**variables, 'payload': str(PAYLOAD + 1)}
    lines = [f'{name}={shlex.quote(value)}' for name, value in values.items()]
    text = '\n'.join(['#!/bin/sh', *lines, script.rstrip(), 'exit 0', '']).encode()
    if len(text) > PAYLOAD:
        raise ValueError(f'a script with its variables has {len(text)} bytes, {PAYLOAD} is the limit')
    return text.ljust(PAYLOAD, b'\n')


@contextlib.contextmanager
def fresh(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """A new directory, for its owner only, which is the caller's to remove; when the block fails it is gone."""
    try:
        directory = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    except OSError as error:
        raise ToolProblem(
            'cannot make a directory in',
            str(place or 'TMPDIR'),
            error.strerror or str(error),
            'free disk space or fix permissions, or set TMPDIR',
        ) from error
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


@contextlib.contextmanager
def written(target: Path, script: Path, variables: Mapping[str, str]) -> Iterator[BinaryIO]:
    """A new file, readable for its owner only, that has the script; the caller writes the archives behind it."""
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'wb') as file:
            file.write(head(script.read_text(encoding='utf-8'), variables))
            yield file
    except OSError as error:
        whom = error.filename or target
        raise ToolProblem(
            'cannot pack', str(whom), error.strerror or str(error), 'make it readable, or free disk space'
        ) from error
