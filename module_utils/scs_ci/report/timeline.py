"""When which stage ran, as geometry for a drawing; pure arithmetic, no markup."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from .result import Result, StageResult

# Steps of the axis in seconds; the first that gives at most MOST_TICKS labels is taken.
STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
MOST_TICKS = 10
WIDTH, LABEL, ROW, TOP = 960, 250, 26, 24  # of the drawing, in SVG units
NARROWEST = 2.0  # width of a stage too short to be seen


@dataclass(frozen=True)
class Bar:
    """A stage: position and size in SVG units."""

    label: str
    outcome: str
    title: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class Timeline:
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    lanes: tuple[tuple[str, float], ...]
    height: float


def timeline(result: Result) -> Timeline | None:
    """One lane per version and one for the run; None when no stage has a readable start time."""
    lanes = [('run', result.stages), *((v.key, v.stages) for v in result.versions)]
    found = [(lane, stage, moment(stage)) for lane, (_, stages) in enumerate(lanes) for stage in stages]
    timed = [(lane, stage, start) for lane, stage, start in found if start is not None]
    if not timed:
        return None
    first = min(start for _, _, start in timed)
    length = max(max(start + s.seconds for _, s, start in timed) - first, 1.0)
    scale = (WIDTH - LABEL) / length
    bars = tuple(_bar(s, LABEL + (at - first) * scale, TOP + lane * ROW, s.seconds * scale) for lane, s, at in timed)
    names = tuple((name, TOP + lane * ROW) for lane, (name, _) in enumerate(lanes))
    return Timeline(bars, _ticks(length, scale), names, TOP + len(lanes) * ROW + 4)


def moment(stage: StageResult) -> float | None:
    """Start of the stage in seconds since 1970, None without a usable one."""
    try:
        return datetime.datetime.fromisoformat(stage.started).timestamp()
    except ValueError:
        return None


def _bar(stage: StageResult, x: float, y: float, width: float) -> Bar:
    title = f'{stage.stage}: {stage.outcome}, {stage.seconds:.1f} s'
    return Bar(stage.stage, stage.outcome.value, title, round(x, 1), y, round(max(width, NARROWEST), 1))


def _ticks(length: float, scale: float) -> tuple[Tick, ...]:
    step = next((s for s in STEPS if length / s <= MOST_TICKS), math.ceil(length / MOST_TICKS))
    return tuple(Tick(round(LABEL + at * scale, 1), clock(at)) for at in range(0, int(length) + 1, int(step)))


def clock(seconds: int) -> str:
    """0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'
