"""Where the sandbox finds what it did not make: the OpenStack environment and the Go programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .errors import SandboxError
from .run import run

OPENSTACK = 'SCS_SANDBOX_OPENSTACK'
TOOLS = 'SCS_CI_TOOLS'
SETUP = Path(__file__).resolve().parents[2] / 'setup' / 'main.py'
SETUP_TIMEOUT = 1200.0  # seconds; 50 s on 2 cores with a near registry, the rest is for a slow one
# From an empty build cache a set takes minutes on 2 cores; the set-up bounds each of its programs.
PROGRAMS_TIMEOUT = 3600.0
TOOLS_TARGET = '/opt/scs-ci/tools'


def openstack(environ: Mapping[str, str] = os.environ) -> Path:
    """Root of the Python environment with the OpenStack services: from the variable, else made by the checkout's
    set-up.

    Raises SandboxError when there is neither.
    """
    given = environ.get(OPENSTACK)
    if not given and SETUP.exists():
        given = run(
            ['python3', str(SETUP), 'env', 'openstack'],
            what='cannot set up',
            subject='the OpenStack environment',
            timeout=SETUP_TIMEOUT,
            advice=f'run python3 {SETUP} env openstack and read what it says',
        ).strip()
    if not given or not (Path(given) / 'bin/python').exists():
        raise SandboxError(
            'cannot find',
            'the OpenStack environment',
            f'{given or "nothing"} has no bin/python',
            f'set {OPENSTACK} to a Python environment made from requirements/openstack.txt',
        )
    return Path(given)


def tools(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Directory of the Go programs that servers share read-only, None when this run has none."""
    given = environ.get(TOOLS)
    if not given:
        return None
    if not Path(given).is_dir():
        raise SandboxError(
            'cannot share', given, f'{TOOLS} names no directory', 'run make tools, or unset the variable'
        )
    return Path(given)


def machine_programs(minor: str) -> Path:
    """Directory with bin/ and versions.json of what Kubernetes machines of a minor ('1.34') run, built when missing.

    Raises SandboxError when it cannot be built, or when there is no checkout with a set-up beside the sandbox.
    """
    name = f'node-{minor}'
    if not SETUP.exists():
        raise SandboxError('cannot build', name, f'{SETUP} does not exist', 'run the sandbox from a checkout')
    words = run(
        ['python3', str(SETUP), 'tools', '--set', name],
        what='cannot build',
        subject=f'the programs {name}',
        timeout=PROGRAMS_TIMEOUT,
        advice=f'run python3 {SETUP} tools --set {name} and read what it says',
    )
    return Path(words.strip())
