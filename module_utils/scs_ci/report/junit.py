"""junit.xml: the result for CI servers; a suite per version with a case per stage, and a suite of its specs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from ..core.outcome import Outcome
from .result import Result, StageResult
from .specs import KINDS, Case

# What XML 1.0 cannot hold at all, not even escaped; an API server's answer may contain it.
ILLEGAL = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]')
# 'error' is infrastructure, 'failure' is the product: the distinction JUnit was made for.
ELEMENTS = {Outcome.FAILED: 'failure', Outcome.ERROR: 'error', Outcome.SKIPPED: 'skipped'}


def junit(result: Result) -> str:
    """JUnit XML with declaration."""
    root = ElementTree.Element('testsuites', name='scs-ci')
    root.append(_suite('run', list(result.stages) + _leftovers(result)))
    for version in result.versions:
        name = f'{version.stack} {version.kubernetes}'
        root.append(_suite(name, version.stages))
        root.extend(_specs(f'{name} {stage.stage}', stage.cases) for stage in version.stages if stage.cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding='unicode') + '\n'


def _leftovers(result: Result) -> list[StageResult]:
    """A case of its own for leftovers, red when there are some; and one for a run without versions."""
    names = ', '.join(f'{r.kind} {r.name or r.id}' for r in result.leftovers)
    outcome = Outcome.ERROR if names else Outcome.PASSED
    cases = [StageResult('leftovers', outcome, f'left in the cloud: {names}' if names else '')]
    if not result.versions:
        cases.append(StageResult('versions', Outcome.ERROR, 'no version was tested'))
    return cases


def _suite(name: str, stages: Sequence[StageResult]) -> ElementTree.Element:
    counts = {kind: str(sum(ELEMENTS.get(s.outcome) == kind for s in stages)) for kind in ELEMENTS.values()}
    suite = ElementTree.Element(
        'testsuite',
        name=_clean(name),
        tests=str(len(stages)),
        failures=counts['failure'],
        errors=counts['error'],
        skipped=counts['skipped'],
        time=f'{sum(s.seconds for s in stages):.2f}',
    )
    for stage in stages:
        suite.append(_case(name, stage))
    return suite


def _case(suite: str, stage: StageResult) -> ElementTree.Element:
    case = ElementTree.Element(
        'testcase', classname=_clean(suite), name=_clean(stage.stage), time=f'{stage.seconds:.2f}'
    )
    if stage.outcome in ELEMENTS:
        detail = ElementTree.SubElement(case, ELEMENTS[stage.outcome], message=_clean(stage.reason))
        detail.text = _clean('\n'.join(_details(stage)))
    return case


def _specs(name: str, cases: Sequence[Case]) -> ElementTree.Element:
    """The specs that a stage ran, as its runner told them."""
    counts = {kind: str(sum(case.kind == kind for case in cases)) for kind in KINDS}
    suite = ElementTree.Element(
        'testsuite',
        name=_clean(name),
        tests=str(len(cases)),
        failures=counts['failure'],
        errors=counts['error'],
        skipped=counts['skipped'],
        time=f'{sum(case.seconds for case in cases):.2f}',
    )
    for case in cases:
        node = ElementTree.SubElement(
            suite, 'testcase', classname=_clean(name), name=_clean(case.name), time=f'{case.seconds:.2f}'
        )
        if case.kind:
            ElementTree.SubElement(node, case.kind, message=_clean(case.message))
    return suite


def _details(stage: StageResult) -> list[str]:
    found = [f'{f.file}:{f.line}: {f.severity}: {f.rule}: {f.message}' for f in stage.findings]
    return [stage.reason, *([f'next: {stage.advice}'] if stage.advice else []), *found]


def _clean(text: str) -> str:
    return ILLEGAL.sub('\N{REPLACEMENT CHARACTER}', text)
