"""Do something inside a network namespace without leaving one's own.

A socket belongs for its whole life to the namespace in which it was made. So a thread that enters the namespace, makes
the socket and ends is enough to listen or connect in there, while everything else of the process stays outside.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .errors import SandboxError

CLONE_NEWNET = 0x40000000

Result = TypeVar('Result')


def within(namespace: Path, function: Callable[[], Result]) -> Result:
    """Call a function in a thread of its own that has entered a network namespace, and return what it returns.

    namespace: path of the namespace, e.g. /run/netns/NAME. Raises SandboxError when it cannot be entered; errors of the
    function pass through.
    """

    def work() -> Result:
        _enter(namespace)
        return function()

    # The executor's only thread ends with it; no other work ever runs in a thread that has changed its namespace.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=f'in {namespace.name}') as executor:
        return executor.submit(work).result()


def _enter(namespace: Path) -> None:
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SandboxError(
            'cannot enter network namespace',
            str(namespace),
            os.strerror(error.errno or 0),
            'start the sandbox: scs-sandbox up',
        ) from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
            answer = os.strerror(ctypes.get_errno())
            raise SandboxError('cannot enter network namespace', str(namespace), answer, 'run as root')
    finally:
        os.close(descriptor)
