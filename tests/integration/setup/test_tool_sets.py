"""Sets of programs that are built only when they are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scs_setup import programs, toolchain, tools

# Minutes from an empty build cache, seconds with a warm one.
pytestmark = [pytest.mark.integration, pytest.mark.slow]

SETS = ['node-1.34']


@pytest.fixture(scope='module')
def go() -> toolchain.Toolchain:
    return toolchain.ensure()


@pytest.mark.parametrize('name', SETS)
def test_a_set_holds_its_programs_and_those_it_includes(name: str, go: toolchain.Toolchain) -> None:
    built, group = tools.ensure(name), programs.named(name)
    wanted = {**group.programs}
    for included in group.includes:
        wanted |= programs.named(included).programs
    assert {file.name for file in (built / 'bin').iterdir()} == set(wanted)
    for program in wanted.values():
        assert tools.wrong_version(go, program, built / 'bin' / program.name) == ''
    versions = json.loads((built / 'versions.json').read_text())
    assert versions.pop('go').startswith('go1.')
    assert versions == {program.name: programs.version(program) for program in wanted.values()}


@pytest.mark.parametrize('name', SETS)
def test_programs_of_machines_need_no_library(name: str) -> None:
    for file in (tools.ensure(name) / 'bin').iterdir():
        with file.open('rb') as opened:
            beginning = opened.read(16384)
        assert beginning.startswith(b'\x7fELF'), file.name
        assert b'/ld-linux' not in beginning, file.name


def test_an_included_program_is_stored_once() -> None:
    node, machine = tools.ensure('node-1.34'), tools.ensure('machine')
    assert (node / 'bin' / 'pause').samefile(machine / 'bin' / 'pause')
    assert not Path(node / 'manifests-src').exists()
