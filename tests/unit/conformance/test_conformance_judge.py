"""Verdicts on recorded results: every way to be red has a message of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import FAILS, FLAKY, HEAD, LOG, MIXED, OTHER, RUNS, SKIPS, SLOW, case, evidence, failed, report, request
from recorded import skipped as skip

from scs_ci.conformance import junit
from scs_ci.conformance.judge import demand_version, judge
from scs_ci.conformance.model import State, Waiver
from scs_ci.core.errors import ProductProblem, ToolProblem, UsageProblem
from scs_ci.core.outcome import Outcome

pytestmark = pytest.mark.unit
GREEN = report(case(RUNS), skip(OTHER))
TIMEOUT = report(case(RUNS), failed(SLOW, 'A suite timeout occurred', 'timedout'), stopped='Suite Timeout Elapsed')
HALF = MIXED[: len(MIXED) // 2]


@pytest.mark.parametrize(
    ('reports', 'code', 'expired', 'outcome', 'verdict', 'words'),
    [
        ((GREEN,), 0, False, Outcome.PASSED, '', '1 of 1 specs passed'),
        ((MIXED,), 1, False, Outcome.FAILED, 'product', f'{FAILS} (expected 200, got 503)'),
        ((report(skip(OTHER)),), 0, False, Outcome.ERROR, 'tool', 'zero tests'),
        ((report(),), 0, False, Outcome.ERROR, 'tool', 'zero tests'),
        ((report(skip(SKIPS, 'no gce')),), 0, False, Outcome.ERROR, 'tool', 'all 1 tests skipped themselves'),
        ((), 0, False, Outcome.ERROR, 'tool', 'missing junit'),
        ((HALF,), 0, False, Outcome.ERROR, 'tool', 'unreadable junit'),
        (('<html></html>',), 0, False, Outcome.ERROR, 'tool', 'unreadable junit'),
        ((), 1, False, Outcome.ERROR, 'tool', 'crashed runner: ginkgo ended with exit code 1'),
        ((), -9, False, Outcome.ERROR, 'tool', 'crashed runner: ginkgo was ended by signal 9'),
        ((GREEN,), -11, False, Outcome.ERROR, 'tool', 'signal 11 although no spec failed'),
        ((), -9, True, Outcome.ERROR, 'timeout', 'timeout: ginkgo had to be stopped after 120 s and left no junit'),
        (
            (TIMEOUT,),
            1,
            False,
            Outcome.ERROR,
            'timeout',
            'timeout: not done within 120 s, 1 of 2 specs passed, 1 fail',
        ),
        ((report(case(RUNS), failed(SLOW, 'x', 'interrupted')),), 1, False, Outcome.ERROR, 'tool', 'cut off'),
        (
            (report(case('', '<failure message="no nodes"/>', 'failed', 'SynchronizedBeforeSuite'), skip(RUNS)),),
            *(1, False, Outcome.FAILED, 'product', 'outside of its specs: SynchronizedBeforeSuite: no nodes'),
        ),
    ],
)
def test_verdict(
    tmp_path: Path, reports: tuple[str, ...], code: int, expired: bool, outcome: Outcome, verdict: str, words: str
) -> None:
    result = judge(request(), evidence(tmp_path, *reports, code=code, expired=expired), tmp_path)
    assert (result.outcome, result.verdict) == (outcome, verdict), result.reason
    assert words in result.reason
    assert bool(result.advice) == (outcome is not Outcome.PASSED)


def test_failure_at_the_time_limit_is_the_products(tmp_path: Path) -> None:
    both = report(failed(FAILS), failed(SLOW, 'A suite timeout occurred', 'timedout'), stopped='Suite Timeout Elapsed')
    result = judge(request(), evidence(tmp_path, both, code=1), tmp_path)
    assert result.outcome is Outcome.FAILED
    assert 'then the time of 120 s was over' in result.reason


def test_counts_flaky_and_skipped(tmp_path: Path) -> None:
    summary = judge(request(), evidence(tmp_path, MIXED, code=1, log=LOG), tmp_path).summary
    assert (summary.total, summary.passed, summary.failed, summary.skipped) == (4, 2, 1, 1)
    assert summary.flaky == (FLAKY,)
    assert [(f.name, f.state) for f in summary.failures] == [(FAILS, State.FAILED)]


def test_waiver_forgives_and_never_hides(tmp_path: Path) -> None:
    waivers = (Waiver('should.fail', 'known'), Waiver('SCTP', 'optional'))
    result = judge(request(ok_to_fail=waivers), evidence(tmp_path, MIXED, code=1, log=LOG), tmp_path)
    assert result.outcome is Outcome.PASSED
    assert result.reason == '2 of 4 specs passed, 1 failed, allowed, 1 flaky, 1 skipped, 1 waivers unused'
    assert result.summary.unused_waivers == ('SCTP',)
    assert [f.reason for f in result.summary.failures] == ['known']
    assert result.junit is not None
    assert 'failed, allowed (known): expected 200, got 503' in result.junit.read_text()


def test_specs_that_were_not_reached_are_counted_and_red(tmp_path: Path) -> None:
    result = judge(request(), evidence(tmp_path, GREEN, log=HEAD), tmp_path)
    assert result.outcome is Outcome.ERROR
    assert result.reason == 'crashed runner: ginkgo ended with exit code 0, 1 of 5 specs passed, 4 not reached'
    late = judge(request(), evidence(tmp_path, TIMEOUT, code=1, log=HEAD), tmp_path)
    assert '1 of 5 specs passed, 1 failed, 3 not reached' in late.reason


def test_waiver_forgives_no_spec_that_was_cut_off(tmp_path: Path) -> None:
    waivers = (Waiver('should be slow', 'known'),)
    result = judge(request(ok_to_fail=waivers), evidence(tmp_path, TIMEOUT, code=1), tmp_path)
    assert result.outcome is Outcome.ERROR


def test_merged_file_reads_as_what_it_was_made_of(tmp_path: Path) -> None:
    result = judge(request(), evidence(tmp_path, MIXED, GREEN, code=1, log=LOG), tmp_path)
    assert result.junit is not None
    again = junit.read(result.junit)
    states = {spec.name: (spec.state, spec.attempts) for spec in again.specs}
    assert states == {
        RUNS: (State.PASSED, 2),  # in both files
        FLAKY: (State.PASSED, 2),
        FAILS: (State.FAILED, 1),
        SKIPS: (State.SKIPPED, 0),
    }


def test_log_without_end_still_counts(tmp_path: Path) -> None:
    result = judge(request(), evidence(tmp_path, log=HEAD, code=-15), tmp_path)
    assert 'signal 15' in result.reason


@pytest.mark.parametrize(
    ('runner', 'server', 'planned', 'problem'),
    [
        ('v1.34.10', 'v1.34.7', 'v1.34.1', None),
        ('', 'v1.34.7', 'v1.34.7', None),
        ('v1.33.2', 'v1.34.7', 'v1.34.7', ToolProblem),
        ('v1.34.10', 'v1.33.2', 'v1.34.7', ProductProblem),
        ('v1.34.10', 'master', 'v1.34.7', UsageProblem),
    ],
)
def test_wrong_server_version(runner: str, server: str, planned: str, problem: type[Exception] | None) -> None:
    if problem is None:
        demand_version(runner, server, planned)
        return
    with pytest.raises(problem):
        demand_version(runner, server, planned)
