"""verdict.json: the result for programs."""

from __future__ import annotations

from typing import Any

from ..core import shape
from .result import Result, StageResult, VersionResult

FORMAT = 1


def verdict(result: Result) -> dict[str, Any]:
    """JSON-ready verdict, format 1."""
    return {
        'format': FORMAT,
        'run': result.run,
        'outcome': result.outcome.value,
        'exit_code': int(result.exit),
        'stages': [_stage(stage) for stage in result.stages],
        'versions': [_version(version) for version in result.versions],
        'leftovers': shape.dump(result.leftovers),
    }


def _version(version: VersionResult) -> dict[str, Any]:
    return {
        'stack': version.stack,
        'kubernetes': version.kubernetes,
        'release': version.release,
        'why': version.why,
        'outcome': version.outcome.value,
        'stages': [_stage(stage) for stage in version.stages],
    }


def _stage(stage: StageResult) -> dict[str, Any]:
    return {
        'stage': stage.stage,
        'outcome': stage.outcome.value,
        'reason': stage.reason,
        'seconds': stage.seconds,
        'simulated': list(stage.simulated),
    }
