"""What tools/programs.toml and tools/sets/ say: programs, their versions and linker flags, as data.

The programs of a management plane are the set `plane` (programs.toml). Other sets are built only when they are asked
for: sets/<name>.toml, where `minors` makes one set <name>-<minor> for each Kubernetes minor.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import paths
from .problems import USAGE, SetupProblem

KUBERNETES = 'k8s.io/kubernetes'
PLANE = 'plane'


@dataclass(frozen=True)
class Program:
    """One Go program; see tools/programs.toml for the meaning of the fields.

    own_version: version of a program of ours, instead of version_of. test: a test program (`go test -c`).
    """

    name: str
    module: str
    package: str
    reason: str
    cold_seconds: int
    version_of: str = ''
    own_version: str = ''
    test: bool = False
    ask: tuple[str, ...] = ()
    answer: str = ''
    version_info: str = ''
    stamps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifests:
    """A directory of a module's sources that is copied beside the programs."""

    name: str
    module: str
    of: str
    path: str


@dataclass(frozen=True)
class Set:
    """Programs that are built together and end in one directory.

    includes: names of the sets whose programs are put beside them.
    """

    name: str
    reason: str
    programs: Mapping[str, Program]
    manifests: Mapping[str, Manifests] = field(default_factory=dict)
    includes: tuple[str, ...] = ()


def catalog(tools: Path = paths.TOOLS) -> tuple[dict[str, Program], dict[str, Manifests]]:
    """Programs and manifest directories of the plane (tools/programs.toml) by name."""
    plane = sets(tools)[PLANE]
    return dict(plane.programs), dict(plane.manifests)


def sets(tools: Path = paths.TOOLS) -> dict[str, Set]:
    """All sets by name, the plane first."""
    data = tomllib.loads((tools / 'programs.toml').read_text())
    manifests = {name: Manifests(name=name, **table) for name, table in data['manifests'].items()}
    result = {PLANE: Set(PLANE, 'management plane', _programs(data['program']), manifests)}
    for file in sorted((tools / 'sets').glob('*.toml')):
        data = tomllib.loads(file.read_text())
        for minor in data.get('minors', ['']):
            name = f'{file.stem}-{minor}' if minor else file.stem
            found = _programs(data['program'], minor)
            result[name] = Set(name, data['reason'], found, includes=tuple(data.get('include', ())))
    return result


def named(name: str, tools: Path = paths.TOOLS) -> Set:
    """The set of that name.

    Raises:
        SetupProblem: there is none.
    """
    known = sets(tools)
    if name not in known:
        raise SetupProblem(
            f'cannot build the set {name}',
            f'there are only {", ".join(known)}',
            'name one of them, or add it to tools/sets',
            USAGE,
        )
    return known[name]


def _programs(tables: Mapping[str, Mapping[str, Any]], minor: str = '') -> dict[str, Program]:
    found = (_program(name.replace('{minor}', minor), table, minor) for name, table in tables.items())
    return {program.name: program for program in found}


def _program(name: str, table: Mapping[str, Any], minor: str) -> Program:
    """A program of a set; what a first minor compiles may cost a second one more, so seconds may be told by minor."""
    seconds = table['cold_seconds']
    values = {
        'module': table['module'].replace('{minor}', minor),
        'ask': tuple(table.get('ask', ())),
        'cold_seconds': seconds[minor] if isinstance(seconds, Mapping) else seconds,
    }
    return Program(name=name, **{**table, **values})


def requirements(go_mod: str) -> dict[str, str]:
    """Module versions that a go.mod requires."""
    return dict(re.findall(r'^(?:require\s+|\t)([\w./~-]+\.[\w./~-]+) (v\S+)', go_mod, re.MULTILINE))


def version(program: Program, tools: Path = paths.TOOLS) -> str:
    """The version (v1.2.3) that go.mod pins for a program, or that of a program of ours."""
    if program.own_version:
        return program.own_version
    pinned = requirements((tools / program.module / 'go.mod').read_text())
    if program.version_of not in pinned:
        raise SetupProblem(
            f'cannot tell the version of {program.name}',
            f'tools/{program.module}/go.mod does not require {program.version_of}',
            'correct version_of in tools/programs.toml',
            USAGE,
        )
    return pinned[program.version_of]


def substitutions(program: Program, tools: Path = paths.TOOLS) -> dict[str, str]:
    """Values for the placeholders in stamps and answers."""
    pinned = requirements((tools / program.module / 'go.mod').read_text())
    own = version(program, tools)
    values = {'version': own, 'bare': own.removeprefix('v')}
    values['major'], values['minor'] = values['bare'].split('.')[:2]
    kubernetes = pinned.get(KUBERNETES, 'v.').removeprefix('v').split('.')
    return {**values, 'kubernetes_major': kubernetes[0], 'kubernetes_minor': kubernetes[1]}


def stamps(program: Program, tools: Path = paths.TOOLS) -> dict[str, str]:
    """Linker variables and their values."""
    values = substitutions(program, tools)
    result = {name: text.format(**values) for name, text in program.stamps.items()}
    if program.version_info:
        info = {'gitVersion': 'version', 'gitMajor': 'major', 'gitMinor': 'minor'}
        result.update({f'{program.version_info}.{name}': values[key] for name, key in info.items()})
        result[f'{program.version_info}.gitTreeState'] = 'clean'
    return result


def linker_flags(program: Program, tools: Path = paths.TOOLS) -> str:
    """The -ldflags of a program: no symbol tables (a third of the size), version stamps."""
    return ' '.join(['-s', '-w', *(f'-X={name}={value}' for name, value in sorted(stamps(program, tools).items()))])


def wanted_answer(program: Program, tools: Path = paths.TOOLS) -> str:
    """What must be in the words of a program that is asked for its version."""
    return program.answer.format(**substitutions(program, tools))


def table(tools: Path = paths.TOOLS) -> str:
    """The programs of all sets as a Markdown table, for doc/tools.md."""
    rows = ['| Set | Program | Version | Why it is here | Cold build |', '|---|---|---|---|---|']
    for group in sets(tools).values():
        for program in group.programs.values():
            cells = (group.name, program.name, version(program, tools), program.reason, f'{program.cold_seconds} s')
            rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'
