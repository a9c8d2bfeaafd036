"""Cache entries: made in a temporary sibling, renamed into place under a lock, so that concurrent runs do not corrupt
them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import SandboxError

# Seconds for another run that builds the same entry; the slowest (image, template) takes a few minutes on 2 cores
WAIT = 1800.0


def cache_home(environment: dict[str, str] | None = None) -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/scs-ci as an absolute path; not created."""
    env = os.environ if environment is None else environment
    base = env.get('XDG_CACHE_HOME') or str(Path('~/.cache').expanduser())
    return Path(base).absolute() / 'scs-ci'


def entry(home: Path, name: str, make: Callable[[Path], None], *, wait: float = WAIT) -> Path:
    """The directory home/name; made by make(temporary directory) when missing.

    A failed or killed make leaves only the temporary sibling, which the next run removes. Raises SandboxError when
    another run holds
    the lock for longer than wait seconds; errors of make pass through.
    """
    path = home / name
    if path.is_dir():
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(path)  # `make clean UNUSED=…` keeps what was used
        return path
    home.mkdir(parents=True, exist_ok=True, mode=0o755)
    with _locked(home / f'{name}.lock', wait):
        if path.is_dir():
            return path
        temporary = home / f'{name}.tmp'
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir(mode=0o755)
        try:
            make(temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        temporary.rename(path)
    return path


@contextlib.contextmanager
def _locked(path: Path, wait: float) -> Iterator[None]:
    limit = time.monotonic() + wait
    with path.open('a') as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > limit:
                    raise SandboxError(
                        'cannot use cache entry',
                        str(path.with_suffix('')),
                        f'locked by another run for {wait:.0f} s',
                        'wait for that run, or end it, then try again',
                    ) from error
                time.sleep(0.2)
        yield
