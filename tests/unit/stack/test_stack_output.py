"""What a check prints, and what rules say about themselves."""

from __future__ import annotations

import json

import pytest

from scs_ci.core.records import Finding, Severity
from scs_ci.stack.check import Excepted, all_rules
from scs_ci.stack.explain import explain, table
from scs_ci.stack.output import FORMATS, Header, Report
from scs_ci.stack.rule import Rule

pytestmark = pytest.mark.unit
STACK = 'providers/openstack/demo'
BAD = Finding(
    'chart-lock', Severity.ERROR, f'{STACK}/Chart.yaml', 3, 'locked, 100%:\nwrong', STACK, 5, 7, '1.0', '1.1', 'say 1.1'
)
ODD = Finding('renders', Severity.NOTICE, f'{STACK}/a.yaml', 1, 'odd', STACK)
REPORT = Report(
    (Header(STACK, 'openstack', 'demo', 'v1.34.7', 'A'),),
    (BAD, ODD),
    (Excepted(ODD, 'on purpose', f'{STACK}/a.yaml', 2),),
    known=4,
    gone=1,
)


def test_text() -> None:
    assert FORMATS['text'](REPORT).replace('\n', '|') == (
        f'{STACK}/Chart.yaml:3:5: error: locked, 100%:|wrong (is 1.0, wanted 1.1) [chart-lock]|'
        f'{STACK}/a.yaml:1: notice: odd [renders]|'
        f'{STACK}/a.yaml:2: excepted: odd [renders] because: on purpose|'
        '1 stacks: 1 errors, 0 warnings, 1 notices, 1 excepted, 4 in the baseline, 1 of the baseline gone'
    )


def test_json_is_format_1() -> None:
    found = json.loads(FORMATS['json'](REPORT))

    assert found['format'] == 1
    assert found['stacks'] == [
        {'path': STACK, 'provider': 'openstack', 'name': 'demo', 'kubernetes': 'v1.34.7', 'layout': 'A'}
    ]
    assert found['findings'][0] == {
        'rule': 'chart-lock',
        'severity': 'error',
        'file': f'{STACK}/Chart.yaml',
        'line': 3,
        'column': 5,
        'end_line': 7,
        'message': 'locked, 100%:\nwrong',
        'seen': '1.0',
        'wanted': '1.1',
        'fix': 'say 1.1',
        'stack': STACK,
    }
    assert set(found['findings'][1]) == {'rule', 'severity', 'file', 'line', 'message', 'stack'}
    assert found['summary'] == {
        'error': 1, 'warning': 0, 'notice': 1, 'excepted': 1, 'baseline': 4, 'baseline_gone': 1
    }  # fmt: skip


def test_github_escapes_what_ends_a_command() -> None:
    said = 'locked, 100%25:%0Awrong (is 1.0, wanted 1.1)'

    assert FORMATS['github'](REPORT).split('\n') == [
        f'::error file={STACK}/Chart.yaml,line=3,endLine=7,col=5,title=chart-lock::{said}',
        f'::notice file={STACK}/a.yaml,line=1,title=renders::odd',
    ]


def test_zuul_comments_are_by_file() -> None:
    found = json.loads(FORMATS['zuul'](REPORT))

    assert found[f'{STACK}/a.yaml'] == [{'line': 1, 'message': 'renders: odd', 'level': 'info'}]
    assert found[f'{STACK}/Chart.yaml'][0]['range'] == {
        'start_line': 3, 'start_character': 4, 'end_line': 7, 'end_character': 0
    }  # fmt: skip


def test_sarif_has_rules_results_and_suppressions() -> None:
    (run,) = json.loads(FORMATS['sarif'](REPORT))['runs']

    assert [rule['id'] for rule in run['tool']['driver']['rules']] == ['chart-lock', 'renders']
    assert run['results'][0]['locations'][0]['physicalLocation'] == {
        'artifactLocation': {'uri': f'{STACK}/Chart.yaml'},
        'region': {'startLine': 3, 'startColumn': 5, 'endLine': 7},
    }
    assert [r.get('suppressions') for r in run['results']] == [
        None,
        None,
        [{'kind': 'inSource', 'justification': 'on purpose'}],
    ]
    assert {r['level'] for r in run['results']} == {'error', 'note'}


def test_a_report_is_red_by_errors_only() -> None:
    assert REPORT.red
    assert not Report((), (ODD,)).red


@pytest.mark.parametrize('rule', all_rules(), ids=lambda rule: rule.id)
def test_every_rule_is_explained_with_marks_at_its_bad_lines(rule: Rule) -> None:
    bad, good = explain(rule).split('\nBad:\n')[1].split('\nGood:\n')

    assert bad.count('\n> ') + bad.startswith('> ') == len(rule.bad[0].hits)
    assert '\n> ' not in good
    assert rule.id in table(all_rules())


def test_the_reason_of_a_stack_is_told_where_there_is_one() -> None:
    header = Header(STACK, 'openstack', 'demo', 'v1.34.7', 'A', 'class changed (a) since main')
    report = Report((header,), ())

    assert FORMATS['text'](report).splitlines()[0] == f'{STACK}: class changed (a) since main'
    assert json.loads(FORMATS['json'](report))['stacks'][0]['reason'] == header.reason
    assert 'reason' not in json.loads(FORMATS['json'](REPORT))['stacks'][0]
