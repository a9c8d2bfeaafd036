"""The fresh machine: its command line, its process, what is told when there is none."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from scs_setup import accelerator, cli, virtual
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
    assert words[words.index('-smp') + 1] == '2'  # kubeadm's least


def test_with_kvm_the_machine_has_our_clock_and_all_its_processors() -> None:
    words = virtual.command(PLACE, Size(processors=3), 40022, 'kvm')
    assert '-icount' not in words
    assert words[words.index('-smp') + 1] == '3'
    assert words[words.index('-accel') + 1] == 'kvm'


def answers(tmp_path: Path, refused: int | None = None, version: int = 12) -> tuple[accelerator.Ask, list[int]]:
    """What /dev/kvm would answer; and the files that it opens."""
    opened: list[int] = []

    def ask(handle: int, number: int) -> int:
        if number == refused:
            raise OSError(errno.EBUSY, 'Device or resource busy')
        if number == accelerator.GET_API_VERSION:
            return version
        opened.append(os.open(tmp_path, os.O_RDONLY))
        return opened[-1]

    return ask, opened


def closed(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return True
    return False


def test_kvm_is_tried_by_making_a_machine_that_is_given_up(tmp_path: Path) -> None:
    device = tmp_path / 'kvm'
    device.touch()
    ask, opened = answers(tmp_path)
    assert accelerator.obstacle(device, ask) == ''
    assert len(opened) == 2
    assert all(map(closed, opened))


@pytest.mark.parametrize('refused', [accelerator.CREATE_VM, accelerator.CREATE_VCPU])
def test_a_device_that_makes_no_machine_is_no_kvm(tmp_path: Path, refused: int) -> None:
    device = tmp_path / 'kvm'
    device.touch()
    ask, opened = answers(tmp_path, refused)
    assert accelerator.obstacle(device, ask) == f'{device}: Device or resource busy'
    assert all(map(closed, opened))


def test_what_is_no_kvm_device_is_told(tmp_path: Path) -> None:
    assert 'No such file' in accelerator.obstacle(tmp_path / 'kvm')
    (tmp_path / 'kvm').touch()
    assert 'ioctl' in accelerator.obstacle(tmp_path / 'kvm')
    assert 'version 11' in accelerator.obstacle(tmp_path / 'kvm', answers(tmp_path, version=11)[0])


@pytest.mark.parametrize(
    ('wish', 'found', 'kind'), [('auto', '', 'kvm'), ('auto', 'gone', 'tcg'), ('kvm', '', 'kvm'), ('tcg', '', 'tcg')]
)
def test_the_accelerator_follows_the_wish_and_what_is_there(wish: str, found: str, kind: str) -> None:
    chosen, words = accelerator.choose(wish, found)
    assert chosen == kind
    assert found in words


def test_kvm_that_is_wished_for_and_not_there_is_an_error() -> None:
    with pytest.raises(SetupProblem, match='cannot boot with KVM') as caught:
        accelerator.choose('kvm', '/dev/kvm: Permission denied')
    assert caught.value.answer == '/dev/kvm: Permission denied'


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


@pytest.mark.parametrize(
    ('script', 'speaks'),
    [('sleep 0.2; echo Linux version > console.log; sleep 600', True), ('sleep 600', False), ('exit 1', False)],
)
def test_a_machine_runs_when_its_console_speaks(tmp_path: Path, script: str, speaks: bool) -> None:
    place = Place(tmp_path)
    (tmp_path / 'qemu.log').write_text('failed to set MSR\n')
    place.record.touch()
    with subprocess.Popen(['sh', '-c', f'exec 2>/dev/null; {script}'], cwd=tmp_path, start_new_session=True) as process:
        assert virtual._speaks(place, process, 3 if speaks else 0.6) is speaks
        assert virtual._end(place, process) == 'failed to set MSR'
        assert process.poll() is not None
    assert not place.record.exists()


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Accelerators with which QEMU was started; in its place sleeps a program that only answers when translated."""
    kinds: list[str] = []

    def launch(place: Place, size: Size, kind: str) -> tuple[subprocess.Popen[bytes], Machine]:
        kinds.append(kind)
        (place.directory / 'qemu.log').write_text('')
        process = subprocess.Popen(['sleep', '600'])
        return process, record(place, process.pid, start_time(process.pid))

    monkeypatch.setattr(virtual, '_launch', launch)
    monkeypatch.setattr(virtual, 'SPEAK_SECONDS', 1)
    monkeypatch.setattr(virtual, '_speaks', lambda place, process: False)
    monkeypatch.setattr(
        virtual, '_answers', lambda place, machine, question='true': 'poweroff' not in question and kinds[-1] == 'tcg'
    )
    monkeypatch.setattr(virtual.apt, 'ensure', lambda name: [])
    monkeypatch.setattr(accelerator, 'obstacle', lambda: '')
    Place(tmp_path).disk.touch()
    return kinds


def test_where_kvm_does_not_run_a_machine_translation_does(
    tmp_path: Path, launched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    virtual.boot(place, Size())
    assert launched == ['kvm', 'tcg']
    assert 'does not run it (its console was silent' in capsys.readouterr().err
    assert virtual.stop(place)


def test_kvm_that_was_wished_for_is_not_replaced(
    tmp_path: Path, launched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, 'BOOT_SECONDS', 0)
    with pytest.raises(SetupProblem, match='cannot boot'):
        virtual.boot(Place(tmp_path), Size(), 'kvm')
    assert launched == ['kvm']


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
