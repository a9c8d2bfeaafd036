"""Findings as Zuul's `file_comments`: annotations at the line of the source, in the review system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .records import Finding, Severity

LEVELS = {Severity.ERROR: 'error', Severity.WARNING: 'warning', Severity.NOTICE: 'info'}


def file_comments(findings: Iterable[Finding]) -> dict[str, list[dict[str, Any]]]:
    """Findings by file; the same defect found in two versions of one stack is said once."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        entry, entries = _entry(finding), found.setdefault(finding.file, [])
        if entry not in entries:
            entries.append(entry)
    return found


def _entry(finding: Finding) -> dict[str, Any]:
    values = f' (is {finding.seen}, wanted {finding.wanted})' if finding.seen and finding.wanted else ''
    entry: dict[str, Any] = {
        'line': finding.line,
        'message': f'{finding.rule}: {finding.message}{values}',
        'level': LEVELS[finding.severity],
    }
    if finding.end_line and finding.end_line > finding.line:  # Zuul wants all four numbers; its columns count from 0
        entry['range'] = {
            'start_line': finding.line,
            'start_character': max((finding.column or 1) - 1, 0),
            'end_line': finding.end_line,
            'end_character': 0,
        }
    return entry
