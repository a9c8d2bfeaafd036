"""Documents as flat mappings, and what differs between two of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.stack.leaves import Change, compared, leaves
from scs_ci.stack.release_diff import by_name
from scs_ci.stack.yamltext import parse

pytestmark = pytest.mark.unit
# A busy machine is no defect of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flat(text: str) -> dict[str, str]:
    return dict(leaves(parse(text)[0].root))


def test_elements_of_lists_are_called_by_their_names() -> None:
    text = 'a: {b: 1.30, c: []}\nl: [{name: x, v: 1}, {name: y, v: 2}]\nm: [{name: x}, {name: x}]\nn: [1, 2]\ne: {}\n'
    assert flat(text) == {
        'a.b': '1.30',
        'a.c': '[]',
        'l[x].name': 'x',
        'l[x].v': '1',
        'l[y].name': 'y',
        'l[y].v': '2',
        'm[0].name': 'x',
        'm[1].name': 'x',
        'n[0]': '1',
        'n[1]': '2',
        'e': '{}',
    }


def test_an_element_that_moves_is_no_difference() -> None:
    one, other = (
        flat(f'l: [{a}, {b}]') for a, b in (('{name: x, v: 1}', '{name: y}'), ('{name: y}', '{name: x, v: 1}'))
    )
    assert compared('s', one, other) == []


def test_what_comes_goes_and_changes_is_told() -> None:
    assert compared('s', {'a': '1', 'b': '2', 'c': '3'}, {'b': '2', 'c': '4', 'd': '5'}) == [
        Change('removed', 's', 'a', before='1'),
        Change('changed', 's', 'c', '3', '4'),
        Change('added', 's', 'd', after='5'),
    ]


TEXTS = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=5)


@UNHURRIED
@given(TEXTS, TEXTS)
def test_the_changes_lead_from_one_to_the_other(one: dict[str, str], other: dict[str, str]) -> None:
    made = dict(one)
    for change in compared('', one, other):
        if change.what == 'removed':
            assert made.pop(change.place) == change.before
        else:
            assert made.get(change.place, '') == change.before
            made[change.place] = change.after
    assert made == other


def test_images_are_toldby_name_whatever_their_tag() -> None:
    images = {'host:5000/a/b:1.2', 'host:5000/a/b:1.3', 'c@sha256:0', 'd/e'}
    assert by_name(images) == {
        'host:5000/a/b': 'host:5000/a/b:1.2, host:5000/a/b:1.3',
        'c': 'c@sha256:0',
        'd/e': 'd/e',
    }
