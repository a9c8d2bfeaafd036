"""Cache entries: made once, in a temporary sibling, under a lock, and renamed into place when complete.

An entry is a directory `<name>-<key>`. It is complete by construction: it appears by one rename, so whoever finds it
needs no further check than one stat.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .problems import SetupProblem

# Another run may be building the Go programs from nothing, which takes up to half an hour on two busy cores.
LOCK_SECONDS = 45 * 60
LOCK_POLL_SECONDS = 0.5
# Length of the key in names: 64 bits are plenty for a handful of entries and keep paths readable.
KEY_LENGTH = 16
ENTRY = re.compile(r'.+-[0-9a-f]{16}(\.lock)?')  # the sandbox's too
DAY = 24 * 60 * 60


def digest(*parts: bytes | str) -> str:
    """Key of an entry: a hash over its inputs, each with its length, so that no two lists of inputs collide."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, 'big'))
        state.update(data)
    return state.hexdigest()[:KEY_LENGTH]


def say(text: str) -> None:
    """A progress line. Standard output belongs to results."""
    print(f'setup: {text}', file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(path: Path, what: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock; a killed holder loses it with its process, so nothing needs to be cleaned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        deadline = time.monotonic() + seconds
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise SetupProblem(
                        f'cannot make {what}',
                        f'another run has held {path} for {seconds:.0f} s',
                        'wait for that run or end it, then try again',
                    ) from error
            if not waiting:
                say(f'waiting for another run that makes {what}')
                waiting = True
            time.sleep(LOCK_POLL_SECONDS)
        yield


def ensure(root: Path, name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the entry `<root>/<name>-<key>`, after making it with `make(directory)` if it does not exist.

    Raises:
        SetupProblem: what `make` raises, a full or read-only disk, or a lock held for too long.
    """
    entry = root / f'{name}-{key}'
    if taken(entry):
        return entry
    try:
        with locked(root / 'locks' / entry.name, entry.name):
            if not entry.is_dir():
                _make(entry, make)
    except OSError as error:
        raise SetupProblem(
            f'cannot make the cache entry {entry}',
            f'{error.strerror or error} ({error.filename or root})',
            'free space or rights there, or set XDG_CACHE_HOME to another directory',
        ) from error
    return entry


def taken(entry: Path) -> Path | None:
    """The entry if it is there. Its time of change is that of its last use from then on, for `unused`."""
    if not entry.is_dir():
        return None
    with contextlib.suppress(OSError):  # somebody else's cache, which may be read and not written
        os.utime(entry)
    return entry


def _make(entry: Path, make: Callable[[Path], None]) -> None:
    for left in entry.parent.glob(f'.{entry.name}.*'):  # of a killed run: we hold the lock, so nobody works there
        shutil.rmtree(left)
    temporary = Path(tempfile.mkdtemp(prefix=f'.{entry.name}.', dir=entry.parent))
    try:
        temporary.chmod(0o755)
        make(temporary)
        temporary.rename(entry)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def sandboxes(namespaces: Path = Path('/run/netns')) -> list[str]:
    """Names of the sandboxes that are up: their servers live on trees in the cache."""
    found = namespaces.glob('scs-sandbox-*') if namespaces.is_dir() else ()
    return sorted({path.name.split('-')[2] for path in found})


def unused(root: Path, days: float, now: float) -> set[str]:
    """Names of the entries, and of their locks, that no command has taken for so many days before `now`."""
    changed = {path.name: path.stat().st_mtime for path in root.glob('*') if ENTRY.fullmatch(path.name)}
    # A lock without its entry may be that of one which is being made.
    recent = {name.removesuffix('.lock') for name, moment in changed.items() if now - moment < days * DAY}
    return {name for name in changed if name.removesuffix('.lock') not in recent}


def prune(root: Path, keep: set[str]) -> list[str]:
    """Remove all entries but those named in `keep`; return the names of the removed ones."""
    removed = []
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        if entry.name not in keep and entry.name != 'locks' and os.access(entry, os.W_OK):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            removed.append(entry.name)
    return removed
