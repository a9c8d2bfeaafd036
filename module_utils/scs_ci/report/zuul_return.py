"""zuul_return.json: what the job hands to Zuul, in the shape of zuul_return's `data`."""

from __future__ import annotations

from typing import Any

from ..core.records import Finding, Severity
from .comment import comment
from .result import Result

LEVELS = {Severity.ERROR: 'error', Severity.WARNING: 'warning', Severity.NOTICE: 'info'}
# name, file below report/, Zuul's artifact type ('' = none known)
ARTIFACTS = (
    ('cluster stack report', 'index.html', ''),
    ('cluster stack verdict', 'verdict.json', ''),
    ('cluster stack results (JUnit)', 'junit.xml', 'junit'),
)


def zuul_return(result: Result, prefix: str = '') -> dict[str, Any]:
    """prefix: path of the run directory below Zuul's log_url, for the artifacts' relative addresses."""
    base = f'{prefix.strip("/")}/report/'.lstrip('/')
    return {
        'zuul': {
            'artifacts': [_artifact(name, base + file, kind) for name, file, kind in ARTIFACTS],
            'warnings': [comment(result)],
            'file_comments': _file_comments(result),
        }
    }


def _artifact(name: str, url: str, kind: str) -> dict[str, Any]:
    return {'name': name, 'url': url, **({'metadata': {'type': kind}} if kind else {})}


def _file_comments(result: Result) -> dict[str, list[dict[str, Any]]]:
    """Findings by file; the same defect found in two versions of one stack is said once."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in result.findings:
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
