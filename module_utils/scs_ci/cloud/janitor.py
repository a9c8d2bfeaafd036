"""Purge what runs left behind, of every owner: only past its expiry, only seen twice, never while its build runs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core import shape
from ..core.clock import Clock, SystemClock
from ..core.errors import InfrastructureProblem, LeftoversProblem, Problem
from ..core.records import Leftover
from ..core.run import timestamp
from . import inventory, purge, runs
from .connect import Cloud
from .inventory import Inventory
from .runs import SeenRun

# Between both sightings. Longer than clocks of two hosts differ, and than a job goes on after its time is over.
AGAIN = 600.0
# Without a mark there is no expiry. Twice the twelve hours that a run has by default.
UNMARKED_HOURS = 24.0

Say = Callable[[str, str], None]
Busy = Callable[[], frozenset[str]]


@dataclass(frozen=True)
class Rules:
    """again: seconds between both sightings; unmarked_hours: age at which objects without a mark count as expired.

    owners: only runs of these; empty means all. timeout: seconds for everything.
    """

    again: float = AGAIN
    unmarked_hours: float = UNMARKED_HOURS
    owners: tuple[str, ...] = ()
    timeout: float = purge.TIMEOUT


@dataclass(frozen=True)
class Verdict:
    """What the janitor thinks of a run. expired: whether this sighting counts; due: whether it is deleted now."""

    run: SeenRun
    expired: bool
    due: bool
    reason: str


@dataclass
class Outcome:
    """sightings: digits of expired runs to the time of their first sighting, for the next call. running: of builds."""

    verdicts: tuple[Verdict, ...]
    sightings: dict[str, str]
    before: Inventory
    deleted: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: dict[str, tuple[Leftover, ...]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def leftovers(self) -> tuple[Leftover, ...]:
        """What was to be deleted and is still there."""
        return tuple(left for found in self.kept.values() for left in found)


def judge(run: SeenRun, first: str, running: frozenset[str], rules: Rules, now: datetime.datetime) -> Verdict:
    """Whether a run may be deleted now; pure. first: of its first sighting past its expiry, empty if this is it."""
    if rules.owners and not (run.owners and set(run.owners) <= set(rules.owners)):
        return Verdict(run, False, False, f'owner {run.owner} was not asked for')
    if run.names.short in running:
        return Verdict(run, False, False, 'its build runs')
    if run.expires and not run.expired(now):
        return Verdict(run, False, False, f'expires {run.expires}')
    if not first:
        return Verdict(run, True, False, 'seen for the first time; a second sighting is needed')
    if not run.expires and (reason := _too_young(run, first, rules, now)):
        return Verdict(run, True, False, reason)
    if (waited := (now - runs.moment(first)).total_seconds()) < rules.again:
        return Verdict(run, True, False, f'first seen {waited:.0f} s ago; {rules.again:g} s are needed')
    expiry = f'expired {run.expires}' if run.expires else 'no mark tells an expiry'
    return Verdict(run, True, True, f'{expiry}, first seen {first}')


def _too_young(run: SeenRun, first: str, rules: Rules, now: datetime.datetime) -> str:
    """Of a run without marks. Where the cloud tells no time of creation, its age is what we have seen of it."""
    hours = runs.hours_since(run.newest or first, now)
    if hours >= rules.unmarked_hours:
        return ''
    return f'no mark tells an expiry, and {hours:g} h of age are fewer than {rules.unmarked_hours:g}'


def judge_all(
    seen: Inventory, sightings: Mapping[str, str], running: frozenset[str], rules: Rules, now: datetime.datetime
) -> tuple[Verdict, ...]:
    """A verdict for every run in the project; pure."""
    return tuple(judge(run, sightings.get(run.names.short, ''), running, rules, now) for run in runs.seen(seen))


def sighted(verdicts: tuple[Verdict, ...], before: Mapping[str, str], now: datetime.datetime) -> dict[str, str]:
    """The sightings that the next call has to know: of runs that are expired now. What was prolonged starts anew."""
    shorts = (verdict.run.names.short for verdict in verdicts if verdict.expired)
    return {short: before.get(short) or timestamp(now) for short in shorts}


class Janitor:
    """One round through one project. running: asks which builds run; a Problem of it ends the round before deleting."""

    def __init__(
        self, cloud: Cloud, rules: Rules, *, say: Say, running: Busy = frozenset, clock: Clock | None = None
    ) -> None:
        self.cloud, self.rules, self.say, self.running = cloud, rules, say, running
        self.clock = clock or SystemClock()
        self.deadline = self.clock.monotonic() + rules.timeout

    def look(self, sightings: Mapping[str, str]) -> Outcome:
        """What would be done, and the sightings of now; nothing is deleted."""
        seen, _ = inventory.look(self.cloud, clock=self.clock)
        now = self.clock.now()
        verdicts = judge_all(seen, sightings, self.running(), self.rules, now)
        return Outcome(verdicts, sighted(verdicts, sightings, now), seen)

    def look_twice(self, sightings: Mapping[str, str], pause: float) -> Outcome:
        """Both sightings in one call, for hosts that remember nothing: look, wait `pause` seconds, look again."""
        first = self.look(sightings)
        if not any(verdict.expired for verdict in first.verdicts):
            return first
        self.say(f'looking again in {pause:g} s', 'janitor')
        self.clock.sleep(pause)
        self.deadline += pause
        return self.look(first.sightings)

    def clean(self, outcome: Outcome) -> Outcome:
        """Purge all runs that are due, one after the other; one that fails keeps nobody from the next."""
        for verdict in outcome.verdicts:
            if verdict.due:
                self._purge(verdict.run, outcome)
        return outcome

    def _purge(self, run: SeenRun, outcome: Outcome) -> None:
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            outcome.failed[run.label] = 'the time was over; the next call goes on'
            return
        seen, _ = inventory.look(self.cloud, clock=self.clock)
        # purging the runs before this one may have taken long enough for somebody to prolong it, or to start its build
        fresh = runs.find(run.names.short, seen)
        sighting = outcome.sightings.get(run.names.short, '')
        if not fresh:
            outcome.sightings.pop(run.names.short, None)  # somebody else purged it
            return
        if not (again := judge(fresh, sighting, self.running(), self.rules, self.clock.now())).due:
            outcome.failed[run.label] = f'changed meanwhile: {again.reason}'
            return
        self.say(f'purging, {run.owner}, {runs.counted(run.counts())}', run.label)
        work = purge.Purge(self.cloud, run.names, say=self.say, timeout=left, clock=self.clock)
        result = work.execute(seen)
        outcome.deleted[run.label] = result.counts()
        if result.kept:
            outcome.kept[run.label] = result.kept
        elif result.unproven:
            outcome.failed[run.label] = next(iter(result.unproven.values())).reason
        else:
            outcome.sightings.pop(run.names.short, None)


def problem(outcome: Outcome, cloud: str) -> Problem | None:
    """What was to be deleted and was not, as one Problem."""
    if left := outcome.leftovers():
        answer = '; '.join(f'{item.kind} {item.name or item.id}: {item.reason}' for item in left)
        advice = f"look at what holds them, with 'scs-ci leftovers --cloud {cloud}'; the next round tries again"
        return LeftoversProblem('cannot delete', f'{len(left)} resources of expired runs', answer, advice)
    if outcome.failed:
        answer = '; '.join(f'{label}: {reason}' for label, reason in outcome.failed.items())
        return InfrastructureProblem('cannot purge', f'{len(outcome.failed)} expired runs', answer, 'run it again')
    return None


def data(outcome: Outcome, now: datetime.datetime) -> dict[str, Any]:
    """The result as plain data: runs, a summary by owner, what was deleted, what stays."""
    return {
        'runs': [_row(verdict, outcome, now) for verdict in outcome.verdicts],
        'owners': runs.by_owner((verdict.run for verdict in outcome.verdicts), now),
        'leftovers': shape.dump(outcome.leftovers()),
        'failed_runs': outcome.failed,
        'others': len(outcome.before.resources) - sum(len(v.run.resources) for v in outcome.verdicts),
    }


def _row(verdict: Verdict, outcome: Outcome, now: datetime.datetime) -> dict[str, Any]:
    run = verdict.run
    return {
        'run': run.label,
        'owner': run.owner,
        'expires': run.expires,
        'hours': run.hours(now),
        'objects': run.counts(),
        'due': verdict.due,
        'reason': outcome.failed.get(run.label, verdict.reason),
        'deleted': outcome.deleted.get(run.label, {}),
    }
