"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ToolProblem, UsageProblem


def write_atomic(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write next to the target and rename, so that a reader or a crash never sees half a file.

    The mode is set before the content is written: a secret is never readable for others, not even for a moment.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
        try:
            os.fchmod(handle, mode)
            with os.fdopen(handle, 'wb') as file:
                file.write(content.encode() if isinstance(content, str) else content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ToolProblem(
            'cannot write',
            f'file {path}',
            error.strerror or str(error),
            'free disk space or fix permissions, run again',
        ) from error


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    """JSON with sorted keys and a final newline: two equal values give equal bytes."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + '\n', mode)


@contextlib.contextmanager
def reading(path: Path, what: str = 'file') -> Iterator[None]:
    """While a file is read that the caller named; UsageProblem when it cannot be."""
    try:
        yield
    except OSError as error:
        raise UsageProblem(
            'cannot read', f'{what} {path}', error.strerror or str(error), 'name a readable file'
        ) from error


def read_json(path: Path) -> Any:
    """Parsed JSON. A missing file raises FileNotFoundError, for absence means something; a broken one a ToolProblem."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ToolProblem(
            'cannot read', f'file {path}', error.strerror or str(error), 'fix permissions, run again'
        ) from error
    except ValueError as error:
        raise ToolProblem(
            'cannot parse', f'file {path}', str(error), 'the file is damaged: repeat the stage that wrote it'
        ) from error
