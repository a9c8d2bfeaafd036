"""The janitor takes what is expired and was seen twice, of every owner; never more, and never a running build's."""

from __future__ import annotations

import dataclasses
import datetime
import json
import urllib.error
from pathlib import Path

import pytest
from fake_cloud import FakeCloud, Fault
from hypothesis import given, settings
from hypothesis import strategies as st

from scs_ci.cli import main
from scs_ci.cloud import builds, connect, inventory, janitor, runs, sightings
from scs_ci.cloud.inventory import CSI_CLUSTER
from scs_ci.cloud.janitor import Janitor, Outcome, Rules
from scs_ci.cloud.marks import Mark
from scs_ci.core.errors import InfrastructureProblem, ToolProblem, UsageProblem
from scs_ci.core.naming import names
from scs_ci.core.run import timestamp

pytestmark = pytest.mark.unit

# The stand-in's clock begins at 2026-11-25T00:00:00Z.
EXPIRED, LATER = '2026-11-24T12:00:00Z', '2026-11-26T00:00:00Z'
OLD = Mark('7f3a1b2c-5d6e-4000-8000-000000000001', 'ci', EXPIRED)
OLD_TOO = Mark('nightly-run', 'somebody', EXPIRED)
ALIVE = Mark('7f3a1b2c-5d6f-4000-8000-000000000003', 'ci', LATER)
UNMARKED = 'scs-ci-0123456789ab'
NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


@pytest.fixture
def fake() -> FakeCloud:
    """A project with three runs, names of a fourth, and things of people who have never heard of us."""
    fake = FakeCloud()
    for mark in (OLD, OLD_TOO, ALIVE):
        prefix = names(mark.run).prefix
        fake.add('server', f'{prefix}-node-0', metadata=mark.metadata(), created_at='2026-11-24T00:00:00Z')
        fake.add('server', f'{prefix}-c0-abc')
        fake.add('network', f'{prefix}-network', description=mark.description())
        fake.add('key_pair', prefix)
        fake.add('volume', 'pvc-1', metadata={CSI_CLUSTER: f'{prefix}-c0'})
    fake.add('key_pair', UNMARKED)
    fake.add('network', f'k8s-clusterapi-cluster-{UNMARKED}-{UNMARKED}-c0', created_at='2026-11-24T20:00:00Z')
    fake.add('server', 'theirs')
    fake.add('server', f'{UNMARKED}-node-0')  # without a mark no server of ours, whatever its name
    fake.add('floating_ip', port_id=None, floating_ip_address='idle', fixed_ip_address='')
    return fake


def round_of(
    fake: FakeCloud, before: dict[str, str], running: frozenset[str] = frozenset(), **rules: object
) -> Outcome:
    worker = Janitor(fake.cloud, Rules(**rules), say=lambda *_: None, running=lambda: running, clock=fake.clock)
    return worker.clean(worker.look(before))


def left_of(fake: FakeCloud, mark: Mark) -> list[str]:
    seen = inventory.take(fake.cloud)
    run = runs.find(names(mark.run).short, seen)
    return [item.resource.name for item in run.resources] if run else []


def test_runs_are_found_by_marks_and_by_names_alone(fake: FakeCloud) -> None:
    found = {run.label: run for run in runs.seen(inventory.take(fake.cloud))}
    assert set(found) == {OLD.run, OLD_TOO.run, ALIVE.run, '0123456789ab…'}
    assert found[OLD.run].counts() == {'server': 2, 'network': 1, 'key_pair': 1, 'volume': 1}
    assert found[OLD.run].hours(NOW) == 24.0
    assert found['0123456789ab…'].counts() == {'network': 1, 'key_pair': 1}
    assert found['0123456789ab…'].owner == 'unknown'
    assert list(found)[-1] == '0123456789ab…'


