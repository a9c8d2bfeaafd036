"""Start the project's programs in their environment, from the checkout, without installing anything."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NoReturn, Protocol

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
    with _patient() as start:
        process = start(command, env, cwd, None)
        return process.wait()


def call_beside(commands: Sequence[Sequence[str]], env: Mapping[str, str], cwd: Path = paths.CHECKOUT) -> list[int]:
    """Run programs at the same time as `call` does, and return their exit codes.

    The output of the first is shown at once, that of the others follows in their order when all have ended.
    """
    with ExitStack() as opened:
        outputs = [opened.enter_context(tempfile.TemporaryFile()) for _ in commands[1:]]
        try:
            with _patient() as start:
                processes = [
                    start(command, env, cwd, output) for command, output in zip(commands[1:], outputs, strict=True)
                ]
                processes.insert(0, start(commands[0], env, cwd, None))
                return [process.wait() for process in processes]
        finally:
            for output in outputs:
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()


class Start(Protocol):
    """Starts a program; its output goes to a file or where ours goes."""

    def __call__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, output: IO[bytes] | None
    ) -> subprocess.Popen[bytes]: ...


@contextmanager
def _patient() -> Iterator[Start]:
    """What starts programs; SIGINT and SIGTERM become an exception after the programs have ended, SIGTERM ends them.

    Handlers instead of exceptions, which could come between the start of a program and our knowing of it.
    """
    seen: list[int] = []
    processes: list[subprocess.Popen[bytes]] = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        if number == signal.SIGTERM:
            for process in processes:
                process.terminate()

    def start(
        command: Sequence[str], env: Mapping[str, str], cwd: Path, output: IO[bytes] | None
    ) -> subprocess.Popen[bytes]:
        cache.say(' '.join(command))
        error = subprocess.STDOUT if output else None
        process = subprocess.Popen(list(command), env=dict(env), cwd=cwd, stdout=output, stderr=error)
        processes.append(process)
        if signal.SIGTERM in seen:
            process.terminate()
        return process

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield start
    finally:
        for process in processes:
            process.wait()
        for number, action in before.items():
            signal.signal(number, action)
    if seen:
        raise Terminated if signal.SIGTERM in seen else KeyboardInterrupt
