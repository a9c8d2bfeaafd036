"""Child processes of the sandbox: bounded, with the program's own words in the error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from .errors import SandboxError

TIMEOUT = 30.0  # seconds; ip, nft and their like answer in milliseconds, so this only ends a hang


def run(
    command: Sequence[str],
    *,
    what: str,
    subject: str = '',
    text: str | None = None,
    timeout: float = TIMEOUT,
    advice: str = 'look into the answer; scs-sandbox down cleans up',
    environment: dict[str, str] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    what, subject, advice: parts of the error. text: standard input. Raises SandboxError for a missing program, an exit
    code other
    than 0 (with the end of what it wrote), or more than timeout seconds.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            text=True,
            capture_output=True,
            timeout=timeout,
            env=environment,
            stdin=subprocess.DEVNULL if text is None else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise SandboxError(
            what, subject, f'program {command[0]} not found', f'install the package that holds {command[0]}'
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SandboxError(what, subject, f'{command[0]} did not end within {timeout:.0f} s', advice) from error
    if done.returncode:
        answer = (done.stderr.strip() or done.stdout.strip())[-2000:] or f'{command[0]} ended with {done.returncode}'
        raise SandboxError(what, subject, answer, advice)
    return done.stdout