def test_only_the_second_sighting_deletes_and_only_what_is_expired(fake: FakeCloud) -> None:
    first = round_of(fake, {})
    assert first.deleted == {}
    assert set(first.sightings) == {names(m.run).short for m in (OLD, OLD_TOO)} | {'0123456789ab'}
    fake.clock.sleep(janitor.AGAIN)
    second = round_of(fake, first.sightings)
    assert set(second.deleted) == {OLD.run, OLD_TOO.run}
    assert second.deleted[OLD.run] == {'server': 2, 'network': 1, 'key_pair': 1, 'volume': 1}
    assert left_of(fake, OLD) == left_of(fake, OLD_TOO) == []
    assert len(left_of(fake, ALIVE)) == 5
    assert {'theirs', f'{UNMARKED}-node-0'} <= set(fake.names('server'))
    assert len(fake.kinds['floating_ip']) == 1
    assert set(second.sightings) == {'0123456789ab'}


def test_too_early_for_a_second_sighting(fake: FakeCloud) -> None:
    first = round_of(fake, {})
    fake.clock.sleep(janitor.AGAIN - 1)
    second = round_of(fake, first.sightings)
    assert second.deleted == {}
    assert second.sightings == first.sightings
    assert any('first seen 599 s ago' in verdict.reason for verdict in second.verdicts)


def test_a_running_build_is_never_touched(fake: FakeCloud) -> None:
    running = frozenset({names(OLD.run).short})
    first = round_of(fake, {}, running)
    fake.clock.sleep(janitor.AGAIN)
    assert set(round_of(fake, {**first.sightings, names(OLD.run).short: EXPIRED}, running).deleted) == {OLD_TOO.run}
    assert len(left_of(fake, OLD)) == 5


def test_only_the_owners_asked_for(fake: FakeCloud) -> None:
    before = {names(mark.run).short: EXPIRED for mark in (OLD, OLD_TOO)} | {'0123456789ab': '2026-11-01T00:00:00Z'}
    outcome = round_of(fake, before, owners=('somebody',), unmarked_hours=1)
    assert set(outcome.deleted) == {OLD_TOO.run}


def test_names_without_a_mark_have_to_be_old(fake: FakeCloud) -> None:
    before = {'0123456789ab': EXPIRED}
    young = round_of(fake, before, unmarked_hours=5)
    assert young.deleted == {}
    assert any('4 h of age are fewer than 5' in verdict.reason for verdict in young.verdicts)
    fake.clock.sleep(3600)
    assert round_of(fake, before, unmarked_hours=5).deleted == {'0123456789ab…': {'network': 1, 'key_pair': 1}}
    assert f'{UNMARKED}-node-0' in fake.names('server')


def test_names_whose_age_nobody_tells_have_to_be_seen_for_long() -> None:
    fake = FakeCloud()
    fake.add('key_pair', UNMARKED)
    assert round_of(fake, {'0123456789ab': '2026-11-24T12:00:00Z'}, unmarked_hours=13).deleted == {}
    assert round_of(fake, {'0123456789ab': '2026-11-24T12:00:00Z'}, unmarked_hours=12).deleted
    assert fake.names('key_pair') == []


def test_a_run_that_was_prolonged_meanwhile_is_kept(fake: FakeCloud) -> None:
    before = {names(mark.run).short: EXPIRED for mark in (OLD, OLD_TOO)}
    worker = Janitor(fake.cloud, Rules(), say=lambda *_: None, clock=fake.clock)
    outcome = worker.look(before)
    fake.add('network', 'more', description=dataclasses.replace(OLD, expires=LATER).description())
    worker.clean(outcome)
    assert set(outcome.deleted) == {OLD_TOO.run}
    assert outcome.failed == {OLD.run: f'changed meanwhile: expires {LATER}'}
    assert len(left_of(fake, OLD)) == 6


def test_a_run_that_somebody_else_purged_meanwhile_is_no_failure(fake: FakeCloud) -> None:
    worker = Janitor(fake.cloud, Rules(), say=lambda *_: None, clock=fake.clock)
    outcome = worker.look({names(OLD.run).short: EXPIRED})
    for kind in ('server', 'network', 'key_pair', 'volume'):
        for identity, item in list(fake.kinds[kind].items()):
            if item.name != 'public':
                del fake.kinds[kind][identity]
    worker.clean(outcome)
    assert (outcome.deleted, outcome.failed, outcome.leftovers()) == ({}, {}, ())
    assert names(OLD.run).short not in outcome.sightings


