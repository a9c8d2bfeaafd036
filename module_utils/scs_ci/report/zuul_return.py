"""zuul_return.json: what the job hands to Zuul, in the shape of zuul_return's `data`."""

from __future__ import annotations

from typing import Any

from ..core.annotations import file_comments
from .comment import comment
from .result import Result

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
            'file_comments': file_comments(result.findings),
        }
    }


def _artifact(name: str, url: str, kind: str) -> dict[str, Any]:
    return {'name': name, 'url': url, **({'metadata': {'type': kind}} if kind else {})}
