"""What tools/programs.toml says: programs, their versions and linker flags, as data."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import paths
from .problems import USAGE, SetupProblem

KUBERNETES = 'k8s.io/kubernetes'


@dataclass(frozen=True)
class Program:
    """One Go program; see tools/programs.toml for the meaning of the fields."""

    name: str
    module: str
    package: str
    version_of: str
    reason: str
    cold_seconds: int
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


def catalog(tools: Path = paths.TOOLS) -> tuple[dict[str, Program], dict[str, Manifests]]:
    """Programs and manifest directories of tools/programs.toml by name."""
    data = tomllib.loads((tools / 'programs.toml').read_text())
    programs = {}
    for name, table in data['program'].items():
        programs[name] = Program(name=name, **{**table, 'ask': tuple(table.get('ask', ()))})
    return programs, {name: Manifests(name=name, **table) for name, table in data['manifests'].items()}


def requirements(go_mod: str) -> dict[str, str]:
    """Module versions that a go.mod requires."""
    return dict(re.findall(r'^(?:require\s+|\t)([\w./~-]+\.[\w./~-]+) (v\S+)', go_mod, re.MULTILINE))


def version(program: Program, tools: Path = paths.TOOLS) -> str:
    """The version (v1.2.3) that go.mod pins for a program."""
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
    """The programs as a Markdown table, for doc/tools.md."""
    rows = ['| Program | Version | Why it is here | Cold build |', '|---|---|---|---|']
    for program in catalog(tools)[0].values():
        rows.append(f'| {program.name} | {version(program, tools)} | {program.reason} | {program.cold_seconds} s |')
    return '\n'.join(rows) + '\n'
