"""The fresh machine: its command line, its process, what is told when there is none."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from scs_setup import cli, virtual
from scs_setup.fresh import Place
from scs_setup.problems import SetupProblem
from scs_setup.virtual import Machine, Size

pytestmark = pytest.mark.unit
PLACE = Place(Path('/srv/fresh'))


def record(place: Place, pid: int, start: int) -> Machine:
    machine = Machine(pid, start, 2222)
    place.record.write_text(json.dumps({'pid': pid, 'start': start, 'port': machine.port}))
    return machine


def start_time(pid: int) -> int:
    return int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19])


def test_a_translated_machine_counts_instructions_and_listens_on_loopback_only() -> None:
    words = virtual.command(PLACE, Size(memory=2048), 40022, 'tcg')
    assert words[words.index('-icount') + 1] == 'shift=0,sleep=on'
    assert 'user,id=net,hostfwd=tcp:127.0.0.1:40022-:22' in words
    assert words[words.index('-m') + 1] == '2048'
    assert '-icount' not in virtual.command(PLACE, Size(), 40022, 'kvm')


def test_only_exactly_the_recorded_process_is_the_machine(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert virtual.running(place) is None
    own = record(place, os.getpid(), start_time(os.getpid()))
    assert virtual.running(place) == own
    record(place, os.getpid(), own.start + 1)
    assert virtual.running(place) is None


def test_a_machine_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with subprocess.Popen(['sleep', '600']) as process:
        record(place, process.pid, start_time(process.pid))
        assert virtual.stop(place)
        assert process.wait() == -15
    assert not place.record.exists()
    assert not virtual.stop(place)


def test_without_a_machine_the_next_command_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with pytest.raises(SetupProblem, match='does not run') as caught:
        virtual.execute(place, ['make', 'doctor'])
    assert caught.value.next_step == f'boot it: python3 setup/main.py fresh {tmp_path} boot'
    with pytest.raises(SetupProblem, match='there is no disk'):
        virtual.boot(place, Size(), 'tcg')


def test_words_after_run_are_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['fresh', str(tmp_path), 'run', 'make', 'doctor', '--help']) == 2
    assert 'does not run' in capsys.readouterr().err
