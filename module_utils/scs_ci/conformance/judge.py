"""From what a runner left to a Result. Red must be red: whatever is missing has a message of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import ProductProblem, ToolProblem, UsageProblem
from ..core.outcome import Outcome
from . import junit, launch, output, waivers
from .model import RED, Evidence, Failure, Request, Result, Spec, State, Suite, Summary

VERSION = re.compile(r'v?(\d+)\.(\d+)(?:\.(\d+))?')
MERGED = 'conformance-junit.xml'
# Failed specs by name in the reason; all are in the JUnit file and on the page.
NAMED = 3
STOPPED = re.compile('timeout', re.IGNORECASE)
CERTIFICATION = 'a test, never a certification'


def demand_version(runner: str, server: str, planned: str) -> None:
    """Another minor of the server than planned is a ProductProblem, another of the specs than the server a ToolProblem.

    Patches may differ: specs do not change with them, and the sandbox has one per minor.
    """
    if _minor(server) != _minor(planned):
        raise ProductProblem(
            'wrong server version of',
            'the cluster',
            f'it runs {server}, the plan says {planned}',
            'see which image the control plane booted from',
        )
    if runner and _minor(runner) != _minor(server):
        raise ToolProblem(
            'wrong version of',
            'the conformance runner',
            f'its specs are of {runner}, the server is {server}',
            'use the e2e.test of the same minor version',
        )


def _minor(version: str) -> tuple[str, str]:
    found = VERSION.match(version)
    if not found:
        raise UsageProblem('cannot read', f'version {version!r}', 'it is not like v1.34.10', 'correct it')
    return found[1], found[2]


def judge(request: Request, evidence: Evidence, place: Path) -> Result:
    """The verdict; writes the merged JUnit file below `place` when there is anything to merge."""
    try:
        suite = junit.read_all(evidence.junits)
    except ToolProblem as problem:
        # said with how the program ended: that is the cause of half a file
        reason = f'unreadable junit: {problem.reason} ({_end(evidence)})'
        return Result(None, Summary(), Outcome.ERROR, reason, f'see {evidence.log.name}', 'tool')
    if not evidence.junits:
        return _without(request, evidence)
    log = launch.text(evidence.log)
    suite = output.with_attempts(suite, output.attempts(log))
    summary = summarize(suite, request, output.counts(log).total)
    path = place / MERGED
    junit.write(suite, {f.name: f.reason for f in summary.failures if f.reason}, path)
    outcome, reason, advice, verdict = _verdict(request, evidence, suite, summary)
    return Result(path, summary, outcome, reason, advice, verdict)


def _without(request: Request, evidence: Evidence) -> Result:
    """No report at all: the program was stopped, crashed, or did something else than it was asked."""
    log = f'see {evidence.log.name}'
    last = ' '.join(evidence.answer.split())
    if evidence.expired:
        reason = f'timeout: {evidence.program} had to be stopped after {request.timeout:.0f} s and left no junit'
        return Result(None, Summary(), Outcome.ERROR, reason, f'{log}; raise the limit or select less', 'timeout')
    if evidence.code:
        reason = f'crashed runner: {_end(evidence)} and left no junit: {last}'
        return Result(None, Summary(), Outcome.ERROR, reason, log, 'tool')
    reason = f'missing junit: {evidence.program} ended with success but left no report: {last}'
    return Result(None, Summary(), Outcome.ERROR, reason, log, 'tool')


def _end(evidence: Evidence) -> str:
    if evidence.expired:
        return f'{evidence.program} had to be stopped'
    if evidence.code < 0:
        return f'{evidence.program} was ended by signal {-evidence.code}'
    return f'{evidence.program} ended with exit code {evidence.code}'


def summarize(suite: Suite, request: Request, announced: int = 0) -> Summary:
    """Counts of the selected specs; what waivers forgive is counted apart.

    announced: specs that ginkgo said it will run; those it did not get to look in JUnit like those not selected.
    """
    chosen = [spec for spec in suite.specs if spec.state is not State.UNSELECTED]
    red = [spec for spec in chosen if spec.state in RED]
    failures = tuple(_failure(spec, request) for spec in red)
    forgiven = sum(bool(failure.reason) for failure in failures)
    return Summary(
        total=len(chosen),
        passed=sum(spec.state is State.PASSED for spec in chosen),
        failed=len(red) - forgiven,
        forgiven=forgiven,
        skipped=sum(spec.state is State.SKIPPED for spec in chosen),
        unreached=max(0, announced - len(chosen)),
        seconds=round(sum(spec.seconds for spec in chosen), 2),
        failures=failures,
        flaky=tuple(spec.name for spec in chosen if spec.flaky),
        unused_waivers=waivers.unused([spec.name for spec in red], request.ok_to_fail),
    )


def _failure(spec: Spec, request: Request) -> Failure:
    waiver = waivers.forgiving(spec.name, request.ok_to_fail)
    # A spec that was cut off says nothing about what it tests: only a finished failure can be forgiven.
    finished = spec.state in (State.FAILED, State.PANICKED)
    return Failure(spec.name, spec.state, spec.message, waiver.reason if waiver and finished else '')


Verdict = tuple[Outcome, str, str, str]


def _verdict(request: Request, evidence: Evidence, suite: Suite, summary: Summary) -> Verdict:
    log = f'see {evidence.log.name}'
    failed = [failure for failure in summary.failures if not failure.reason]
    own = [failure for failure in failed if failure.state in (State.FAILED, State.PANICKED)]
    late = evidence.expired or bool(STOPPED.search(suite.stopped))
    if own:
        after = f'; then the time of {request.timeout:.0f} s was over' if late else ''
        return Outcome.FAILED, f'{_failed(summary, own)}{after}', f'{log} and {MERGED}', ProductProblem.verdict
    if late:
        names = f', running: {_names(failed)}' if failed else ''
        reason = f'timeout: not done within {request.timeout:.0f} s, {counted(summary)}{names}'
        return Outcome.ERROR, reason, 'raise the limit or select less', 'timeout'
    if suite.setup:
        reason = f'the suite failed outside of its specs: {suite.setup[0]}'
        return Outcome.FAILED, reason, 'nodes must be Ready and the pods of kube-system running', ProductProblem.verdict
    if failed:
        reason = f'crashed runner: {_end(evidence)}, cut off: {_names(failed)}'
        return Outcome.ERROR, reason, log, 'tool'
    return _unfailed(evidence, suite, summary, log)


def _unfailed(evidence: Evidence, suite: Suite, summary: Summary, log: str) -> Verdict:
    """No failure: that alone is not green."""
    if summary.unreached:
        reason = f'crashed runner: {_end(evidence)}, {counted(summary)}'
        return Outcome.ERROR, reason, log, 'tool'
    if not summary.total:
        reason = f'zero tests: focus and skip leave none of {len(suite.specs)} specs'
        return Outcome.ERROR, reason, 'correct focus and skip', 'tool'
    if summary.skipped == summary.total:
        reason = f'all {summary.total} tests skipped themselves, none ran'
        return Outcome.ERROR, reason, f'{log} for their reasons, select others', 'tool'
    # ginkgo's exit code is 1 when specs failed, also when all of them are forgiven
    if evidence.code and not summary.forgiven:
        reason = f'crashed runner: {_end(evidence)} although no spec failed: {suite.stopped or _last(evidence)}'
        return Outcome.ERROR, reason, log, 'tool'
    return Outcome.PASSED, counted(summary), '', ''


def _last(evidence: Evidence) -> str:
    return ' '.join(evidence.answer.split())[-400:]


def counted(summary: Summary) -> str:
    """Counts in words, with only those that are not zero."""
    parts = [f'{summary.passed} of {summary.total + summary.unreached} specs passed']
    numbers = (
        (summary.failed, 'failed'),
        (summary.forgiven, 'failed, allowed'),
        (len(summary.flaky), 'flaky'),
        (summary.skipped, 'skipped'),
        (summary.unreached, 'not reached'),
        (len(summary.unused_waivers), 'waivers unused'),
    )
    return ', '.join(parts + [f'{number} {word}' for number, word in numbers if number])


def _failed(summary: Summary, failed: Sequence[Failure]) -> str:
    return f'{counted(summary)}: {_names(failed)}'


def _names(failed: Sequence[Failure]) -> str:
    named = '; '.join(f'{f.name} ({f.message})' if f.message else f.name for f in failed[:NAMED])
    return named + (f' and {len(failed) - NAMED} more' if len(failed) > NAMED else '')