def test_one_run_that_stays_keeps_nobody_from_the_next(fake: FakeCloud) -> None:
    before = {names(mark.run).short: EXPIRED for mark in (OLD, OLD_TOO)}
    fake.faults = [Fault('delete server', 403, 1, text='locked by an administrator')]
    outcome = round_of(fake, before)
    assert set(outcome.deleted) == {OLD.run, OLD_TOO.run}
    assert len(outcome.leftovers()) == 1
    assert 'locked' in outcome.leftovers()[0].reason
    assert len(left_of(fake, OLD) + left_of(fake, OLD_TOO)) == 1
    assert len(outcome.sightings) == 2  # of the run that stays, and of the names without a mark


def test_both_sightings_in_one_call(fake: FakeCloud) -> None:
    worker = Janitor(fake.cloud, Rules(again=60), say=lambda *_: None, clock=fake.clock)
    outcome = worker.clean(worker.look_twice({}, 60))
    assert set(outcome.deleted) == {OLD.run, OLD_TOO.run}


@settings(deadline=None)  # a machine that tests is not idle
@given(
    expires=st.sampled_from([EXPIRED, LATER]),
    first=st.sampled_from(['', EXPIRED, timestamp(NOW)]),
    running=st.booleans(),
    again=st.floats(1, 90000),
)
def test_nothing_is_due_that_is_alive_running_or_new(expires: str, first: str, running: bool, again: float) -> None:
    run = runs.SeenRun(names(OLD.run), ('ci',), expires, '', '', ())
    verdict = janitor.judge(run, first, frozenset({run.names.short} if running else ()), Rules(again=again), NOW)
    waited = (NOW - runs.moment(first)).total_seconds() if first else -1
    assert verdict.due == (expires == EXPIRED and not running and waited >= again)


def status(*uuids: str) -> bytes:
    items = [[{'jobs': [{'name': 'x', 'uuid': uuid, 'result': None}]}] for uuid in uuids]
    return json.dumps({'pipelines': [{'name': 'check', 'change_queues': [{'heads': items}]}]}).encode()


def test_running_builds_are_read_from_the_status_of_all_tenants() -> None:
    pages = {'https://z/api/tenant/a/status': status(OLD.run), 'https://z/api/tenant/b/status': status(ALIVE.run)}
    assert builds.running(['https://z/api/tenant/a/', 'https://z/api/tenant/b'], pages.__getitem__) == {
        names(OLD.run).short,
        names(ALIVE.run).short,
    }
    assert builds.running([], pages.__getitem__) == frozenset()


@pytest.mark.parametrize('answer', [b'<html>', b'[]', b'{}', b'{"pipelines": {}}'])
def test_an_answer_that_is_no_status_is_no_permission(answer: bytes) -> None:
    with pytest.raises(InfrastructureProblem, match='cannot ask Zuul'):
        builds.running(['https://z/api/tenant/a'], lambda _: answer)


def test_a_silent_zuul_keeps_everything(fake: FakeCloud) -> None:
    def refuse(address: str) -> bytes:
        raise urllib.error.URLError('connection refused')

    before = {names(OLD.run).short: EXPIRED}
    worker = Janitor(
        fake.cloud,
        Rules(),
        say=lambda *_: None,
        running=lambda: builds.running(['https://z'], refuse),
        clock=fake.clock,
    )
    with pytest.raises(InfrastructureProblem, match='connection refused'):
        worker.clean(worker.look(before))
    assert len(left_of(fake, OLD)) == 5


def test_an_address_without_scheme_is_a_usage_error() -> None:
    with pytest.raises(UsageProblem, match='it is no address'):
        builds.running(['zuul.example.org/api'], lambda _: b'')


def test_sightings_are_kept_by_project(tmp_path: Path) -> None:
    file = tmp_path / 'deep/janitor.json'
    assert sightings.read(file, 'one') == {}
    sightings.write(file, 'one', {'a': EXPIRED})
    sightings.write(file, 'two', {'b': EXPIRED})
    assert sightings.read(file, 'one') == {'a': EXPIRED}
    sightings.write(file, 'one', {})
    assert sightings.read(file, 'one') == {}
    assert sightings.read(file, 'two') == {'b': EXPIRED}


