"""Answers that are kept: the same question only, of the same programs, and never one that may change by itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from scs_ci.core.process import Completed
from scs_ci.stack import keeping

pytestmark = pytest.mark.unit
QUESTION = '{"points": []}'


@dataclass(frozen=True)
class Child:
    stdout: str
    code: int = 0

    def ended(self) -> Completed:
        return Completed(('program',), self.code, self.stdout, '')


@pytest.fixture
def programs(tmp_path: Path) -> list[Path]:
    """A program and a directory that it reads."""
    (tmp_path / 'definitions/capi').mkdir(parents=True)
    (tmp_path / 'definitions/capi/crd.yaml').write_text('kind: A')
    (tmp_path / 'program').write_text('one')
    return [tmp_path / 'program', tmp_path / 'definitions']


def ask(place: Path, programs: list[Path], child: Child, passing: str = '', **other: object) -> bool:
    """Ask as a check does; whether the child had to run. Its answer is always the one it gives."""
    before = keeping.kept(place, str(other.pop('question', QUESTION)), programs, **other)  # type: ignore[arg-type]
    answer = before.answer()
    if answer:
        assert (answer.code, answer.stdout) == (0, child.stdout)
        return False
    assert before.keeping(child, passing).ended() == child.ended()
    return True


def test_the_same_question_is_asked_once(tmp_path: Path, programs: list[Path]) -> None:
    answer = Child('ä answer\n')
    assert [ask(tmp_path / 'kept', programs, answer) for _ in range(3)] == [True, False, False]
    assert ask(tmp_path / 'kept', programs, Child('other'), question='{}')
    assert ask(tmp_path / 'kept', programs, Child('other'), content=[b'chart'])
    assert not ask(tmp_path / 'kept', programs, Child('other'), content=[b'chart'])


def test_changed_programs_and_what_they_read_answer_anew(tmp_path: Path, programs: list[Path]) -> None:
    place = tmp_path / 'kept'
    assert ask(place, programs, Child('1'))
    programs[0].write_text('two and more')
    assert ask(place, programs, Child('2'))
    (programs[1] / 'capi/crd.yaml').write_text('kind: B')
    os.utime(programs[1] / 'capi/crd.yaml', (1, 1))
    assert ask(place, programs, Child('3'))
    (programs[1] / 'capi/more.yaml').write_text('')
    assert ask(place, programs, Child('4'))


@pytest.mark.parametrize('child', [Child('', code=1), Child('late: does a template loop?')])
def test_what_may_be_otherwise_another_time_is_not_kept(tmp_path: Path, programs: list[Path], child: Child) -> None:
    assert ask(tmp_path, programs, child, 'template loop')
    assert ask(tmp_path, programs, child, 'template loop')


@pytest.mark.parametrize('damage', [b'', b'\x00', b'half'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, programs: list[Path], damage: bytes) -> None:
    place = tmp_path / 'kept'
    assert ask(place, programs, Child('good'))
    (file,) = place.iterdir()
    file.write_bytes(file.read_bytes()[:9] if damage == b'half' else damage)
    assert ask(place, programs, Child('good'))
    assert not ask(place, programs, Child('good'))


def test_a_place_that_cannot_be_written_costs_time_only(tmp_path: Path, programs: list[Path]) -> None:
    (tmp_path / 'file').write_text('')
    assert ask(tmp_path / 'file/below', programs, Child('good'))
    assert ask(tmp_path / 'file/below', programs, Child('good'))
    assert not keeping.kept(None, QUESTION, programs).answer()


def test_nothing_is_kept_of_programs_that_cannot_be_looked_at(tmp_path: Path, programs: list[Path]) -> None:
    (programs[1] / 'nowhere').symlink_to('missing')
    assert [ask(tmp_path / 'kept', programs, Child('good')) for _ in range(2)] == [True, True]


def test_those_of_no_use_for_longest_go_first(
    tmp_path: Path, programs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, 'MOST', 3)
    place = tmp_path / 'kept'
    for number in range(3):
        assert ask(place, programs, Child(str(number)), question=str(number))
        os.utime(keeping.kept(place, str(number), programs).file or place, (number, number))
    assert not ask(place, programs, Child('0'), question='0')  # of use just now
    assert ask(place, programs, Child('3'), question='3')
    there = [bool(keeping.kept(place, str(number), programs).answer()) for number in range(4)]
    assert there == [True, False, True, True]
