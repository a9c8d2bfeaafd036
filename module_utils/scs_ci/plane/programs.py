"""The Go programs of a plane: are they there, and which versions are they."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

from ..core.errors import ToolProblem, UsageProblem

VARIABLE = 'SCS_CI_TOOLS'
# program: name of its component in `versions`
PROGRAMS = {
    'etcd': 'etcd',
    'kube-apiserver': 'kubernetes',
    'kube-controller-manager': 'kube-controller-manager',
    'capi-core': 'cluster-api',
    'capi-kubeadm-bootstrap': 'kubeadm-bootstrap',
    'capi-kubeadm-control-plane': 'kubeadm-control-plane',
    'capo': 'cluster-api-provider-openstack',
    'orc': 'openstack-resource-controller',
    'cso': 'cluster-stack-operator',
    'registry': 'registry',
    'helm': 'helm',
}
# Programs that only work together: equal versions, because they share CRDs or release as one.
EQUAL = (
    ('kube-apiserver', 'kube-controller-manager'),
    ('capi-core', 'capi-kubeadm-bootstrap', 'capi-kubeadm-control-plane'),
)
# Series that this room knows how to start (flags, CRD contracts). CSO decodes hooks of Cluster API up to 1.12 only.
KNOWN = {
    'etcd': r'v3\.6\.\d+',
    'kube-apiserver': r'v1\.(33|34)\.\d+',
    'capi-core': r'v1\.12\.\d+',
    'capo': r'v0\.14\.\d+',
    'orc': r'v2\.\d+\.\d+',
    'helm': r'v3\.\d+\.\d+',
    'registry': r'v3\.\d+\.\d+',
}
# Line of the build information that the Go linker leaves in every program: module of the main package and its version.
MODULE = re.compile(rb'\nmod\t([!-~]+)\t([!-~]+)')


def directory(option: str | Path | None = None) -> Path:
    """The tools directory: the option, else the variable; UsageProblem when there is none."""
    chosen = option or os.environ.get(VARIABLE)
    if not chosen:
        raise UsageProblem(
            'cannot find',
            'the Go programs',
            f'neither --tools nor {VARIABLE} is set',
            "build them ('make tools') and name their directory",
        )
    return Path(chosen).absolute()


def versions(tools: Path, cso: str = '') -> dict[str, str]:
    """Component to version, read from the programs themselves; ToolProblem for what is missing or does not fit."""
    found = {program: version_of(path_of(tools, program, cso)) for program in PROGRAMS}
    for program, pattern in KNOWN.items():
        if not re.fullmatch(pattern, found[program]):
            raise ToolProblem(
                'cannot use',
                f'program {path_of(tools, program)}',
                f'version {found[program]}, known are {pattern}',
                "build the programs of this checkout ('make tools')",
            )
    for group in EQUAL:
        if len({found[program] for program in group}) > 1:
            seen = ', '.join(f'{program} {found[program]}' for program in group)
            raise ToolProblem(
                'cannot use', f'programs in {tools}', f'{seen}: these must be equal', "build them again ('make tools')"
            )
    return {PROGRAMS[program]: version for program, version in found.items()}


def path_of(tools: Path, program: str, cso: str = '') -> Path:
    """Where the program is; the operator may be another than the built one."""
    return Path(cso).absolute() if program == 'cso' and cso else tools / 'bin' / program


def version_of(program: Path) -> str:
    """Module version in a Go program's build information; 'unknown' for one built outside of a module's release."""
    try:
        if not os.access(program, os.X_OK):
            raise PermissionError(13, 'not executable')
        with program.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            match = MODULE.search(content, max(0, content.find(b'\xff Go buildinf:')))
            return match[2].decode() if match else 'unknown'
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise ToolProblem(
            'cannot use',
            f'program {program}',
            getattr(error, 'strerror', None) or str(error),
            "build it ('make tools') or name another directory with --tools",
        ) from error
