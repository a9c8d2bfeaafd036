"""The runners' command lines, and what becomes of what programs leave.

The programs are stand-ins: shell scripts that write recorded results. That the real ginkgo and e2e.test understand
these command lines is shown in doc/conformance.md; sonobuoy and hydrophone need a cluster that can pull their images.
"""

from __future__ import annotations

import datetime
import json
import os
import tarfile
import time
from pathlib import Path

import pytest
from recorded import HEAD, LOG, MIXED, RUNS, case, report, request, tarball

from scs_ci.conformance import launch, sonobuoy
from scs_ci.conformance.e2e_test import E2eTest
from scs_ci.conformance.hydrophone import Hydrophone
from scs_ci.conformance.judge import judge
from scs_ci.conformance.model import Evidence, Runner
from scs_ci.conformance.sonobuoy import Sonobuoy
from scs_ci.core.clock import SystemClock
from scs_ci.core.errors import ToolProblem
from scs_ci.core.outcome import Outcome

# They start processes, though only shells.
pytestmark = pytest.mark.integration


class HastyClock(SystemClock):
    """Every look at the child takes a minute."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.passed, datetime.UTC)

    def sleep(self, seconds: float) -> None:
        super().sleep(0.05)
        self.passed += 60 * seconds


def stand_in(place: Path, name: str, script: str) -> None:
    place.mkdir(exist_ok=True)
    path = place / name
    path.write_text(f'#!/bin/sh\necho "$0 $*" >> "{place}/calls"\n{script}\n')
    path.chmod(0o755)


def gone(path: Path) -> bool:
    """Whether the process whose number is in the file ends within five seconds; a signal takes its time."""
    command = Path(f'/proc/{int(path.read_text())}/cmdline')
    for _ in range(100):
        try:
            if not command.read_bytes():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def calls(place: Path) -> list[str]:
    return [line.removeprefix(f'{place}/') for line in (place / 'calls').read_text().splitlines()]


def run(runner: Runner, place: Path, **changes: object) -> tuple[Evidence, list[str]]:
    said: list[str] = []
    return runner.run(request(**changes), place, said.append, SystemClock()), said


def e2e(tmp_path: Path, script: str) -> E2eTest:
    bins = tmp_path / 'bin'
    stand_in(bins, 'e2e.test', 'case "$1" in --version) echo v1.34.10 ;; *) echo "- codename: a spec" ;; esac')
    stand_in(bins, 'ginkgo', script)
    stand_in(bins, 'kubectl', '')
    return E2eTest(f'{bins}:{os.defpath}')


WRITES = 'for word; do case "$word" in --report-dir=*) mkdir -p "${word#*=}"; cd "${word#*=}" ;; esac; done\n'


def test_e2e_test(tmp_path: Path) -> None:
    (tmp_path / 'report').write_text(MIXED)
    (tmp_path / 'log').write_text(LOG)
    script = f'{WRITES}cp {tmp_path}/report junit_01.xml; cat {tmp_path}/log; exit 1'
    runner = e2e(tmp_path, script)
    assert (runner.version(), list(runner.specs())) == ('v1.34.10', ['a spec'])
    place = tmp_path / 'place'
    evidence, _ = run(runner, place, skip=r'\[Serial\]', parallel=3, flake_attempts=2, extra=('--num-nodes=2',))
    assert (evidence.code, evidence.expired, [path.name for path in evidence.junits]) == (1, False, ['junit_01.xml'])
    result = judge(request(), evidence, place)
    assert (result.outcome, len(result.summary.flaky)) == (Outcome.FAILED, 1)
    bins = tmp_path / 'bin'
    assert calls(bins)[-1] == (
        r'ginkgo --procs=3 --no-color --flake-attempts=2 --timeout=120s --focus=\[Conformance\] --skip=\[Serial\] '
        rf'{bins}/e2e.test -- --report-dir={place}/reports --kubeconfig=kubeconfig --provider=skeleton '
        rf'--disable-log-dump --kubectl-path={bins}/kubectl --num-nodes=2'
    )


def test_programs_of_the_minor_come_first_and_proxies_stay_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = e2e(tmp_path, f'env > {tmp_path}/env')
    stand_in(tmp_path / 'bin', 'e2e-1.33.test', 'echo v1.33.2')
    assert E2eTest(runner.search, '1.33').version() == 'v1.33.2'
    assert E2eTest(runner.search, '1.34').version() == 'v1.34.10'
    monkeypatch.setenv('HTTPS_PROXY', 'http://proxy.invalid')
    monkeypatch.setenv('no_proxy', 'localhost')
    run(runner, tmp_path / 'place')
    seen = (tmp_path / 'env').read_text()
    assert 'proxy' not in seen.lower()
    assert 'KUBECONFIG=kubeconfig' in seen


def test_reports_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    old = tmp_path / 'place' / 'reports' / 'junit_01.xml'
    old.parent.mkdir(parents=True)
    old.write_text(report(case(RUNS)))
    evidence, _ = run(e2e(tmp_path, 'kill -9 $$'), tmp_path / 'place')
    assert (evidence.code, evidence.junits) == (-9, ())
    assert 'signal 9' in judge(request(), evidence, tmp_path).reason


def test_missing_program_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ToolProblem, match='ginkgo'):
        run(E2eTest(str(tmp_path)), tmp_path / 'place')


def test_progress_each_minute_and_an_end_by_force(tmp_path: Path) -> None:
    (tmp_path / 'head').write_text(HEAD + '••S')
    runner = e2e(tmp_path, f'cat {tmp_path}/head; trap "" INT; sleep 600 & echo $! > {tmp_path}/child; wait; wait')
    said: list[str] = []
    evidence = runner.run(request(timeout=300.0), tmp_path / 'place', said.append, HastyClock())
    assert evidence.expired
    assert [line for line in said if line.startswith('2 passed, 0 failed, 0 skipped of 5 specs')]
    assert said[-1].startswith('no end within')
    assert judge(request(timeout=300.0), evidence, tmp_path).verdict == 'timeout'
    assert gone(tmp_path / 'child')


def test_child_that_ends_leaves_no_process(tmp_path: Path) -> None:
    launch.run(['sh', '-c', f'sleep 600 & echo $! > {tmp_path}/child'], tmp_path / 'log', 9, print, SystemClock(), str)
    assert gone(tmp_path / 'child')


def test_hydrophone(tmp_path: Path) -> None:
    (tmp_path / 'report').write_text(MIXED)
    (tmp_path / 'log').write_text(LOG)
    bins = tmp_path / 'bin'
    place = tmp_path / 'place'
    results = place / 'hydrophone'
    script = (
        'case "$*" in *--cleanup*) exit 0 ;; esac\n'
        f'cp {tmp_path}/report {results}/junit_01.xml; cp {tmp_path}/log {results}/e2e.log; exit 1'
    )
    stand_in(bins, 'hydrophone', script)
    runner = Hydrophone(f'{bins}:{os.defpath}')
    evidence, _ = run(runner, place, skip=r'\[Serial\]', parallel=2, extra=('--num-nodes=2', '--clean-start=true'))
    assert runner.version() == ''
    assert judge(request(), evidence, place).outcome is Outcome.FAILED
    assert calls(bins) == [
        (
            rf'hydrophone --kubeconfig kubeconfig --output-dir {results} --parallel 2 --focus \[Conformance\] '
            r'--skip \[Serial\] --extra-ginkgo-args --flake-attempts=1,--timeout=120s '
            r'--extra-args --num-nodes=2,--clean-start=true'
        ),
        'hydrophone --kubeconfig kubeconfig --cleanup',
    ]
    with pytest.raises(ToolProblem, match='splits at commas'):
        run(runner, place, extra=('--a=1,2',))


def test_hydrophone_that_panics(tmp_path: Path) -> None:
    bins = tmp_path / 'bin'
    stand_in(
        bins, 'hydrophone', 'echo "panic: runtime error: invalid memory address or nil pointer dereference"; exit 2'
    )
    evidence, _ = run(Hydrophone(f'{bins}:{os.defpath}'), tmp_path / 'place')
    result = judge(request(), evidence, tmp_path)
    assert result.outcome is Outcome.ERROR
    assert 'crashed runner: hydrophone ended with exit code 2 and left no junit: panic:' in result.reason


def sono(tmp_path: Path, script: str) -> Sonobuoy:
    stand_in(tmp_path / 'bin', 'sonobuoy', script)
    return Sonobuoy(f'{tmp_path}/bin:{os.defpath}')


def test_sonobuoy(tmp_path: Path) -> None:
    tarball(tmp_path / 'results', junit=MIXED, log=LOG, other='{}', escape=report())
    results = tmp_path / 'place' / 'sonobuoy'
    runner = sono(tmp_path, f'case "$1" in retrieve) cp {tmp_path}/results {results}/results.tar.gz ;; esac')
    evidence, _ = run(runner, tmp_path / 'place', parallel=2, extra=('--num-nodes=2',))
    result = judge(request(), evidence, tmp_path)
    # sonobuoy ends with success when specs failed: the verdict is ours
    assert (evidence.code, result.outcome, len(result.summary.flaky)) == (0, Outcome.FAILED, 1)
    assert [path.name for path in evidence.junits] == ['junit_01.xml']
    assert calls(tmp_path / 'bin') == [
        'sonobuoy delete --kubeconfig kubeconfig --wait',
        (
            r'sonobuoy run --kubeconfig kubeconfig --plugin=e2e --e2e-focus=\[Conformance\] --e2e-skip= '
            '--plugin-env=e2e.E2E_EXTRA_GINKGO_ARGS=--procs=2 --flake-attempts=1 --timeout=120s '
            '--plugin-env=e2e.E2E_EXTRA_ARGS=--num-nodes=2 --timeout=120 --wait=2'
        ),
        f'sonobuoy retrieve --kubeconfig kubeconfig {results} --filename results.tar.gz',
        'sonobuoy delete --kubeconfig kubeconfig --wait',
    ]


def test_sonobuoy_without_tarball_and_with_a_damaged_one(tmp_path: Path) -> None:
    evidence, _ = run(sono(tmp_path, 'echo "no pods found"; [ "$1" != run ]'), tmp_path / 'place')
    assert 'crashed runner: sonobuoy ended with exit code 1' in judge(request(), evidence, tmp_path).reason
    (tmp_path / 'results').write_bytes(b'no archive')
    script = f'[ "$1" != retrieve ] || cp {tmp_path}/results {tmp_path}/place/sonobuoy/results.tar.gz'
    with pytest.raises(ToolProblem, match='cannot read tarball|cannot read'):
        run(sono(tmp_path, script), tmp_path / 'place')
    assert calls(tmp_path / 'bin')[-1].startswith('sonobuoy delete')


def test_sonobuoy_status_as_progress() -> None:
    plugin = {'plugin': 'e2e', 'status': 'running', 'progress': {'completed': 3, 'total': 9, 'failures': ['a']}}
    assert sonobuoy.progress(json.dumps({'plugins': [plugin]})) == 'running, 3 passed, 1 failed of 9 specs'
    assert sonobuoy.progress(json.dumps({'plugins': [{'plugin': 'e2e', 'status': 'running'}]})) == 'running'
    for broken in ('', '[]', '{"plugins": []}', '{"plugins": null}'):
        assert sonobuoy.progress(broken) == 'no status: its answer cannot be read'


def test_tarball_cannot_write_elsewhere(tmp_path: Path) -> None:
    tarball(tmp_path / 'results', escape=report())
    assert sonobuoy.unpack(tmp_path / 'results', tmp_path) == ()
    with tarfile.open(tmp_path / 'links', 'w:gz') as archive:
        link = tarfile.TarInfo('plugins/e2e/results/global/junit_01.xml')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/hostname'
        archive.addfile(link)
    assert sonobuoy.unpack(tmp_path / 'links', tmp_path) == ()