@pytest.mark.parametrize('text', ['{', '{"projects": {"one": {"a": "yesterday"}}, "format": 1}', '{"projects": []}'])
def test_damaged_sightings_are_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'janitor.json'
    file.write_text(text)
    with pytest.raises(ToolProblem, match='janitor.json'):
        sightings.read(file, 'one')


@pytest.fixture
def command(fake: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """The command line on the stand-in; by the machine's clock both old runs are expired, as is the third one.

    Without what goes slowly, for the command sleeps by the machine's clock, too.
    """
    for kind in ('server', 'volume'):
        ours = [item.id for item in fake.kinds[kind].values() if item.name != 'theirs']
        for identity in ours:
            del fake.kinds[kind][identity]
    monkeypatch.setattr(connect, 'connect', lambda name: fake.cloud)
    return fake


def test_the_command_shows_then_remembers_then_deletes(
    command: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / 'janitor.json'
    words = ['purge', '--expired', '--cloud', 'fake', '--state', str(state), '--again-after', '0.001']
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert f'would keep run {OLD.run} of ci (1 network, 1 key_pair)' in shown
    assert 'owner somebody: 1 runs, 1 expired, 2 objects' in shown
    assert not state.exists()
    assert main([*words, '--yes']) == 0
    assert len(left_of(command, OLD)) == 2
    capsys.readouterr()
    assert main([*words, '--yes', '--json']) == 0
    rows = {row['run']: row for row in json.loads(capsys.readouterr().out)['runs']}
    assert rows[OLD.run]['deleted'] == {'network': 1, 'key_pair': 1}
    assert left_of(command, OLD) == []
    assert left_of(command, OLD_TOO) == []


@pytest.mark.parametrize(
    'words',
    [
        ['--expired'],
        ['--expired', '--cloud', 'fake', '--run-id', OLD.run],
        ['--expired', '--cloud', 'fake', '--state', 'x', '--look-again', '5'],
        ['--expired', '--cloud', 'fake', '--again-after', '5', '--look-again', '5'],
        ['--run-id', OLD.run, '--cloud', 'fake', '--owner', 'ci', '--yes'],
        ['--run-id', OLD.run, '--cloud', 'fake', '--zuul', 'https://z', '--yes'],
        ['--run-id', OLD.run, '--cloud', 'fake', '--again-after', '600', '--yes'],
        ['--run-id', OLD.run, '--cloud', 'fake', '--unmarked-hours', '24', '--yes'],
    ],
)
def test_options_that_make_no_sense_delete_nothing(command: FakeCloud, words: list[str]) -> None:
    assert main(['purge', *words]) == 2
    assert not [call for call in command.calls if call.startswith('delete')]


def test_leftovers_are_shown_and_compared_and_nothing_is_changed(
    command: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'before.json'
    command.faults = [Fault('list load_balancer', 403, 1, text='not allowed')]
    assert main(['leftovers', '--cloud', 'fake', '--save', str(file)]) == 4
    shown = capsys.readouterr().out
    assert f'run {OLD.run} of ci, expired {EXPIRED}' in shown
    assert 'no mark, no expiry' in shown
    assert 'not looked at: load_balancer' in shown
    command.add('server', 'new-one')
    assert main(['leftovers', '--cloud', 'fake', '--since', str(file), '--json']) == 4
    found = json.loads(capsys.readouterr().out)
    assert [text.split()[0] for text in found['difference']['server']['added']] == ['new-one']
    assert found['others'] == 3  # theirs, the new one, and an idle address
    assert not [call for call in command.calls if not call.startswith('list')]


def test_a_clean_project_has_no_leftovers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake = FakeCloud()
    fake.add('server', 'theirs')
    fake.add('server', 'x', metadata=dataclasses.replace(ALIVE, expires='2099-01-01T00:00:00Z').metadata())
    monkeypatch.setattr(connect, 'connect', lambda name: fake.cloud)
    assert main(['leftovers', '--cloud', 'fake']) == 0
    assert '1 runs, 1 objects of others' in capsys.readouterr().out
    assert main(['leftovers', '--cloud', 'fake', '--since', str(tmp_path / 'gone')]) == 2
