"""Output of ginkgo, waivers, selections, and laws of the merge."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import FAILS, HEAD, LOG

from scs_ci.conformance import output, selection, waivers
from scs_ci.conformance.junit import merge
from scs_ci.conformance.model import Spec, State, Suite, Waiver
from scs_ci.core.errors import UsageProblem

pytestmark = pytest.mark.unit

SPECS = st.builds(
    Spec,
    name=st.sampled_from(['[sig-a] a', '[sig-a] b', '[sig-b] c']),
    state=st.sampled_from(State),
    seconds=st.integers(0, 9).map(float),
    attempts=st.integers(0, 3),
    message=st.sampled_from(['', 'x', 'y']),
)
SUITES = st.builds(
    lambda specs, setup, stopped: merge([*(Suite((spec,)) for spec in specs), Suite((), setup, stopped)]),
    st.lists(SPECS, max_size=5),
    st.sampled_from([(), ('BeforeSuite: no nodes',)]),
    st.sampled_from(['', 'Suite Timeout Elapsed', 'Interrupted by User']),
)


@given(st.lists(SUITES, max_size=4), st.randoms())
def test_merge_does_not_depend_on_order_or_grouping(suites: list[Suite], random: object) -> None:
    shuffled = list(suites)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    whole = merge(suites)
    assert merge(shuffled) == whole
    assert merge([merge(suites[:2]), merge(suites[2:])]) == whole


@given(st.lists(SUITES, max_size=4))
def test_merge_loses_nothing(suites: list[Suite]) -> None:
    whole = merge(suites)
    specs = list(itertools.chain.from_iterable(suite.specs for suite in suites))
    assert [spec.name for spec in whole.specs] == sorted({spec.name for spec in specs})
    assert sum(spec.attempts for spec in whole.specs) == sum(spec.attempts for spec in specs)
    for merged in whole.specs:
        states = {spec.state for spec in specs if spec.name == merged.name}
        assert merged.state in states
        assert (merged.state is State.PASSED) == (State.PASSED in states)


def test_counts_of_a_running_and_of_a_finished_suite() -> None:
    assert output.counts('') == output.Counts()
    assert output.counts('').line() == '0 passed, 0 failed, 0 skipped, setting up'
    assert output.counts(HEAD + '•S••') == output.Counts(5, 3, 0, 0)
    assert output.counts(LOG) == output.Counts(4, 3, 1, 0)
    assert output.counts(LOG).line() == '3 passed, 1 failed, 0 skipped of 4 specs'


def test_counts_ignore_marks_in_what_specs_print() -> None:
    told = (
        HEAD
        + '  • a list\nS is a letter\n• [PANICKED] [0.1 seconds]\nP\nS [SKIPPED] [0.2 seconds]\n\x1b[38;5;10m•\x1b[0m'
    )
    assert output.counts(told) == output.Counts(5, 1, 1, 1)


def test_only_passed_specs_get_the_attempts_of_the_log() -> None:
    suite = Suite((Spec('[sig-a] a', State.PASSED), Spec('[sig-a] ab', State.PASSED), Spec(FAILS, State.FAILED)))
    tried = output.with_attempts(suite, {'[sig-a] a [sig-a, Slow]': 3, FAILS: 2})
    assert [spec.attempts for spec in tried.specs] == [3, 1, 1]


def test_waivers_of_scs(tmp_path: Path) -> None:
    path = tmp_path / 'waivers.yaml'
    path.write_text('okToFail:\n- regex: Feature:SCTP\n  reason: optional\n- {regex: a.b, reason: flaky}\n')
    read = waivers.read(path)
    assert read == (Waiver('Feature:SCTP', 'optional'), Waiver('a.b', 'flaky'))
    assert waivers.forgiving('[sig-network] x [Feature:SCTPConnectivity]', read) == read[0]
    assert waivers.forgiving('[sig-network] x', read) is None
    assert waivers.unused(['a-b'], read) == ('Feature:SCTP',)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'must hold okToFail'),
        ('okToFail: {}', 'a list'),
        ('okToFail: []\nskip: []', 'nothing else'),
        ('okToFail: [{regex: a}]', r'okToFail\[0\]'),
        ('okToFail: [{regex: a, reason: ""}]', 'not empty'),
        ('okToFail: [{regex: "(", reason: b}]', 'no regular expression'),
        ('okToFail: [', 'waivers in'),
    ],
)
def test_waivers_that_are_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / 'waivers.yaml'
    path.write_text(content)
    with pytest.raises(UsageProblem, match=words):
        waivers.read(path)
    with pytest.raises(UsageProblem, match='No such file'):
        waivers.read(tmp_path / 'none.yaml')


NAMES = [f'[sig-{sig}] Thing {number} should work (always) [Conformance]' for sig in 'abc' for number in range(40)]
SERIAL = '[sig-a] Thing alone [Serial] [Conformance]'


def test_selections_are_subsets_by_tag_and_hash() -> None:
    chosen = {name: set(selection.chosen(selection.named(name), [*NAMES, SERIAL])) for name in selection.SELECTIONS}
    assert chosen['smoke'] < chosen['quick'] < chosen['parallel'] < chosen['certified'] == {*NAMES, SERIAL}
    assert chosen['parallel'] == {*NAMES}
    assert SERIAL not in chosen['quick']
    assert {name[:7] for name in chosen['smoke']} == {'[sig-a]', '[sig-b]', '[sig-c]'}
    assert selection.chosen(selection.named('smoke'), list(reversed(NAMES))) == tuple(sorted(chosen['smoke']))
    with pytest.raises(UsageProblem, match='smoke, quick, parallel, certified'):
        selection.named('all')


def test_a_new_spec_moves_at_most_one_other_out() -> None:
    smoke = selection.named('smoke')
    before = set(selection.chosen(smoke, NAMES))
    after = set(selection.chosen(smoke, [*NAMES, '[sig-a] something new [Conformance]']))
    assert len(before - after) <= 1


def test_expression_finds_exactly_the_names() -> None:
    few = NAMES[:3]
    found = [name for name in NAMES if re.search(selection.expression(few), f'Kubernetes e2e suite {name}')]
    assert found == few
