"""JUnit as ginkgo v2 writes it: read, merged across processes and attempts, written.

Format: reporters/junit_report.go of ginkgo. A case of a spec is called '[It] <full text>'; other leaf nodes
([SynchronizedBeforeSuite], [ReportAfterSuite]) are the suite's own. A spec that was not selected is skipped with the
message 'skipped'; one that skipped itself has 'skipped - <reason>'.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

from ..core import files
from ..core.errors import ToolProblem
from .model import RED, Spec, State, Suite

NODE = re.compile(r'\[(\w+)\](?: |$)')
SPEC_NODE = 'It'
# In the timeline of a spec; kubernetes' own junit leaves it out for passed specs, the log has it (output.py).
RETRY = re.compile(r'Attempt #\d+ Failed')
LONGEST_MESSAGE = 600  # characters: the expectation and the first lines of what was found instead
# What decides when a spec was run more than once: it passed at some time, or else the worst that was seen.
STRONGEST = (
    State.PASSED,
    State.PANICKED,
    State.FAILED,
    State.TIMEDOUT,
    State.ABORTED,
    State.INTERRUPTED,
    State.SKIPPED,
    State.UNSELECTED,
)
ILLEGAL = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]')


def read(path: Path) -> Suite:
    """The suite of one file; a ToolProblem for what is not XML or not JUnit."""
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ElementTree.ParseError as error:
        raise _unreadable(path, str(error)) from error
    if root.tag not in ('testsuites', 'testsuite'):
        raise _unreadable(path, f'its root is <{root.tag}>, not <testsuites>')
    return merge(_suite(node, path) for node in root.iter('testsuite'))


def _unreadable(path: Path, answer: str) -> ToolProblem:
    return ToolProblem('cannot read', f'JUnit file {path}', answer, "see the runner's log for how it ended")


def _suite(node: ElementTree.Element, path: Path) -> Suite:
    specs: list[Spec] = []
    setup: list[str] = []
    for case in node.findall('testcase'):
        kind, name = _named(case.get('name', ''))
        state = _state(case, path)
        if kind == SPEC_NODE:
            specs.append(_spec(case, name, state))
        elif state in RED:
            setup.append(f'{kind}: {_message(case)}')
    reasons = [p.get('value', '') for p in node.iter('property') if p.get('name') == 'SpecialSuiteFailureReason']
    return merge([Suite((spec,)) for spec in specs] + [Suite((), tuple(setup), next(filter(None, reasons), ''))])


def _named(text: str) -> tuple[str, str]:
    """Leaf node and full text; older runners leave the node of specs out, and a tag such as [sig-node] is none."""
    found = NODE.match(text)
    return (found[1], text[found.end() :]) if found and found[1] != found[1].lower() else (SPEC_NODE, text)


def _state(case: ElementTree.Element, path: Path) -> State:
    """From the elements, which every JUnit has; ginkgo's attribute tells kinds of failures apart."""
    bad = next((case.find(tag) for tag in ('failure', 'error') if case.find(tag) is not None), None)
    skipped = case.find('skipped')
    if bad is not None:
        words = {str(state) for state in RED}
        word = next((w for w in (case.get('status'), bad.get('type')) if w in words), 'failed')
        return State(word)
    if skipped is not None:
        return State.UNSELECTED if skipped.get('message', 'skipped') == 'skipped' else State.SKIPPED
    if case.get('status', 'passed') != 'passed':
        raise _unreadable(path, f'case {case.get("name")!r} is {case.get("status")} without an element that says so')
    return State.PASSED


def _spec(case: ElementTree.Element, name: str, state: State) -> Spec:
    try:
        seconds = float(case.get('time', '0'))
    except ValueError:
        seconds = 0.0  # a time is for the eyes only; a broken one must not hide the spec
    ran = state not in (State.SKIPPED, State.UNSELECTED)
    attempts = 1 + len(RETRY.findall(case.findtext('system-err') or '')) if ran else 0
    return Spec(name, state, seconds, attempts, '' if state is State.PASSED else _message(case))


