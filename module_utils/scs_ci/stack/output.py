"""What a check prints: text, JSON, annotations for GitHub and Zuul, SARIF."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.annotations import file_comments
from ..core.records import Finding, Severity
from .check import Excepted, all_rules
from .model import Stack

FORMAT = 1
SARIF_SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json'
SARIF_LEVELS = {Severity.ERROR: 'error', Severity.WARNING: 'warning', Severity.NOTICE: 'note'}
# A line of the text form is for reading; whole objects that a rule saw are in the JSON.
LONGEST_VALUE = 80


@dataclass(frozen=True)
class Header:
    """What tells stacks apart in a result. reason: why this one was checked, '' where all were."""

    path: str
    provider: str
    name: str
    kubernetes: str
    layout: str
    reason: str = ''

    @classmethod
    def of(cls, stack: Stack, reason: str = '') -> Header:
        return cls(stack.path, stack.provider.text, stack.name.text, stack.kubernetes.text, stack.layout, reason)


@dataclass(frozen=True)
class Report:
    """A finished check. known, gone: numbers of findings of the baseline that are still, or no longer, found."""

    stacks: tuple[Header, ...]
    findings: tuple[Finding, ...]
    excepted: tuple[Excepted, ...] = field(default=())
    known: int = 0
    gone: int = 0

    @property
    def red(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def text(report: Report) -> str:
    """One line per finding, `file:line: severity: message [rule]` as compilers print it, and a summary."""
    lines = [f'{_place(f)}: {f.severity}: {f.message}{_values(f)} [{f.rule}]' for f in report.findings]
    lines += [
        f'{e.file}:{e.line}: excepted: {e.finding.message} [{e.finding.rule}] because: {e.reason}'
        for e in report.excepted
    ]
    lines += [f'{stack.path}: {stack.reason}' for stack in report.stacks if stack.reason]
    counts = summary(report.findings)
    parts = [f'{counts[s]} {s}s' for s in Severity]
    parts += [f'{len(report.excepted)} excepted'] if report.excepted else []
    parts += [f'{report.known} in the baseline'] if report.known else []
    parts += [f'{report.gone} of the baseline gone'] if report.gone else []
    return '\n'.join([*lines, f'{len(report.stacks)} stacks: {", ".join(parts)}'])


def document(report: Report) -> dict[str, Any]:
    """The JSON form: stacks, findings without empty fields, what exceptions took back, summary."""
    return {
        'format': FORMAT,
        'stacks': [_header(stack) for stack in report.stacks],
        'findings': [_plain(finding) for finding in report.findings],
        'exceptions': [
            {'file': e.file, 'line': e.line, 'reason': e.reason, 'finding': _plain(e.finding)} for e in report.excepted
        ],
        'summary': {
            **summary(report.findings),
            'excepted': len(report.excepted),
            'baseline': report.known,
            'baseline_gone': report.gone,
        },
    }


def github(report: Report) -> str:
    """Workflow commands that GitHub shows as annotations."""
    lines = []
    for f in report.findings:
        where = {'file': f.file, 'line': f.line, 'endLine': f.end_line, 'col': f.column, 'title': f.rule}
        properties = ','.join(f'{key}={_property(str(value))}' for key, value in where.items() if value is not None)
        lines.append(f'::{f.severity} {properties}::{_data(f.message + _values(f))}')
    return '\n'.join(lines)


def sarif(report: Report) -> dict[str, Any]:
    """SARIF 2.1.0, with the rules that found something and what exceptions took back as suppressed results."""
    used = {f.rule for f in report.findings} | {e.finding.rule for e in report.excepted}
    rules = [
        {
            'id': rule.id,
            'shortDescription': {'text': rule.title},
            'fullDescription': {'text': rule.motivation},
            'defaultConfiguration': {'level': SARIF_LEVELS[rule.severity]},
        }
        for rule in all_rules()
        if rule.id in used
    ]
    results = [_result(finding) for finding in report.findings]
    results += [
        {**_result(e.finding), 'suppressions': [{'kind': 'inSource', 'justification': e.reason}]}
        for e in report.excepted
    ]
    driver = {'name': 'scs-ci', 'rules': rules}
    return {'$schema': SARIF_SCHEMA, 'version': '2.1.0', 'runs': [{'tool': {'driver': driver}, 'results': results}]}


def _result(finding: Finding) -> dict[str, Any]:
    region = {'startLine': finding.line, 'startColumn': finding.column, 'endLine': finding.end_line}
    place = {
        'artifactLocation': {'uri': finding.file},
        'region': {key: value for key, value in region.items() if value is not None},
    }
    return {
        'ruleId': finding.rule,
        'level': SARIF_LEVELS[finding.severity],
        'message': {'text': finding.message + _values(finding)},
        'locations': [{'physicalLocation': place}],
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    'text': text,
    'json': lambda report: _json(document(report)),
    'github': github,
    'sarif': lambda report: _json(sarif(report)),
    'zuul': lambda report: _json(file_comments(report.findings)),
}


def summary(findings: Sequence[Finding]) -> dict[str, int]:
    """Number of findings of each severity."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in Severity}


def _header(stack: Header) -> dict[str, str]:
    return {key: value for key, value in vars(stack).items() if key != 'reason' or value}


def _place(finding: Finding) -> str:
    column = f':{finding.column}' if finding.column else ''
    return f'{finding.file}:{finding.line}{column}'


def _values(finding: Finding) -> str:
    """Seen and wanted, as far as the message does not say them already."""
    parts = [
        f'{name} {value}'
        for name, value in (('is', finding.seen), ('wanted', finding.wanted))
        if value and value not in finding.message and len(value) <= LONGEST_VALUE
    ]
    return f' ({", ".join(parts)})' if parts else ''


def _data(value: str) -> str:
    return value.replace('%', '%25').replace('\r', '%0D').replace('\n', '%0A')


def _property(value: str) -> str:
    return _data(value).replace(':', '%3A').replace(',', '%2C')


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
