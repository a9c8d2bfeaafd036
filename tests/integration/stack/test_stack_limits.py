"""Hostile stacks with the real programs: every check ends, says what is wrong, and takes less than a GiB of memory."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from stack_tools import ROOT

from scs_ci.core import bounded
from scs_ci.core.bounded import Limits, begin
from scs_ci.core.errors import TimeoutProblem
from scs_ci.stack import archive, batch
from scs_ci.stack.batch import Prepared, Setting
from scs_ci.stack.helm import Helm
from scs_ci.stack.rule import BASE

pytestmark = pytest.mark.integration
MIB = 1 << 20
# All the nodes that a stack may have take half a minute.
LONG = int(os.environ.get('HYPOTHESIS_EXAMPLES', '0')) >= 1_000
TEMPLATE = 'cluster-class/templates/class.yaml'
CLASS = BASE[TEMPLATE]


def checked(stack: Path, tools: Path) -> tuple[int, str, int]:
    """Exit code, all that was printed, and the memory of the largest process in MiB.

    A small interpreter starts the check and reads what its children took: this one has a history of its own.
    """
    script = (
        'import resource, subprocess, sys\n'
        'done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n'
        'print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n'
        'print(done.stdout + done.stderr)\n'
    )
    words = [sys.executable, '-c', script, sys.executable, '-m', 'scs_ci', 'check', stack, '--offline', '--jobs', '1']
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), 'SCS_CI_TOOLS': str(tools)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=200, check=True)
    head, _, printed = done.stdout.partition('\n')
    code, memory = head.split()
    return int(code), printed, int(memory)


def stack_at(directory: Path, changes: dict[str, bytes]) -> Path:
    for name, content in {**{path: text.encode() for path, text in BASE.items()}, **changes}.items():
        place = directory / 'demo' / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return directory / 'demo'


def sparse(size: int) -> bytes:
    """An archive whose only file has a hole of so many bytes, as GNU tar writes it."""
    entry = tarfile.TarInfo('c/values.yaml')
    entry.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    # no pieces of content; the real size in base 256, as larger numbers are written
    block[386:482] = b'00000000000\0' * 8
    block[483:495] = b'\x80' + size.to_bytes(11, 'big')
    block[148:156] = b'        '
    block[148:156] = f'{sum(block[:512]):06o}\0 '.encode()
    return bytes(block) + bytes(1024)


def many_nodes(count: int) -> bytes:
    return b'a: [' + b'a,' * count + b'a]\n'


LOOPS = {
    'text': '{{ repeat 2000000000 "x" }}',
    'list': '{{ range until 2000000000 }}{{ end }}',
    'include': '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
}
CASES: dict[str, dict[str, bytes]] = {
    'large files': {f'list{n}.yaml': many_nodes(190_000) for n in range(12 if LONG else 1)},
    'one list of four MiB': {'image.yaml': b'- x\n' * MIB},
    'bombs in archives': {
        f'cluster-addon/cni/charts/c{n}.tgz': archive.pack({f'c{n}/values.yaml': bytes(60 * MIB)}) for n in range(8)
    },
    'a hole in an archive': {'cluster-addon/cni/charts/c.tgz': gzip.compress(sparse(100 << 30), mtime=0)},
    'endless number': {'cluster-addon/cni/values.yaml': b'a: 1' + b':1' * MIB + b'\n'},
    **{
        f'template that loops: {name}': {TEMPLATE: f'{CLASS}  labels: {{x: "{text}"}}\n'.encode()}
        for name, text in LOOPS.items()
    },
}


@pytest.mark.parametrize('changes', CASES.values(), ids=CASES.keys())
def test_a_hostile_stack_is_judged(tmp_path: Path, tools: Path, changes: dict[str, bytes]) -> None:
    stack = stack_at(tmp_path, changes)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob('*'))

    code, printed, memory = checked(stack, tools)

    assert code in (0, 1), printed[-2000:]
    assert 'Traceback' not in printed
    assert 'crashed' not in printed
    assert memory < 1024
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob('*')) == before


def test_what_a_chart_prints_is_bounded(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    program = batch.program(helm)
    assert program is not None
    monkeypatch.setattr(batch, 'LIMITS', Limits(60, 896 * MIB, MIB))
    files = {'Chart.yaml': b'apiVersion: v2\nname: c\nversion: 1.2.3\n'}
    large = {**files, 'templates/a.yaml': b'a: {{ repeat 3000000 "x" }}\n'}
    small = {**files, 'templates/a.yaml': b'a: b\n'}
    charts = [Prepared('chart', content, 'release', 'space') for content in (large, small)]

    (first,), (second,) = batch.render(program, [(chart, [Setting()]) for chart in charts])

    assert 'more than 1 MiB of output' in first.output.error
    assert [part.text.strip() for part in second.output.parts] == ['a: b']


def test_only_the_chart_that_takes_the_memory_is_given_up(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program itself looks at what all charts have taken, before the system refuses more."""
    program = batch.program(helm)
    assert program is not None
    monkeypatch.setattr(batch, 'MOST_MIB', 200)
    files = {'Chart.yaml': b'apiVersion: v2\nname: c\nversion: 1.2.3\n'}
    grows = b'{{ $all := list }}{{ range until 1000 }}{{ $all = append $all (repeat 1000000 "x") }}{{ end }}a: b\n'
    # takes time and hardly any memory, so that it is at work when the limit is reached
    small = b'{{ range until 30000 }}{{ end }}a: b\n'
    charts = [Prepared('chart', {**files, 'templates/a.yaml': text}, 'release', 'space') for text in (grows, small)]

    (guilty,), innocent = batch.render(program, [(charts[0], [Setting()]), (charts[1], [Setting()] * 500)])

    assert 'takes more than 200 MiB' in guilty.output.error
    assert [part.text.strip() for result in innocent for part in result.output.parts] == ['a: b'] * 500


@pytest.mark.parametrize(
    ('script', 'excess'),
    [
        ('print("out of memory", file=__import__("sys").stderr); raise SystemExit(2)', 'memory'),
        ('import os\nfor _ in range(5): os.write(1, b"x" * 1_000_000)', 'output'),
        ('print("fine")', ''),
        ('raise SystemExit(1)', ''),
    ],
)
def test_a_child_with_limits_says_what_it_lacked(script: str, excess: str) -> None:
    done = begin([sys.executable, '-c', script], Limits(20, 512 * MIB, MIB)).ended()

    assert bounded.excess(done) == excess
    assert excess or done.code == (0 if done.stdout == 'fine\n' else 1)


def test_a_child_cannot_take_more_memory_than_its_limit() -> None:
    script = (
        'import resource, sys; sys.stdin.read(); print(resource.getrlimit(resource.RLIMIT_DATA)[0])\n'
        'try:\n    x = bytearray(300 << 20)\nexcept MemoryError:\n    print("none left")\n'
    )
    done = begin([sys.executable, '-c', script], Limits(20, 100 * MIB, MIB)).ended()

    assert done.stdout.split('\n')[:2] == [str(100 * MIB), 'none left']


def test_a_child_ends_with_its_limit_and_with_who_asked() -> None:
    sleeper = [sys.executable, '-c', 'import time; time.sleep(60)']

    with pytest.raises(TimeoutProblem, match='no end within 0 s'):
        begin(sleeper, Limits(0.2, 512 * MIB, MIB)).ended()
    forgotten = begin(sleeper, Limits(60, 512 * MIB, MIB))
    pid = forgotten.pid
    del forgotten

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