def _message(case: ElementTree.Element) -> str:
    """The failure's text without ginkgo's '[FAILED]', cut where the location begins."""
    found = next((case.find(tag) for tag in ('failure', 'error', 'skipped') if case.find(tag) is not None), None)
    if found is None:
        return ''
    text = found.get('message') or found.text or ''
    text = re.sub(r'^\s*\[[A-Z!]+\]\s*', '', text).removeprefix('skipped - ')
    text = re.split(r'\nIn \[\w+\] at: ', text)[0]
    return ' '.join(text.split())[:LONGEST_MESSAGE]


def merge(suites: Iterable[Suite]) -> Suite:
    """One suite out of many, whatever their order: every spec once, its attempts and seconds added up."""
    specs: dict[str, Spec] = {}
    setup: set[str] = set()
    stopped: set[str] = set()
    for suite in suites:
        for spec in suite.specs:
            specs[spec.name] = _joined(specs[spec.name], spec) if spec.name in specs else spec
        setup.update(suite.setup)
        stopped.update(filter(None, suite.stopped.split('; ')))
    return Suite(tuple(specs[name] for name in sorted(specs)), tuple(sorted(setup)), '; '.join(sorted(stopped)))


def _joined(one: Spec, other: Spec) -> Spec:
    first = min(one, other, key=lambda spec: (STRONGEST.index(spec.state), spec.message))
    seconds = round(one.seconds + other.seconds, 6)
    return Spec(one.name, first.state, seconds, one.attempts + other.attempts, first.message)


def read_all(paths: Iterable[Path]) -> Suite:
    """The merged suite of several files."""
    return reduce(lambda merged, path: merge([merged, read(path)]), paths, Suite())


def write(suite: Suite, forgiven: dict[str, str], path: Path) -> None:
    """The selected specs as one JUnit file. A forgiven failure is skipped with its reason, so that readers of JUnit
    agree with the verdict; a flaky pass says so in its output. forgiven: name of the spec to reason of the waiver."""
    chosen = [spec for spec in suite.specs if spec.state is not State.UNSELECTED]
    red = [spec for spec in chosen if spec.state in RED and spec.name not in forgiven]
    skipped = [spec for spec in chosen if spec.state is State.SKIPPED or spec.name in forgiven]
    node = ElementTree.Element(
        'testsuite',
        name='conformance',
        tests=str(len(chosen)),
        failures=str(len(red)),
        errors='0',
        skipped=str(len(skipped)),
        time=f'{sum(spec.seconds for spec in chosen):.2f}',
    )
    for spec in chosen:
        node.append(_case(spec, forgiven.get(spec.name)))
    root = ElementTree.Element('testsuites', name='scs-ci conformance')
    root.append(node)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    files.write_atomic(path, head + ElementTree.tostring(root, encoding='unicode') + '\n')


def _case(spec: Spec, forgiven: str | None) -> ElementTree.Element:
    case = ElementTree.Element(
        'testcase', classname='conformance', name=_clean(f'[{SPEC_NODE}] {spec.name}'), time=f'{spec.seconds:.2f}'
    )
    message = _clean(spec.message)
    if forgiven is not None and spec.state in RED:
        ElementTree.SubElement(case, 'skipped', message=_clean(f'{spec.state}, allowed ({forgiven}): {message}'))
    elif spec.state in RED:
        ElementTree.SubElement(case, 'failure', message=message, type=str(spec.state)).text = message
    elif spec.state is State.SKIPPED:
        ElementTree.SubElement(case, 'skipped', message=f'skipped - {message}')
    elif spec.flaky:
        ElementTree.SubElement(case, 'system-err').text = '\n'.join(
            f'Attempt #{number} Failed.  Retrying' for number in range(1, spec.attempts)
        )
    return case


def _clean(text: str) -> str:
    return ILLEGAL.sub('\N{REPLACEMENT CHARACTER}', text)
