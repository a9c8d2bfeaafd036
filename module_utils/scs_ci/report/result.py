"""What a report says, as data. Every output form is a pure function of a Result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.outcome import Exit, Outcome, exit_code, worst
from ..core.records import Finding, Leftover, Record
from .specs import Case, notes

# `verdict` of a purge record that only says what leftovers.json says, too.
LEFTOVERS = 'leftovers'


@dataclass(frozen=True)
class StageResult:
    """One stage of a version or of the run. started is empty when there is no record of it; seconds is then 0.

    notes: lines about single specs, or about an upgrade; cases: all specs of stage conformance.
    """

    stage: str
    outcome: Outcome
    reason: str = ''
    advice: str = ''
    verdict: str = ''
    started: str = ''
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    artifacts: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()

    @property
    def green(self) -> bool:
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True)
class VersionResult:
    """One Kubernetes version of one stack. stack: path in the checkout; release: the built tag, empty without one.

    why: what the plan says why it is in the run, for example what changed.
    """

    key: str
    stack: str
    kubernetes: str
    release: str
    stages: tuple[StageResult, ...]
    why: str = ''

    @property
    def outcome(self) -> Outcome:
        return worst(stage.outcome for stage in self.stages)


@dataclass(frozen=True)
class Result:
    """A whole run. log: content of progress.log; leftovers: what the purge could not delete."""

    run: str
    checkout: str
    commit: str
    cloud: str
    repeat: str
    stages: tuple[StageResult, ...]
    versions: tuple[VersionResult, ...]
    leftovers: tuple[Leftover, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    log: str = ''

    @property
    def outcome(self) -> Outcome:
        """The worst of everything; leftovers are at least an error, and a run without a version is one, too."""
        found = [stage.outcome for stage in self.stages] + [version.outcome for version in self.versions]
        if self.leftovers or not self.versions:
            found.append(Outcome.ERROR)
        return worst(found)

    @property
    def exit(self) -> Exit:
        """Exit code: that of the outcome, or LEFTOVERS when leftovers are the only thing wrong."""
        if self.leftovers and self.versions:
            others = [s.outcome for s in self.stages if s.verdict != LEFTOVERS] + [v.outcome for v in self.versions]
            if exit_code(worst(others or [Outcome.PASSED])) is Exit.PASSED:
                return Exit.LEFTOVERS
        return exit_code(self.outcome)

    @property
    def every_stage(self) -> tuple[tuple[VersionResult | None, StageResult], ...]:
        """All stages with their version, in the order of the report: run-wide ones first."""
        own = tuple((version, stage) for version in self.versions for stage in version.stages)
        return tuple((None, stage) for stage in self.stages) + own

    @property
    def simulated(self) -> tuple[str, ...]:
        return tuple(sorted({what for _, stage in self.every_stage for what in stage.simulated}))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for _, stage in self.every_stage for finding in stage.findings)


def from_record(record: Record, cases: tuple[Case, ...] = ()) -> StageResult:
    """A stage that left a record, with the specs that it ran."""
    return StageResult(
        stage=record.stage,
        outcome=record.outcome,
        reason=record.reason,
        advice=record.advice,
        verdict=record.verdict,
        started=record.started,
        seconds=record.seconds,
        findings=record.findings,
        artifacts=record.artifacts,
        simulated=record.simulated,
        notes=notes(record.facts),
        cases=cases,
    )


def stage_columns(versions: Iterable[VersionResult]) -> tuple[str, ...]:
    """The stages that occur in any version, in the order of their first appearance."""
    return tuple(dict.fromkeys(stage.stage for version in versions for stage in version.stages))
