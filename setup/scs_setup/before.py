"""The releases before, one Kubernetes minor lower: what clusters are made of that are then upgraded to a new minor.

A checkout has a stack as it is now; the minor before is in its history, or nowhere. What its owners change from one to
the other first of all is the version that the stack declares, and with it the name of its class chart, so these differ
in a copy of the checkout.
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import programs
from .problems import USAGE, SetupProblem

DECLARED, CHART = 'csctl.yaml', 'cluster-class/Chart.yaml'
# Program whose version is that of the machines of a set.
KUBELET = 'kubelet'
LINE = re.compile(r'^(\s*kubernetesVersion:\s*["\']?)v?\d+\.\d+(?:\.\d+)?', re.MULTILINE)


def minor(version: str) -> str:
    """'1.34' of 'v1.34.10'."""
    return '.'.join(version.removeprefix('v').split('.')[:2])


def of(version: str) -> str:
    """The version that machines of the minor before are built of: 'v1.33.13' for 'v1.34.10'.

    Raises:
        SetupProblem: nobody builds machines of it.
    """
    major, _, number = minor(version).partition('.')
    before = f'{major}.{int(number) - 1}'
    known = programs.sets()
    if f'node-{before}' not in known:
        built = ', '.join(name.removeprefix('node-') for name in known if name.startswith('node-'))
        raise SetupProblem(
            f'cannot upgrade from the minor before {version}',
            f'Kubernetes {before} is not among those that machines of the sandbox are built of: {built}',
            'leave such stacks out with STACKS=..., or take UPGRADE=1',
            USAGE,
        )
    return programs.version(known[f'node-{before}'].programs[KUBELET])


def write(checkout: Path, stacks: Mapping[str, Iterable[str]], place: Path) -> dict[str, list[str]]:
    """Copy a checkout to `place`, with the version before in the named stacks. stacks: version -> paths of stacks.

    Returns the same for the copy.

    Raises:
        SetupProblem: no machines of the minor before, or a stack that does not declare its version in csctl.yaml.
    """
    lowered = {version: of(version) for version in stacks}
    # a run directory may be used again, so its copy, too
    shutil.copytree(checkout, place, symlinks=True, ignore=shutil.ignore_patterns('.git'), dirs_exist_ok=True)
    found: dict[str, list[str]] = {}
    for version, paths in stacks.items():
        for path in paths:
            _lower(place / path / DECLARED, path, lowered[version])
            _rename(place / path / CHART, minor(version), minor(lowered[version]))
            found.setdefault(lowered[version], []).append(path)
    return found


def _lower(file: Path, path: str, version: str) -> None:
    text = file.read_text() if file.is_file() else ''
    changed, times = LINE.subn(lambda line: line[1] + version, text)
    if times != 1:
        raise SetupProblem(
            f'cannot make the release before of {path}',
            f'{DECLARED} has {times} lines with kubernetesVersion, not one' if text else f'it has no {DECLARED}',
            'leave it out with STACKS=..., or take UPGRADE=1',
            USAGE,
        )
    file.write_text(changed)


def _rename(chart: Path, old: str, new: str) -> None:
    """The class chart bears the minor in its name. One of another name is left to the check to judge."""
    if chart.is_file():
        name = re.compile(rf'^(name:.*)-{old.replace(".", "-")}-cluster-class', re.MULTILINE)
        chart.write_text(name.sub(rf'\1-{new.replace(".", "-")}-cluster-class', chart.read_text()))
