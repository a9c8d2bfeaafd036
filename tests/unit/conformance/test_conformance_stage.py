"""The stage with a runner that plays recorded results, and the command's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from recorded import FAILS, LOG, MIXED, RUNS, case, evidence, report, request, skipped

from scs_ci.cli import main
from scs_ci.conformance import stage
from scs_ci.conformance.model import Evidence, Request, Say
from scs_ci.core.clock import Clock
from scs_ci.core.outcome import Exit, Outcome
from scs_ci.core.records import Plan, PlannedVersion, Record, RunInfo
from scs_ci.core.run import RunDirectory, run_stage

pytestmark = pytest.mark.unit
KEY = 'openstack-scs2-1-34'
NAMES = tuple(f'[sig-node] Thing {number} works [Conformance]' for number in range(100))


@dataclasses.dataclass
class Played:
    """A runner whose runs are recorded."""

    junit: str
    log: str = ''
    code: int = 0
    name: str = 'played'
    asked: Request | None = None

    def version(self) -> str:
        return 'v1.34.10'

    def specs(self) -> Sequence[str]:
        return NAMES

    def run(self, request: Request, place: Path, say: Say, clock: Clock) -> Evidence:
        self.asked = request
        return evidence(place, self.junit, code=self.code, log=self.log)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    info = RunInfo('3c0a4a9e', 'ci', '2026-11-25T01:00:00Z', '2026-11-25T05:00:00Z', 'e2e', 'stacks', 'abc', 'sandbox')
    made = RunDirectory.create(tmp_path / 'run', info)
    stages = ('check', 'build', 'publish', 'deploy', 'conformance')
    made.write_plan(Plan((PlannedVersion(KEY, 'p', 'openstack', 'scs2', 'v1.34.7', 'A', 'all', stages),)))
    for name in stages[:-1]:
        made.write_record(Record(name, Outcome.PASSED, '2026-11-25T01:00:00Z', 1.0, version=KEY))
    return made


def played(run: RunDirectory, runner: Played, server: str = 'v1.34.10', **setup: object) -> Record:
    values: dict[str, object] = {'request': request(), 'selection': 'smoke', **setup}
    made = stage.Setup(runner=runner, lister=runner, **values)  # type: ignore[arg-type]
    return run_stage(
        run, 'conformance', lambda state: stage.conformance(state, Path('kc'), server, 'v1.34.7', made), KEY
    )


def test_record_of_a_green_stage_names_stand_ins(run: RunDirectory) -> None:
    runner = Played(report(case(RUNS), skipped(FAILS)))
    record = played(run, runner, stand_ins=('httpd',), simulated=('machine',))
    assert (record.outcome, record.verdict) == (Outcome.PASSED, '')
    assert record.reason == '1 of 1 specs passed; stand-in images: a test, never a certification'
    assert record.simulated == ('machine', 'test image httpd (stand-in)')
    assert record.facts['counts'] == {'total': 1, 'passed': 1, 'failed': 0, 'forgiven': 0, 'skipped': 0, 'unreached': 0}
    assert record.facts['selected'] == 9
    assert (run.path / record.facts['junit']).is_file()
    assert {Path(name).name for name in record.artifacts} == {
        'conformance-junit.xml',
        'conformance-summary.json',
        'e2e.log',
    }
    assert runner.asked is not None
    assert (runner.asked.kubeconfig, runner.asked.skip) == (Path('kc'), '')


def test_stand_ins_that_the_cloud_tells_count(run: RunDirectory) -> None:
    told = 'test image httpd: served by busybox'
    record = played(run, Played(report(case(RUNS))), stand_ins=('nginx',), simulated=('hypervisor', told))
    assert record.facts['stand_ins'] == ['nginx', 'httpd']
    assert record.simulated == ('hypervisor', told, 'test image nginx (stand-in)')
    assert 'a test, never a certification' in record.reason


def test_a_cluster_with_workloads_that_never_become_ready(run: RunDirectory) -> None:
    runner = Played(report(case(RUNS)))
    made = stage.Setup(runner=runner, lister=runner, request=request(), selection='smoke', simulated=('cni',))
    lacking = made.without(['DaemonSet cilium'])
    record = run_stage(
        run, 'conformance', lambda state: stage.conformance(state, Path('kc'), 'v1.34.10', 'v1.34.7', lacking), KEY
    )
    assert runner.asked is not None
    assert runner.asked.extra[-2:] == ('--minStartupPods=-1', '--system-daemonsets-startup-timeout=1s')
    assert record.simulated == ('DaemonSet cilium (no image)', 'cni')
    assert made.request.extra == request().extra, 'other versions are not affected'


def test_record_of_a_red_stage_names_specs(run: RunDirectory) -> None:
    record = played(run, Played(MIXED, LOG, 1), selection='', request=request(skip='x'))
    assert (record.outcome, record.verdict) == (Outcome.FAILED, 'product')
    assert FAILS in record.reason
    assert [failure['name'] for failure in record.facts['failures']] == [FAILS]
    assert record.facts['selection'] == 'focus'


def test_wrong_version_runs_nothing(run: RunDirectory) -> None:
    runner = Played(MIXED)
    record = played(run, runner, server='v1.33.2')
    assert record.reason == 'wrong server version of the cluster: it runs v1.33.2, the plan says v1.34.7'
    assert runner.asked is None


def test_a_deployment_that_stopped_at_a_server_has_nothing_to_test(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {'cluster': 'scs-ci-c0', 'until': 'server active'}
    run.write_record(Record('deploy', Outcome.PASSED, '2026-11-25T01:00:00Z', 1.0, version=KEY, facts=facts))
    assert main(['conformance', '--run', str(run.path), '--kubeconfig', '/nonexistent']) == Exit.ERROR
    assert 'deploy ended with: server active' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'code'),
    [
        (['--focus', '('], Exit.USAGE),
        (['--waivers', '/nonexistent'], Exit.USAGE),
        ([], Exit.ERROR),  # neither a plane nor a kubeconfig: the record says so
        (['--cluster-kubeconfig', '/nonexistent'], Exit.ERROR),
        (['--kubeconfig', '/nonexistent'], Exit.ERROR),
    ],
)
def test_inputs_that_cannot_be_used(
    run: RunDirectory, words: list[str], code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['conformance', '--run', str(run.path), *words]) == code
    said = capsys.readouterr()
    assert 'next:' in said.out + said.err
    assert 'Traceback' not in said.out + said.err
