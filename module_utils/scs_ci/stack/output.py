"""Findings as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..core.records import Finding, Severity
from .model import Stack

FORMAT = 1


def text(findings: Sequence[Finding], stacks: int) -> str:
    """One line per finding, `file:line: severity: message [rule]` as compilers print it, and a summary."""
    lines = [f'{f.file}:{f.line}: {f.severity}: {f.message} [{f.rule}]' for f in findings]
    counts = summary(findings)
    found = ', '.join(f'{counts[s]} {s}s' for s in Severity)
    return '\n'.join([*lines, f'{stacks} stacks: {found}'])


def document(stacks: Sequence[Stack], findings: Sequence[Finding]) -> dict[str, Any]:
    """The JSON form: stacks, findings without empty fields, summary."""
    return {
        'format': FORMAT,
        'stacks': [
            {
                'path': stack.path,
                'provider': stack.provider.text,
                'name': stack.name.text,
                'kubernetes': stack.kubernetes.text,
                'layout': stack.layout,
            }
            for stack in stacks
        ],
        'findings': [_plain(finding) for finding in findings],
        'summary': summary(findings),
    }


def summary(findings: Sequence[Finding]) -> dict[str, int]:
    """Number of findings of each severity."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in Severity}


def _plain(finding: Finding) -> dict[str, Any]:
    always = {
        'rule': finding.rule,
        'severity': finding.severity,
        'file': finding.file,
        'line': finding.line,
        'message': finding.message,
        'stack': finding.stack,
    }
    optional = {name: getattr(finding, name) for name in ('column', 'end_line', 'seen', 'wanted', 'fix')}
    return {**always, **{name: value for name, value in optional.items() if value is not None}}
