"""Commands for several subjects: one that fails does not hide the others, on either way of printing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scs_ci.cli.each import each, print_each
from scs_ci.core.errors import ProductProblem
from scs_ci.core.outcome import Exit

pytestmark = pytest.mark.unit


def work(subject: str) -> dict[str, Any]:
    if subject == 'bad':
        raise ProductProblem('cannot build', f'stack {subject}', 'it is bad', 'mend it')
    return {'tag': subject}


def test_a_line_for_each_without_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    results, code = each('release build', ['a', 'bad', 'b'], work)
    print_each(results, False, lambda result: f'made {result["tag"]}')

    printed = capsys.readouterr()
    assert printed.out == 'made a\nmade b\n'
    assert printed.err.startswith('scs-ci release build: cannot build stack bad')
    assert code is Exit.FAILED


def test_everything_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    results, code = each('release build', ['a', 'bad'], work)
    print_each(results, True, lambda result: f'made {result["tag"]}')

    first, second = json.loads(capsys.readouterr().out)
    assert first == {'tag': 'a'}
    assert (second['subject'], second['problem']['advice']) == ('bad', 'mend it')
    assert code is Exit.FAILED
