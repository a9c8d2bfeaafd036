"""Every rule strikes at its bad examples, exactly where they say, and nowhere in its good ones."""

from __future__ import annotations

import pytest

from scs_ci.core.records import Severity
from scs_ci.stack.check import all_rules, run_rules
from scs_ci.stack.model import Stack
from scs_ci.stack.rule import Example, Rule, example_stack

pytestmark = pytest.mark.unit
RULES = all_rules()
BAD = [pytest.param(rule, example, id=f'{rule.id}-{i}') for rule in RULES for i, example in enumerate(rule.bad)]
GOOD = [pytest.param(rule, example, id=f'{rule.id}-{i}') for rule in RULES for i, example in enumerate(rule.good)]


@pytest.mark.parametrize(('rule', 'example'), BAD)
def test_bad_examples(rule: Rule, example: Example) -> None:
    found = run_rules(example_stack(example), [rule])

    prefix = 'providers/openstack/demo/'
    assert sorted({(f.file.removeprefix(prefix), f.line) for f in found}) == sorted(example.hits)
    assert all(f.rule == rule.id and f.message and 'crashed' not in f.message for f in found)


@pytest.mark.parametrize(('rule', 'example'), GOOD)
def test_good_examples(rule: Rule, example: Example) -> None:
    assert run_rules(example_stack(example), [rule]) == ()


@pytest.mark.parametrize('rule', RULES, ids=lambda rule: rule.id)
def test_rules_explain_themselves(rule: Rule) -> None:
    assert rule.bad
    assert rule.good
    assert len(rule.motivation) > 20
    assert rule.title


def test_the_smallest_stack_has_no_finding() -> None:
    assert run_rules(example_stack(Example())) == ()


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) >= 10


def test_a_crashing_rule_is_an_error_finding() -> None:
    def crash(stack: Stack) -> list[object]:
        raise KeyError('x')

    rule = Rule('crasher', Severity.NOTICE, 'crashes', 'to see what happens', crash, (Example(),))  # type: ignore[arg-type]

    (finding,) = run_rules(example_stack(Example()), [rule])

    assert (finding.rule, finding.severity) == ('crasher', Severity.ERROR)
    assert 'the rule crashed: KeyError' in finding.message
