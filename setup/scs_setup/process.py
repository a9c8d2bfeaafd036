"""Run programs: output shown or caught, time bounded, failures told in four parts."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .problems import SetupProblem

# Enough of a tool's last words to see the reason; whole build logs would hide it.
LAST_WORDS = 2000


def run(
    command: Sequence[str | Path],
    what: str,
    next_step: str,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its standard output.

    Args:
        what: names the attempt and its object, for the message when it fails.
        timeout: seconds after which the program is ended.
    Raises:
        SetupProblem: the program is missing, fails or takes too long.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors='replace',
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise SetupProblem(what, f'{command[0]} not found ({error.strerror})', next_step) from error
    except subprocess.TimeoutExpired as error:
        raise SetupProblem(what, f'{command[0]} was still running after {timeout:.0f} s', next_step) from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-LAST_WORDS:] or 'no output'
        raise SetupProblem(what, f'{Path(command[0]).name} ended with {done.returncode}: {words}', next_step)
    return done.stdout
