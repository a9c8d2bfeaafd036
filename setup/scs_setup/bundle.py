"""Archives for plane hosts, made before the playbook enters the lab: inside there is no package index."""

import platform
from collections.abc import Mapping

from . import paths
from .process import run

# The Python of this machine's distribution: the nodes of a sandbox run the same distribution.
SYSTEM_PYTHON = '/usr/bin/python3'
ASK_SECONDS = 30  # it prints one line; a loaded machine takes a second
PACK_SECONDS = 900  # about 30 MB of wheels from a slow mirror


def ensure(env: Mapping[str, str]) -> None:
    """Fill the cache with what the role ensure-scs-ci pushes to a node.

    Raises:
        SetupProblem: no Python of the distribution, or a package index that cannot be reached.
    """
    code = 'import platform; print(".".join(platform.python_version_tuple()[:2]))'
    version = run(
        [SYSTEM_PYTHON, '-c', code],
        f'cannot ask {SYSTEM_PYTHON} for its version',
        'install python3 of the distribution',
        ASK_SECONDS,
    ).strip()
    run(
        [paths.CHECKOUT / 'bin' / 'scs-ci', 'bundle', '--python', version, '--machine', platform.machine()],
        f'cannot pack scs-ci for nodes with Python {version}',
        'check that this machine reaches a Python package index, then try again',
        PACK_SECONDS,
        env=dict(env),
    )
