"""Start the project's programs in their environment, from the checkout, without installing anything."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from . import cache, environments, paths, tools
from .problems import ERROR, SetupProblem


def environment(python: Path, programs: Path | None, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables for a program of the project.

    Args:
        python: directory of the Python environment.
        programs: directory of the Go programs, if they have been built.
    """
    path = [str(paths.CHECKOUT / 'bin'), str(python / 'bin'), base.get('PATH', '/usr/bin:/bin'), '/usr/sbin', '/sbin']
    modules = [str(paths.CHECKOUT / 'module_utils'), str(paths.CHECKOUT / 'sandbox'), base.get('PYTHONPATH', '')]
    result = {
        **base,
        'PATH': ':'.join(path),
        'PYTHONPATH': ':'.join(part for part in modules if part),
    }
    if programs:
        result.setdefault('SCS_CI_TOOLS', str(programs))
    return result


def prepared(name: str = 'product', with_tools: bool = False) -> dict[str, str]:
    """Environment variables after making what they point to."""
    python = environments.ensure(name)
    given = os.environ.get('SCS_CI_TOOLS')
    programs = Path(given) if given else tools.ensure() if with_tools else tools.existing()
    return environment(python, programs)


def replace(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become the program: same process, terminal, signals and exit code."""
    try:
        os.execvpe(command[0], list(command), dict(env))
    except OSError as error:
        raise SetupProblem(
            f'cannot start {command[0]}', error.strerror or str(error), 'check its name and its rights', ERROR
        ) from error


class Terminated(KeyboardInterrupt):
    """SIGTERM, which reaches only us, where Ctrl-C reaches the whole foreground process group."""


def terminate_like_interrupt() -> None:
    """From now on SIGTERM unwinds the stack, so that what was started is taken down."""

    def handler(number: int, frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, handler)


def call(command: Sequence[str], env: Mapping[str, str], cwd: Path = paths.CHECKOUT) -> int:
    """Run a program with its output shown, to its end, and return its exit code.

    Ctrl-C reaches the program as well, which cleans up after itself; so wait for it instead of leaving it alone. There
    is no time limit here: each program bounds its own waits, and a person may look at a sandbox for a day.
    """
    cache.say(' '.join(command))
    with subprocess.Popen(list(command), env=dict(env), cwd=cwd) as process:
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt as error:
                interrupt = error
                if isinstance(error, Terminated):
                    process.terminate()
                continue
            if interrupt:
                raise interrupt
            return code
