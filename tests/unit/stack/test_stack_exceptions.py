"""Exceptions beside the source, baselines, the choice of rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scs_ci.core.errors import UsageProblem
from scs_ci.core.records import Finding, Severity
from scs_ci.stack import baseline, selection
from scs_ci.stack.check import Judgement, all_rules, judge, rule_ids
from scs_ci.stack.exceptions import exempt
from scs_ci.stack.model import Stack
from scs_ci.stack.output import Report, document
from scs_ci.stack.rule import BASE, Example, Hit, Rule, example_stack

pytestmark = pytest.mark.unit
CHART = 'cluster-class/Chart.yaml'
PREFIX = 'providers/openstack/demo'
WRONG = BASE[CHART].replace('1-34', '1-33')


def judged(files: Mapping[str, str | None]) -> Judgement:
    return judge(example_stack(Example(files)))


@pytest.mark.parametrize(
    'text',
    [
        WRONG.replace('class\n', 'class  # scs-ci: ignore[class-chart-name] a fork\n'),
        WRONG.replace('name:', '# scs-ci: ignore[class-chart-name] a fork\n\n# and more\nname:'),
        WRONG.replace('class\n', 'class #scs-ci:ignore[chart-lock,class-chart-name]: a fork\n'),
    ],
    ids=['same line', 'line before', 'several'],
)
def test_an_exception_takes_a_finding_back_and_is_listed(text: str) -> None:
    found = judged({CHART: text})

    assert [f.rule for f in found.findings if f.severity is Severity.ERROR] == []
    (excepted,) = found.excepted
    assert (excepted.reason, excepted.file) == ('a fork', f'{PREFIX}/{CHART}')
    assert excepted.finding.rule == 'class-chart-name'
    report = document(Report((), found.findings, found.excepted))
    assert report['summary']['excepted'] == 1
    assert report['exceptions'][0]['finding']['wanted'] == 'openstack-demo-1-34-cluster-class'


@pytest.mark.parametrize(
    ('text', 'rules'),
    [
        (WRONG + '# scs-ci: ignore[class-chart-name] too late\n', {'class-chart-name', 'exception-used'}),
        (
            WRONG.replace('class\n', 'class # scs-ci: ignore[class-chart-name]\n'),
            {'class-chart-name', 'exception-reason'},
        ),
        (WRONG.replace('class\n', 'class # scs-ci: ignore[] all\n'), {'class-chart-name', 'exception-reason'}),
        (WRONG.replace('class\n', 'class # scs-ci: ignore[objects] x\n'), {'class-chart-name', 'exception-used'}),
        (BASE[CHART] + '# scs-ci: ignore[class-chart-name] a fork\n', {'exception-used'}),
        (BASE[CHART] + '# scs-ci: ignore[exception-used] I know\n', {'exception-reason'}),
    ],
    ids=['other line', 'no reason', 'no rule', 'other rule', 'useless', 'of an exception'],
)
def test_other_exceptions_take_nothing_back(text: str, rules: set[str]) -> None:
    found = judged({CHART: text})

    assert {f.rule for f in found.findings} == rules
    assert found.excepted == ()


def test_comments_of_templates_and_documents() -> None:
    files = {
        'cluster-class/templates/class.yaml': 'a: 1 {{- /* scs-ci: ignore[objects] of a template */ -}}\n',
        'README.md': '<!-- scs-ci: ignore[docs-versions] of a document -->\n    version: v1.30.1\n',
    }

    found = exempt(example_stack(Example(files)))

    assert {(e.rule, e.reason, e.line, e.until) for e in found} == {
        ('objects', 'of a template', 1, 1),
        ('docs-versions', 'of a document', 1, 2),
    }
    assert [e.finding.line for e in judged(files).excepted] == [2]


def test_an_exception_is_not_useless_when_its_rule_was_not_asked() -> None:
    stack = example_stack(Example({CHART: BASE[CHART] + '# scs-ci: ignore[class-chart-name] a fork\n'}))
    rules = [rule for rule in all_rules() if rule.id in ('objects', 'exception-used')]

    assert judge(stack, rules).findings == ()


def test_a_crash_cannot_be_excepted() -> None:
    def crash(stack: Stack) -> list[Hit]:
        raise KeyError('x')

    text = '# scs-ci: ignore[objects] it crashes\n' + BASE['csctl.yaml']
    rule = Rule('objects', Severity.NOTICE, 'crashes', 'to see what happens', crash, (Example(),))

    (finding,) = judge(example_stack(Example({'csctl.yaml': text})), [rule]).findings

    assert finding.severity is Severity.ERROR


def test_an_unreadable_stack_has_one_finding() -> None:
    (finding,) = judge(example_stack(Example(unreadable='a loop of links'))).findings

    assert (finding.rule, finding.severity, finding.message) == ('readable', Severity.ERROR, 'a loop of links')


def finding(message: str, line: int = 3) -> Finding:
    return Finding('r', Severity.ERROR, 'a.yaml', line, message, 'x')


def test_a_baseline_takes_known_findings_out(tmp_path: Path) -> None:
    file = tmp_path / 'baseline.json'
    old = (finding('x at b.yaml:7'), finding('fixed'), finding('twice'))
    file.write_text(json.dumps(document(Report((), old))))

    found = baseline.compare(
        (finding('x at b.yaml:9', 5), finding('twice'), finding('twice', 9), finding('new')), baseline.read(file)
    )

    assert [(f.message, f.line) for f in found.new] == [('twice', 9), ('new', 3)]
    assert (found.known, found.gone) == (2, 1)


@pytest.mark.parametrize('content', [None, '', '[]', '{"findings": [{}]}', '{"findings": 3}', '\0'])
def test_other_files_are_no_baseline(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / 'baseline.json'
    if content is not None:
        file.write_text(content)

    with pytest.raises(UsageProblem, match='cannot read baseline'):
        baseline.read(file)


def test_rules_are_chosen_by_name_and_glob() -> None:
    def ids(select: list[str], ignore: list[str]) -> list[str]:
        return list(selection.choose(rule_ids(), select, ignore))

    assert ids(['chart-lock,renders'], []) == ['chart-lock', 'renders']
    assert ids(['exception-*'], ['*-used']) == ['exception-reason']
    assert len(ids([], ['renders'])) == len(all_rules()) - 1
    with pytest.raises(UsageProblem, match='nearest: chart-lock'):
        ids(['chart-lok'], [])
    with pytest.raises(UsageProblem, match='with no rule'):
        ids(['renders'], ['*'])
