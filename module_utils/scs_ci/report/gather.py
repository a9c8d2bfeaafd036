"""From a run directory to a Result. Nothing in it can stop the report: what is missing or damaged is part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..core.errors import Problem, UsageProblem
from ..core.outcome import Outcome
from ..core.records import RUN_STAGES, VERSION_STAGES, Leftover, Plan, PlannedVersion, Record, RunInfo
from ..core.run import RunDirectory
from .result import LEFTOVERS, Result, StageResult, VersionResult, from_record
from .specs import cases

T = TypeVar('T')
PURGE = 'purge'
# The page holds the log as a whole; what is longer than this (bytes) loses its middle, for a browser has to open it.
LONGEST_LOG = 1_000_000
UNKNOWN = RunInfo(id='', owner='', created='', expires='', tier='', checkout='', commit='', cloud='')


def read(path: Path) -> Result:
    """The result of the run in that directory. Only a directory that does not exist is refused (UsageProblem)."""
    if not path.is_dir():
        raise UsageProblem('cannot report on', f'run directory {path}', 'there is none', 'name that of the run')
    problems: list[StageResult] = []
    info = _try(lambda: RunDirectory.open(path).info, problems) or UNKNOWN
    run = RunDirectory(path, info)
    # The record comes before the plan: a discover that failed is the reason why there is no plan.
    discover = _stage(run, 'discover', None)
    plan = _try(run.plan, problems) if discover.green or (path / 'plan.json').exists() else None
    lost = run.lost()
    stages, broken = _run_stages(run, plan, lost)
    versions = tuple(_version(run, version, broken, lost) for version in plan.versions) if plan else ()
    if plan and not versions:
        problems.append(_problem('the plan holds no version', 'see the record of discover'))
    leftovers = _leftovers(run, stages, problems)
    return Result(
        run=info.id,
        checkout=info.checkout,
        commit=info.commit,
        cloud=info.cloud,
        repeat=info.repeat,
        stages=stages + tuple(problems),
        versions=versions,
        leftovers=leftovers,
        tools=tuple(sorted(info.tools.items())),
        log=_log(path / 'progress.log'),
    )


def _problem(reason: str, advice: str) -> StageResult:
    """Something wrong with the directory itself, shown as a stage of its own."""
    return StageResult('report', Outcome.ERROR, reason, advice, 'tool')


def _try(action: Callable[[], T], problems: list[StageResult]) -> T | None:
    try:
        return action()
    except Problem as problem:
        problems.append(_problem(problem.reason, problem.advice))
        return None


def _stage(run: RunDirectory, stage: str, version: str | None, cause: str = '', lost: str = '') -> StageResult:
    """The stage as recorded; without a record, or with a damaged one, an error.

    cause: why it may not have run; lost: why its record may not be here.
    """
    try:
        record = run.record(stage, version)
    except Problem as problem:
        return StageResult(stage, Outcome.ERROR, problem.reason, problem.advice, problem.verdict)
    if record is None:
        return _absent(stage, cause, lost)
    strange = _strange(record, stage, version)
    if strange:
        return StageResult(stage, Outcome.ERROR, strange, 'the file is damaged: repeat the stage', 'tool')
    try:
        return from_record(record, cases(run.path, record.facts))
    except Problem as problem:
        return StageResult(stage, Outcome.ERROR, problem.reason, problem.advice, problem.verdict)


def _absent(stage: str, cause: str, lost: str) -> StageResult:
    """A stage without a record. A cause comes first: what is known to have kept it from running left no record."""
    if lost and not cause:
        return StageResult(stage, Outcome.ERROR, f'no record of {stage}: {lost}', 'repeat the run', 'tool')
    reason = f'{stage} did not run: {cause}' if cause else f'{stage} did not run'
    return StageResult(stage, Outcome.ERROR, reason, 'see progress.log for what ended the run', 'tool')


def _strange(record: Record, stage: str, version: str | None) -> str:
    """A record must speak of the stage whose name its file bears; otherwise a green one could stand in for another."""
    if (record.stage, record.version) == (stage, version):
        return ''
    return f'record {version or "run"}/{stage}.json is of stage {record.stage} of {record.version or "the run"}'


def _run_stages(run: RunDirectory, plan: Plan | None, lost: str) -> tuple[tuple[StageResult, ...], str]:
    """The run-wide stages, and the first thing among them that kept the versions from running ('' when nothing did)."""
    found: list[StageResult] = []
    broken = ''
    for name in plan.stages if plan else RUN_STAGES:
        # purge runs whatever happened before, and on the controller
        result = _stage(run, name, None) if name == PURGE else _stage(run, name, None, broken, lost)
        found.append(result)
        bad = result.outcome in (Outcome.FAILED, Outcome.ERROR) and (result.started or not lost)
        if name != PURGE and not broken and bad:
            broken = f'{name} {result.outcome}: {result.reason}' if result.started else result.reason
    return tuple(found), broken


def _version(run: RunDirectory, version: PlannedVersion, broken: str, lost: str) -> VersionResult:
    known = [*VERSION_STAGES, *(s for s in (*version.stages, *version.skipped) if s not in VERSION_STAGES)]
    stages: list[StageResult] = []
    for name in (s for s in known if s in version.stages or s in version.skipped):
        recorded = name in version.stages or (run.place(version.key) / f'{name}.json').exists()
        before = next((f'{s.stage} {s.outcome}' for s in stages if s.outcome in (Outcome.FAILED, Outcome.ERROR)), '')
        skipped = StageResult(name, Outcome.SKIPPED, version.skipped.get(name, 'not in the plan'))
        cause = broken or ('' if lost else before)
        stages.append(_stage(run, name, version.key, cause, lost) if recorded else skipped)
    release = _release(run, version)
    return VersionResult(version.key, version.path, version.kubernetes, release, tuple(stages), version.reason)


def _release(run: RunDirectory, version: PlannedVersion) -> str:
    """The tag that build or publish told; damage is reported where the stage itself is read."""
    for stage in ('publish', 'build'):
        try:
            record = run.record(stage, version.key)
        except Problem:
            continue
        if record and record.facts.get('tag'):
            return str(record.facts['tag'])
    return ''


def _leftovers(run: RunDirectory, stages: tuple[StageResult, ...], problems: list[StageResult]) -> tuple[Leftover, ...]:
    """Leftovers as checked by the purge. A purge that ran must have written the file, whatever its record says."""
    purge = next((stage for stage in stages if stage.stage == PURGE), None)
    if purge is None or purge.outcome is Outcome.SKIPPED:
        return ()
    before = len(problems)
    found = _try(run.leftovers, problems)
    if found is None:
        # Without a record, or with one that says why, one error is enough; a green purge without proof is a new one.
        if len(problems) == before and purge.outcome is Outcome.PASSED:
            problems.append(_problem('leftovers.json is missing after the purge', "run 'scs-ci purge' again"))
        return ()
    if not found.checked and purge.outcome is Outcome.PASSED:
        problems.append(_problem('the cloud could not be asked for leftovers', "run 'scs-ci purge' again"))
    if purge.verdict == LEFTOVERS and not found.resources:
        problems.append(_problem('the purge tells of leftovers that leftovers.json lacks', "run 'scs-ci purge' again"))
    return found.resources


def _log(path: Path) -> str:
    """The progress log, without its middle when it is very long; empty when there is none."""
    try:
        content = path.read_bytes()
    except OSError:
        return ''
    if len(content) > LONGEST_LOG:
        half = LONGEST_LOG // 2
        content = content[:half] + b'\n[... cut, see progress.log ...]\n' + content[-half:]
    return content.decode('utf-8', 'replace')
