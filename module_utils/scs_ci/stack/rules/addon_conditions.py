"""Conditions of addon stages compile as the operator compiles them, and name objects completely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..addons import CONDITIONS, Condition, conditions, stage_nodes
from ..hits import nearest
from ..model import ADDON_CONFIG, Stack
from ..rule import BASE, Example, Hit, Rule

STAGE_KEYS = ('name', 'action', *CONDITIONS)
CONDITION_KEYS = ('objects', 'conditions')
OBJECT_KEYS = ('key', 'apiVersion', 'kind', 'name', 'namespace')


def check(stack: Stack) -> Iterable[Hit]:
    if stack.addon_layout != 'stages':
        return
    for stage in stage_nodes(stack):
        for key, _ in stage.entries:
            if key.content not in STAGE_KEYS:
                yield _ignored(key.line, f'stage {stage.value("name")}', key.content, STAGE_KEYS)
    answers = stack.answers.conditions
    for number, condition in enumerate(conditions(stack)):
        yield from _condition(condition, answers[number] if number < len(answers) else '')


def _condition(condition: Condition, answer: str) -> Iterator[Hit]:
    what = f'{condition.name} of stage {condition.stage}'
    if not condition.expression:
        message = f'{what} has no expression in `conditions`, so the operator cannot compile it'
        yield Hit(ADDON_CONFIG, condition.line, message, wanted='conditions')
    elif answer:
        message = f'{what} cannot be evaluated: {" ".join(answer.split())}'
        yield Hit(ADDON_CONFIG, condition.line, message, seen=condition.expression)
    for key, _ in getattr(condition.node, 'entries', ()):
        if key.content not in CONDITION_KEYS:
            yield _ignored(key.line, what, key.content, CONDITION_KEYS)
    for entry in condition.node.items('objects'):
        lacking = [key for key in ('key', 'apiVersion', 'kind', 'name') if not entry.value(key)]
        if lacking:
            message = f'an object of {what} lacks {", ".join(lacking)}: the operator cannot fetch it'
            yield Hit(ADDON_CONFIG, entry.line, message, wanted=', '.join(lacking))
        for key, _ in getattr(entry, 'entries', ()):
            if key.content not in OBJECT_KEYS:
                yield _ignored(key.line, f'an object of {what}', key.content, OBJECT_KEYS)


def _ignored(line: int, what: str, key: str, known: tuple[str, ...]) -> Hit:
    message = f'{what} has the key {key}, which the operator ignores{nearest(key, known)}'
    return Hit(ADDON_CONFIG, line, message, seen=key, wanted=', '.join(known))


def _example(text: str, answer: str, *hits: int) -> Example:
    return Example(
        {ADDON_CONFIG: BASE[ADDON_CONFIG] + text},
        answer={'conditions': [answer]},
        hits=tuple((ADDON_CONFIG, line) for line in hits),
    )


OBJECT = '        objects: [{key: d, apiVersion: apps/v1, kind: Deployment, name: x, namespace: kube-system}]\n'
GOOD = '      waitForPostCondition:\n' + OBJECT + '        conditions: "d.status.readyReplicas == 1"\n'

RULE = Rule(
    id='addon-conditions',
    severity=Severity.ERROR,
    title='conditions of addon stages can be evaluated',
    motivation='An expression that does not compile is an error with every retry, told by the log of CSO alone.',
    check=check,
    bad=(
        _example(GOOD, "undeclared reference to 'e'", 9),
        _example('      waitForPostConditions: {}\n', '', 7),
        _example('      waitForPreCondition:\n        objects: [{key: d}]\n        condition: "true"\n', '', 8, 9),
    ),
    good=(Example(), _example(GOOD, '')),
    asks=True,
)
