"""The objects of a stack were shown to Cluster API's and Kubernetes' own code: what could not be is told."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule


def check(stack: Stack) -> Iterable[Hit]:
    if stack.answers.unavailable:
        message = f'neither the class nor any object is validated: {stack.answers.unavailable}'
        yield Hit(stack.kubernetes.file, 1, message)


RULE = Rule(
    id='evaluated',
    severity=Severity.WARNING,
    title='the class and all objects could be validated',
    motivation='A check that looked at half of a stack must not look like one that found nothing in the whole.',
    check=check,
    bad=(Example(answer={'unavailable': 'no classcheck'}, hits=(('csctl.yaml', 1),)),),
    asks=True,
)
