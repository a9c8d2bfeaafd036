"""The run directory: the only thing stages share."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

from . import files, shape
from .clock import Clock, SystemClock
from .errors import Problem, ToolProblem, UsageProblem
from .naming import Names, names
from .outcome import Outcome
from .progress import Progress
from .records import FORMAT, Finding, Leftovers, Plan, PlannedVersion, Record, RunInfo, Severity
from .redact import Redactor

T = TypeVar('T')
STAGE_DIR = 'stages'  # records of run-wide stages


def timestamp(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC, whole seconds: 2026-11-25T01:53:39Z."""
    return moment.astimezone(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def _since(created: str, clock: Clock) -> float:
    """Seconds since the run began, so that all its processes tell one time; 0 when a host's clock is behind."""
    try:
        begun = datetime.datetime.fromisoformat(created)
    except ValueError:
        return 0.0
    return max(0.0, (clock.now() - begun).total_seconds()) if begun.tzinfo else 0.0


class RunDirectory:
    """Typed access to the files of one run."""

    def __init__(self, path: Path, info: RunInfo, stream: TextIO | None = None, clock: Clock | None = None) -> None:
        """stream: where progress is printed, standard error by default; it is always logged."""
        self.path, self.info, self.clock = path, info, clock or SystemClock()
        elapsed = _since(info.created, self.clock)
        self.progress = Progress(stream, path / 'progress.log', self.clock, elapsed=elapsed)
        self.redactor = Redactor()

    @classmethod
    def create(cls, path: Path, info: RunInfo, **options: Any) -> RunDirectory:
        """Write run.json. An existing run of the same id is continued; of another id it is a UsageProblem."""
        for parent in (path, *path.parents):
            if parent.exists() and not parent.is_dir():
                raise UsageProblem(
                    'cannot start a run in', f'directory {path}', f'{parent} is a file', 'name a directory'
                )
        if (path / 'run.json').exists() and (found := cls.open(path).info).id != info.id:
            raise UsageProblem(
                'cannot start a run in', f'directory {path}', f'it holds run {found.id}', 'choose an empty directory'
            )
        files.write_json(path / 'run.json', shape.dump(info))
        return cls(path, info, **options)

    @classmethod
    def open(cls, path: Path, **options: Any) -> RunDirectory:
        """An existing run directory."""
        try:
            content = files.read_json(path / 'run.json')
        except FileNotFoundError:
            raise _no_run(path, 'there is no run.json') from None
        except ToolProblem:
            if path.is_dir():
                raise
            raise _no_run(path, 'it is a file') from None
        return cls(path, _load(RunInfo, content, path / 'run.json'), **options)

    @property
    def names(self) -> Names:
        return names(self.info.id)

    def keep_secret(self, redactor: Redactor) -> None:
        """From now on these secrets are replaced in records and progress."""
        self.redactor = self.progress.redactor = redactor

    def write_plan(self, plan: Plan) -> None:
        files.write_json(self.path / 'plan.json', shape.dump(plan))

    def plan(self) -> Plan:
        try:
            return self._read(Plan, 'plan.json')
        except FileNotFoundError:
            raise UsageProblem(
                'cannot read', f'plan of {self.path}', 'there is none', "run 'scs-ci discover' first"
            ) from None

    def version(self, key: str) -> PlannedVersion:
        """The planned version of that key."""
        planned = {v.key: v for v in self.plan().versions}
        if key not in planned:
            raise UsageProblem(
                'cannot find version', key, f'the plan has {", ".join(planned) or "none"}', 'use one of these'
            )
        return planned[key]

    def place(self, version: str | None) -> Path:
        """Directory of a version's files, or of the run-wide stages."""
        return self.path / (version or STAGE_DIR)

    def write_record(self, record: Record) -> None:
        content = self.redactor.data(shape.dump(record))
        files.write_json(self.place(record.version) / f'{record.stage}.json', content)

    def record(self, stage: str, version: str | None = None) -> Record | None:
        """The record of a stage, or None when it did not run."""
        try:
            return self._read(Record, f'{version or STAGE_DIR}/{stage}.json')
        except FileNotFoundError:
            return None

    def lost(self) -> str:
        """Why what was written on the plane host is not here; empty when it is. The role fetch-run says so."""
        try:
            return (self.path / 'lost.txt').read_text(encoding='utf-8', errors='replace').strip()
        except FileNotFoundError:
            return ''

    def write_leftovers(self, leftovers: Leftovers) -> None:
        files.write_json(self.path / 'leftovers.json', shape.dump(leftovers))

    def leftovers(self) -> Leftovers | None:
        try:
            return self._read(Leftovers, 'leftovers.json')
        except FileNotFoundError:
            return None

    def _read(self, kind: type[T], name: str) -> T:
        return _load(kind, files.read_json(self.path / name), self.path / name)


def _no_run(path: Path, answer: str) -> UsageProblem:
    return UsageProblem('cannot open', f'run directory {path}', answer, "start with 'scs-ci discover'")


def _load(kind: type[T], content: Any, path: Path) -> T:
    version = content.get('format') if isinstance(content, dict) else None
    if version != FORMAT:
        raise ToolProblem(
            'cannot read', f'file {path}', f'format {version!r}, known is {FORMAT}', 'use the scs-ci that wrote it'
        )
    return shape.load(kind, content, f'file {path}')


class StageRun:
    """Collects what a running stage has to say; becomes its Record."""

    def __init__(self, run: RunDirectory, stage: str, version: str | None) -> None:
        self.run, self.stage, self.version = run, stage, version
        self.outcome, self.reason, self.advice, self.verdict = Outcome.PASSED, '', '', ''
        self.findings: list[Finding] = []
        self.facts: dict[str, Any] = {}
        self.artifacts: list[str] = []
        self.simulated: set[str] = set()

    @property
    def directory(self) -> Path:
        """Where the stage may put its own files."""
        place = self.run.place(self.version)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def say(self, text: str) -> None:
        self.run.progress.say(text, f'{self.version} {self.stage}' if self.version else self.stage)

    def artifact(self, path: Path) -> None:
        """Name a file below the run directory as part of the result."""
        self.artifacts.append(str(path.relative_to(self.run.path)))

    def end(self, outcome: Outcome, reason: str, advice: str = '', verdict: str = '') -> None:
        self.outcome, self.reason, self.advice, self.verdict = outcome, reason, advice, verdict

    def failed_by(self, problem: Problem) -> None:
        self.end(problem.outcome, problem.reason, problem.advice, problem.verdict)

    def judge_findings(self) -> None:
        """Errors among the findings make the stage fail; the reason is the first one."""
        errors = [f for f in self.findings if f.severity is Severity.ERROR]
        if errors:
            first, more = errors[0], f' (and {len(errors) - 1} more)' if len(errors) > 1 else ''
            reason = f'{first.file}:{first.line}: {first.rule}: {first.message}{more}'
            self.end(Outcome.FAILED, reason, 'fix the findings', 'product')


def run_stage(run: RunDirectory, stage: str, body: Callable[[StageRun], None], version: str | None = None) -> Record:
    """Run one stage and write its record whatever happens. Only Ctrl-C passes through, after the record is written."""
    state, start, started = StageRun(run, stage, version), run.clock.monotonic(), timestamp(run.clock.now())
    stopped: BaseException | None = None
    try:
        state.say('started')  # whoever reads it may stop us at once, and there is a record nevertheless
        body(state)
    except Problem as problem:
        state.failed_by(problem)
    except KeyboardInterrupt as interrupt:
        state.end(Outcome.ERROR, 'interrupted', "run it again, or 'scs-ci purge'", 'interrupted')
        stopped = interrupt
    except Exception as error:  # noqa: BLE001 - outermost entry of a stage: a crash is a record, too, never silence
        _crashed(state, error)
    record = _finish(state, started, run.clock.monotonic() - start)
    run.write_record(record)
    state.say(f'{record.outcome}{": " + record.reason if record.reason else ""}')
    if stopped:
        raise stopped
    return record


def skip_stage(run: RunDirectory, stage: str, reason: str, version: str | None = None) -> Record:
    """Record that a stage was left out, and why."""
    return run_stage(run, stage, lambda state: state.end(Outcome.SKIPPED, reason), version)


def _crashed(state: StageRun, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    path = state.run.place(state.version) / f'{state.stage}.traceback.txt'
    # Where it cannot be written, the record cannot either, and that is told; the crash itself must not be lost over it.
    with contextlib.suppress(ToolProblem):
        files.write_atomic(path, state.run.redactor.text(''.join(traceback.format_exception(error))))
        state.artifact(path)
    where = f'{Path(place.filename).name}:{place.lineno}'
    state.end(
        Outcome.ERROR,
        f'scs-ci crashed: {type(error).__name__}: {error} ({where})',
        f'report it with {path.name}',
        'tool',
    )


def _finish(state: StageRun, started: str, seconds: float) -> Record:
    return Record(
        stage=state.stage,
        outcome=state.outcome,
        started=started,
        seconds=round(seconds, 2),
        reason=state.reason,
        advice=state.advice,
        verdict=state.verdict,
        version=state.version,
        findings=tuple(state.findings),
        facts=dict(state.facts),
        artifacts=tuple(state.artifacts),
        simulated=tuple(sorted(state.simulated)),
    )


def version_stage(
    run: RunDirectory, stage: str, body: Callable[[StageRun, PlannedVersion], None], keys: tuple[str, ...] = ()
) -> list[Record]:
    """Run a stage for every planned version (or those named), skipping what the plan or an earlier stage rules out."""
    chosen = [run.version(key) for key in keys] if keys else list(run.plan().versions)
    return [_one_version(run, stage, body, version) for version in chosen]


def _one_version(
    run: RunDirectory, stage: str, body: Callable[[StageRun, PlannedVersion], None], version: PlannedVersion
) -> Record:
    if stage not in version.stages:
        return skip_stage(run, stage, version.skipped.get(stage, 'not in the plan'), version.key)
    before = version.stages[: version.stages.index(stage)]
    for earlier in before:
        record = run.record(earlier, version.key)
        if record is None:
            return run_stage(run, stage, functools.partial(_missing, earlier, version.key), version.key)
        if record.outcome is not Outcome.PASSED:
            return skip_stage(run, stage, f'{earlier} {record.outcome}', version.key)
    return run_stage(run, stage, lambda state: body(state, version), version.key)


def _missing(earlier: str, version: str, state: StageRun) -> None:
    """A stage that was left out by mistake: skipping would end green without having done anything."""
    raise UsageProblem(f'cannot {state.stage}', version, f'{earlier} did not run', f"run 'scs-ci {earlier}' first")


def replace_info(info: RunInfo, **changes: Any) -> RunInfo:
    """A copy of run.json's content with changes."""
    return dataclasses.replace(info, **changes)
