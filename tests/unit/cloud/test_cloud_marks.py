"""Ownership marks: written, parsed back, and never found where they are not."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scs_ci.cloud import marks
from scs_ci.cloud.marks import Mark
from scs_ci.core.errors import UsageProblem

pytestmark = pytest.mark.unit

RUNS = st.from_regex(r'\A[a-z0-9][a-z0-9-]{3,62}\Z')
OWNERS = st.from_regex(r'\A[A-Za-z0-9][A-Za-z0-9@._+/-]{0,62}\Z')
TIMES = st.datetimes(min_value=datetime.datetime(2000, 1, 1)).map(lambda t: t.strftime('%Y-%m-%dT%H:%M:%SZ'))
MARK = Mark('7f3a1b2c-0000-4000-8000-000000000001', 'ci@zuul', '2026-11-25T12:00:00Z')


@settings(deadline=None)  # a machine that tests is not idle
@given(run=RUNS, owner=OWNERS, expires=TIMES)
def test_parsed_back_exactly(run: str, owner: str, expires: str) -> None:
    mark = Mark(run, owner, expires)
    assert marks.from_description(mark.description()) == mark
    assert marks.from_metadata(mark.metadata()) == mark


@settings(deadline=None)  # a machine that tests is not idle
@given(st.text())
def test_no_mark_in_other_texts(text: str) -> None:
    found = marks.from_description(text)
    assert found is None or found.description() == text


@pytest.mark.parametrize(
    'text',
    [
        '',
        'scs-ci',
        f'see {MARK.description()}',
        f'{MARK.description()} and more',
        MARK.description().replace('2026-11-25', '2026-13-45'),
        MARK.description().replace('owner=ci@zuul ', ''),
    ],
)
def test_quoted_or_damaged_marks_own_nothing(text: str) -> None:
    assert marks.from_description(text) is None


def test_half_marked_metadata_is_not_marked() -> None:
    for key in MARK.metadata():
        assert marks.from_metadata({k: v for k, v in MARK.metadata().items() if k != key}) is None


@pytest.mark.parametrize('change', [{'run': 'A B'}, {'owner': ''}, {'owner': 'x y'}, {'expires': 'tomorrow'}])
def test_unusable_marks_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageProblem, match='cannot use'):
        Mark(**({'run': MARK.run, 'owner': MARK.owner, 'expires': MARK.expires} | change))


def test_expiry() -> None:
    moment = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
    assert MARK.expired(moment)
    assert not MARK.expired(moment - datetime.timedelta(seconds=1))
