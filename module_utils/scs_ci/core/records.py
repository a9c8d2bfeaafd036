"""The data that stages leave in the run directory. Every file carries `format`, the version of its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .outcome import Outcome

FORMAT = 1

# Stages of one version, in order; a stage runs only when the one before it passed.
VERSION_STAGES = ('check', 'build', 'publish', 'deploy')
# Stages of the whole run, in order. `purge` always runs.
RUN_STAGES = ('discover', 'preflight', 'provision', 'plane', 'purge')


class Severity(StrEnum):
    """How bad a finding is; only `error` makes the gate red."""

    ERROR = 'error'
    WARNING = 'warning'
    NOTICE = 'notice'


@dataclass(frozen=True)
class Finding:
    """One defect at a place in a source file.

    file: relative to the checkout; line, column, end_line: from 1; seen, wanted: the values that differ.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    message: str
    stack: str = ''
    column: int | None = None
    end_line: int | None = None
    seen: str | None = None
    wanted: str | None = None
    fix: str | None = None


@dataclass(frozen=True)
class Record:
    """What one stage did.

    version: key of the version, or None for a stage of the whole run. started: ISO 8601, UTC. reason: one line, empty
    when passed without remark. verdict: class of the problem ('product', 'quota', 'network', …) or
    empty. facts: whatever later stages and readers need, never a secret. artifacts: paths relative to the run.
    simulated: what was not real on the way to this record.
    """

    stage: str
    outcome: Outcome
    started: str
    seconds: float
    reason: str = ''
    advice: str = ''
    verdict: str = ''
    version: str | None = None
    findings: tuple[Finding, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True)
class PlannedVersion:
    """One Kubernetes version of one cluster stack and what is to be done with it.

    key: directory in the run, `<provider>-<stack>-<major>-<minor>`. path: stack directory relative to the checkout.
    kubernetes: as in the release, e.g. 'v1.34.7'. reason: why it is in the plan ('changed', 'all', 'asked for').
    skipped: stage to reason, for stages the plan leaves out. upgraded: Kubernetes of its cluster after the planned
    upgrade, empty where none is planned.
    """

    key: str
    path: str
    provider: str
    name: str
    kubernetes: str
    layout: str
    reason: str
    stages: tuple[str, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    upgraded: str = ''


@dataclass(frozen=True)
class Plan:
    """plan.json: every version of the run, at least one; stages: the run-wide stages that are planned."""

    versions: tuple[PlannedVersion, ...]
    stages: tuple[str, ...] = RUN_STAGES
    format: int = FORMAT


@dataclass(frozen=True)
class RunInfo:
    """run.json, never with a secret. id: Zuul build UUID or generated. expires: ISO 8601, UTC; then janitors purge."""

    id: str
    owner: str
    created: str
    expires: str
    tier: str
    checkout: str
    commit: str
    cloud: str
    tools: dict[str, str] = field(default_factory=dict)
    repeat: str = ''  # the command that repeats this run
    format: int = FORMAT


@dataclass(frozen=True)
class Leftover:
    """A resource of the run that is still in the cloud after the purge."""

    kind: str
    id: str
    name: str
    reason: str = ''


@dataclass(frozen=True)
class Leftovers:
    """leftovers.json. checked: False when the cloud could not be asked, which is an error of its own."""

    checked: bool
    resources: tuple[Leftover, ...] = ()
    format: int = FORMAT
