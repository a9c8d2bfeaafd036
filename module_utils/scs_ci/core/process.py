"""Child processes: bounded, with clean errors, never with secrets in their argument list."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import TimeoutProblem, ToolProblem

LAST_LINES = 12  # of a failed program's output: enough for the cause, short enough for a report


@dataclass(frozen=True)
class Completed:
    """Result of a child process; output is text."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def last_words(self, lines: int = LAST_LINES) -> str:
        """The end of what the program said, stderr first."""
        text = self.stderr.strip() or self.stdout.strip() or 'no output'
        return '\n'.join(text.splitlines()[-lines:])


def program(name: str, search: str | None = None) -> str:
    """Absolute path of a program, from `search` (a PATH string) or PATH."""
    found = shutil.which(name, path=search)
    if not found:
        raise ToolProblem('cannot find', f'program {name}', 'not in PATH', "run 'make tools' or set SCS_CI_TOOLS")
    return found


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run to the end and return what happened; only start failure (ToolProblem) and timeout (TimeoutProblem) raise.

    env replaces the environment when given. After `timeout` seconds the whole process group is killed: helm and git
    start children that would otherwise keep the pipes open for ever.
    """
    words = tuple(str(word) for word in argv)
    try:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
            start_new_session=True,
        )
    except OSError as error:
        raise ToolProblem('cannot start', f'program {words[0]}', error.strerror or str(error), 'install it') from error
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout)
    except BaseException as error:  # also Ctrl-C: no child may survive its parent
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutProblem(
                'gave up on', f'program {words[0]}', f'no end within {timeout:.0f} s', 'see its log, raise the limit'
            ) from error
        raise
    return Completed(words, child.returncode, stdout, stderr)


def check(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    advice: str = 'see the output above',
) -> Completed:
    """As run(), but a non-zero exit code is a ToolProblem with the program's last words."""
    done = run(argv, timeout=timeout, cwd=cwd, env=env, stdin=stdin)
    if done.code:
        raise ToolProblem(f'exit code {done.code} from', f'program {done.argv[0]}', done.last_words(), advice)
    return done
