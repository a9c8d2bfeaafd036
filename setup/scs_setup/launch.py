"""Start the project's programs in their environment, from the checkout, without installing anything."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from . import cache, environments, paths, tools
from .problems import ERROR, SetupProblem

POLL = 0.1  # seconds between two looks at programs that run


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
    # Some machines forbid byte code. Each command would compile the package anew then, which takes as long as it runs.
    result.pop('PYTHONDONTWRITEBYTECODE', None)
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
    with _patient() as children:
        return children.start(command, env, cwd, None).wait()


def call_beside(
    commands: Sequence[Sequence[str]],
    env: Mapping[str, str],
    cwd: Path = paths.CHECKOUT,
    at_once: int = 0,
    ended: Callable[[int, int], None] = lambda number, code: None,
) -> list[int]:
    """Run programs as `call` does, several at the same time, started in their order; return their exit codes.

    The output of each is shown as one piece when it has ended.

    Args:
        at_once: how many at most; 0: all.
        ended: told the number of each program in commands and its exit code, after its output.
    """
    codes: dict[int, int] = {}
    waiting = list(enumerate(commands))
    with ExitStack() as opened, _patient() as children:
        running: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        while running or (waiting and not children.seen):
            while waiting and not children.seen and len(running) < (at_once or len(commands)):
                number, command = waiting.pop(0)
                output: IO[bytes] = opened.enter_context(tempfile.TemporaryFile())
                running[number] = (children.start(command, env, cwd, output), output)
            for number, (process, output) in list(running.items()):
                if process.poll() is not None:
                    del running[number]
                    _show(output)
                    codes[number] = process.returncode
                    ended(number, process.returncode)
            time.sleep(POLL)
    return [codes[number] for number in range(len(commands))]


def _show(output: IO[bytes]) -> None:
    output.seek(0)
    shutil.copyfileobj(output, sys.stdout.buffer)
    sys.stdout.flush()


@dataclass
class Children:
    """Programs that run, and the signals that came meanwhile: SIGTERM is passed on to them, Ctrl-C reached them."""

    seen: list[int] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, output: IO[bytes] | None
    ) -> subprocess.Popen[bytes]:
        """Start a program; its output goes to a file, or where ours goes."""
        cache.say(' '.join(command))
        error = subprocess.STDOUT if output else None
        process = subprocess.Popen(list(command), env=dict(env), cwd=cwd, stdout=output, stderr=error)
        self.processes.append(process)
        if signal.SIGTERM in self.seen:
            process.terminate()
        return process

    def handle(self, number: int, frame: object) -> None:
        """Handler of SIGINT and SIGTERM."""
        self.seen.append(number)
        if number == signal.SIGTERM:
            for process in self.processes:
                process.terminate()


@contextmanager
def _patient() -> Iterator[Children]:
    """What starts programs; SIGINT and SIGTERM become an exception after the programs have ended.

    Handlers instead of exceptions, which could come between the start of a program and our knowing of it.
    """
    children = Children()
    before = {number: signal.signal(number, children.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield children
    finally:
        for process in children.processes:
            process.wait()
        for number, action in before.items():
            signal.signal(number, action)
        # here, so that it takes the place of what its coming early may have caused
        if children.seen:
            raise Terminated if signal.SIGTERM in children.seen else KeyboardInterrupt
