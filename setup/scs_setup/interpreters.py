"""Python interpreters of the machine: our own, and a newer one where a tool needs it."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .problems import SetupProblem

# It prints one line; wrappers that hang or answer nonsense are passed over.
ASK_SECONDS = 20
NAME = re.compile(r'/python3\.\d+$')
QUESTION = 'import sys; print(*sys.version_info[:2], sys.base_prefix)'


@dataclass(frozen=True)
class Interpreter:
    """An interpreter: program, (major, minor), and where its installation is."""

    path: str
    version: tuple[int, int]
    prefix: str

    @property
    def identity(self) -> str:
        """What makes an environment of one interpreter useless for another one."""
        version = '.'.join(str(part) for part in self.version)
        return '|'.join([version, self.prefix, platform.system(), platform.machine(), *platform.libc_ver()])


def own() -> Interpreter:
    """The interpreter that runs this."""
    return Interpreter(sys.executable, sys.version_info[:2], sys.base_prefix)


def candidates() -> Iterable[str]:
    """Programs in PATH and in pyenv's store whose names say Python 3.x, newest first."""
    places = [Path(place) for place in os.environ.get('PATH', '').split(':') if place]
    places += [place / 'bin' for place in (Path.home() / '.pyenv' / 'versions').glob('*')]
    found = {str(path) for place in places for path in place.glob('python3.*')}
    return sorted((path for path in found if NAME.search(path)), key=lambda path: (-_minor(path), path))


def _minor(path: str) -> int:
    return int(path.rpartition('.')[2])


def ask(path: str) -> Interpreter | None:
    """What a program says about itself; None if it does not answer like Python."""
    try:
        done = subprocess.run([path, '-c', QUESTION], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.fullmatch(r'(\d+) (\d+) (.+)\n', done.stdout)
    return Interpreter(path, (int(found.group(1)), int(found.group(2))), found.group(3)) if found else None


def at_least(minimum: tuple[int, int], maximum: tuple[int, int] = (3, 13)) -> Interpreter:
    """Our own interpreter if it is new enough, else the newest of the machine that the locks know.

    Raises:
        SetupProblem: there is none.
    """
    if own().version >= minimum:
        return own()
    for path in candidates():
        if minimum[1] <= _minor(path) <= maximum[1]:
            answered = ask(path)
            if answered and minimum <= answered.version <= maximum:
                return answered
    wanted = '.'.join(str(part) for part in minimum)
    raise SetupProblem(
        f'cannot find Python {wanted} or newer',
        f'none in PATH or below ~/.pyenv; this one is {platform.python_version()}',
        f'install one if you need it; everything but the test of the newest Ansible works without Python {wanted}',
    )
