"""The files of the stack can be read at all."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule


def check(stack: Stack) -> Iterable[Hit]:
    if stack.unreadable:
        yield Hit(stack.kubernetes.file, 1, stack.unreadable)


RULE = Rule(
    id='readable',
    severity=Severity.ERROR,
    title='the directory of the stack holds regular files of a sensible size',
    motivation=(
        'csctl packs and hashes everything below the directory: a link to a directory, a newline in a name or a huge '
        'file makes it fail, or makes a release that nobody can use.'
    ),
    check=check,
    bad=(Example(unreadable='cannot read stack demo, file loop: not a regular file', hits=(('csctl.yaml', 1),)),),
)
