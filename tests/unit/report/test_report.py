"""The report on run directories of every shape, made by the same code that the stages use."""

from __future__ import annotations

import html.parser
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import scs_report
from scs_ci.cli import main
from scs_ci.core.outcome import Exit, Outcome
from scs_ci.core.records import (
    RUN_STAGES,
    VERSION_STAGES,
    Finding,
    Leftover,
    Leftovers,
    Plan,
    PlannedVersion,
    Record,
    RunInfo,
    Severity,
)
from scs_ci.core.run import RunDirectory
from scs_ci.report import read, write
from scs_ci.report.comment import code, comment
from scs_ci.report.timeline import clock, timeline
from scs_ci.report.verdict import verdict
from scs_ci.report.zuul_return import zuul_return

pytestmark = pytest.mark.unit

KEY = 'openstack-scs2-1-34'
RUN = '3c0a4a9e-7f2e-4b43-9e77-6a3a3e7b2c11'
EVIL = '<script>alert("x")</script> | `code` @all & \x07'


def version(key: str = KEY, stages: tuple[str, ...] = VERSION_STAGES, skipped: dict[str, str] | None = None):
    provider, name = key.split('-')[:2]
    return PlannedVersion(
        key, f'providers/{provider}/{name}', provider, name, 'v1.34.7', 'A', 'all', stages, skipped or {}
    )


def record(stage: str, outcome: Outcome = Outcome.PASSED, key: str | None = None, second: int = 0, **more: object):
    return Record(stage, outcome, f'2026-11-25T01:00:{second:02}Z', 2.5, version=key, **more)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run in which everything passed."""
    info = RunInfo(RUN, 'ci', '2026-11-25T01:00:00Z', '2026-11-25T05:00:00Z', 'e2e', 'stacks', 'abc123', 'sandbox')
    made = RunDirectory.create(tmp_path / 'run', RunInfo(**{**vars(info), 'repeat': 'make e2e CHECKOUT=stacks'}))
    made.write_plan(Plan((version(),)))
    for second, stage in enumerate(RUN_STAGES):
        made.write_record(record(stage, second=second))
    for second, stage in enumerate(VERSION_STAGES):
        facts = {'tag': 'openstack-scs2-1-34-v0-sha-azlfam7'} if stage == 'build' else {}
        made.write_record(record(stage, key=KEY, second=10 + second, facts=facts))
    made.write_leftovers(Leftovers(True))
    (made.path / 'progress.log').write_text('    0.1s  check: started\n')
    return made


def stage_of(run: RunDirectory, stage: str, key: str = KEY):
    result = read(run.path)
    stages = next(v.stages for v in result.versions if v.key == key) if key else result.stages
    return next(s for s in stages if s.stage == stage)


def test_all_passed(run: RunDirectory) -> None:
    answer = verdict(read(run.path))
    assert (answer['format'], answer['run'], answer['outcome'], answer['exit_code']) == (1, RUN, 'passed', 0)
    assert answer['leftovers'] == []
    (only,) = answer['versions']
    assert only['stack'] == 'providers/openstack/scs2'
    assert only['kubernetes'] == 'v1.34.7'
    assert only['release'] == 'openstack-scs2-1-34-v0-sha-azlfam7'
    assert only['why'] == 'all'
    assert [s['stage'] for s in only['stages']] == list(VERSION_STAGES)
    assert only['stages'][0] == {'stage': 'check', 'outcome': 'passed', 'reason': '', 'seconds': 2.5, 'simulated': []}


@pytest.mark.parametrize('stage', VERSION_STAGES)
def test_missing_record_is_an_error(run: RunDirectory, stage: str) -> None:
    (run.path / KEY / f'{stage}.json').unlink()
    found = stage_of(run, stage)
    assert (found.outcome, found.reason) == (Outcome.ERROR, f'{stage} did not run')
    assert read(run.path).exit is Exit.ERROR


@pytest.mark.parametrize('stage', RUN_STAGES)
def test_missing_record_of_the_run_is_an_error(run: RunDirectory, stage: str) -> None:
    (run.path / 'stages' / f'{stage}.json').unlink()
    assert stage_of(run, stage, '').reason == f'{stage} did not run'
    assert read(run.path).exit is Exit.ERROR


def test_failed_stage_of_the_run_explains_what_is_missing(run: RunDirectory) -> None:
    run.write_record(record('preflight', Outcome.ERROR, reason='quota: 2 servers missing'))
    for stage in VERSION_STAGES:
        (run.path / KEY / f'{stage}.json').unlink()
    (run.path / 'stages/plane.json').unlink()
    cause = 'preflight error: quota: 2 servers missing'
    assert stage_of(run, 'deploy').reason == f'deploy did not run: {cause}'
    assert stage_of(run, 'plane', '').reason == f'plane did not run: {cause}'
    assert 'quota: 2 servers missing' in comment(read(run.path))


def test_records_that_could_not_be_brought_back(run: RunDirectory) -> None:
    """Nobody knows whether the stages ran; purge and what was before them runs on the controller."""
    (run.path / 'lost.txt').write_text('cannot pack /r/run on far: no route; next: look at its console')
    for file in ('stages/plane.json', 'stages/purge.json', f'{KEY}/check.json'):
        (run.path / file).unlink()
    why = 'cannot pack /r/run on far: no route; next: look at its console'
    assert stage_of(run, 'plane', '').reason == f'no record of plane: {why}'
    assert stage_of(run, 'check').reason == f'no record of check: {why}'
    assert stage_of(run, 'purge', '').reason == 'purge did not run'
    assert stage_of(run, 'build').outcome is Outcome.PASSED
    assert read(run.path).exit is Exit.ERROR
    # in a run that goes on the file may be of an earlier time
    run.write_record(record('preflight', Outcome.ERROR, reason='quota'))
    assert stage_of(run, 'plane', '').reason == 'plane did not run: preflight error: quota'
    assert stage_of(run, 'check').reason == 'check did not run: preflight error: quota'


def test_missing_purge_is_never_explained_away(run: RunDirectory) -> None:
    run.write_record(record('preflight', Outcome.ERROR, reason='quota'))
    (run.path / 'stages/purge.json').unlink()
    assert stage_of(run, 'purge', '').reason == 'purge did not run'


@pytest.mark.parametrize('content', ['', '{', '[]', '{"format": 1}', '{"format": 9}', '\x00\xff'])
def test_damaged_record_names_its_file(run: RunDirectory, content: str) -> None:
    path = run.path / KEY / 'deploy.json'
    path.write_bytes(content.encode('latin-1'))
    found = stage_of(run, 'deploy')
    assert found.outcome is Outcome.ERROR
    assert str(path) in found.reason


def test_record_of_another_stage_does_not_count(run: RunDirectory) -> None:
    green = (run.path / KEY / 'check.json').read_text()
    (run.path / KEY / 'deploy.json').write_text(green)
    assert 'is of stage check' in stage_of(run, 'deploy').reason
    assert read(run.path).outcome is Outcome.ERROR


@pytest.mark.parametrize('name', ['run.json', 'plan.json', 'leftovers.json'])
@pytest.mark.parametrize('content', [None, '{"format": 1, "versio'])
def test_damaged_or_missing_files_of_the_run(run: RunDirectory, name: str, content: str | None) -> None:
    path = run.path / name
    path.unlink()
    if content:
        path.write_text(content)
    result = read(run.path)
    assert result.exit is Exit.ERROR
    assert any(s.stage == 'report' and ('json' in s.reason or 'plan' in s.reason) for s in result.stages)
    assert write(run.path, result).is_dir()


def test_no_version_is_an_error(run: RunDirectory) -> None:
    run.write_plan(Plan(()))
    result = read(run.path)
    assert result.exit is Exit.ERROR
    assert 'no version was tested' in comment(result)


def test_failed_discover_is_the_only_reason(run: RunDirectory) -> None:
    (run.path / 'plan.json').unlink()
    run.write_record(record('discover', Outcome.ERROR, reason='no cluster stack found in stacks'))
    result = read(run.path)
    assert result.exit is Exit.ERROR
    assert [s.stage for s in result.stages] == list(RUN_STAGES)
    assert 'no cluster stack found in stacks' in comment(result)


def test_product_failure_outranks_error(run: RunDirectory) -> None:
    run.write_record(record('check', Outcome.FAILED, KEY, reason='Chart.yaml:1: name'))
    run.write_record(record('purge', Outcome.ERROR, reason='cloud away'))
    result = read(run.path)
    assert (result.outcome, result.exit) == (Outcome.FAILED, Exit.FAILED)


@pytest.mark.parametrize(
    ('stage', 'outcome', 'code'),
    [('', '', Exit.LEFTOVERS), ('deploy', 'failed', Exit.FAILED), ('deploy', 'error', Exit.ERROR)],
)
def test_leftovers(run: RunDirectory, stage: str, outcome: str, code: Exit) -> None:
    run.write_leftovers(Leftovers(True, (Leftover('server', '7c1e', 'scs-ci-3c0a4a9e7f2e-c0-x', 'HTTP 409'),)))
    run.write_record(record('purge', Outcome.ERROR, reason='1 resource left', verdict='leftovers'))
    if stage:
        run.write_record(record(stage, Outcome(outcome), KEY))
    result = read(run.path)
    assert result.exit is code
    assert result.outcome is not Outcome.PASSED
    assert verdict(result)['leftovers'][0]['id'] == '7c1e'
    assert '`server scs-ci-3c0a4a9e7f2e-c0-x HTTP 409`' in comment(result)


def test_green_purge_that_did_not_look_is_an_error(run: RunDirectory) -> None:
    run.write_leftovers(Leftovers(False))
    assert read(run.path).exit is Exit.ERROR


def test_purge_of_leftovers_without_list_is_an_error(run: RunDirectory) -> None:
    run.write_record(record('purge', Outcome.ERROR, reason='1 resource left', verdict='leftovers'))
    assert read(run.path).exit is Exit.ERROR


def test_skipped_by_plan(run: RunDirectory) -> None:
    key, reason = 'docker-scs-1-30', "this plane has no infrastructure provider 'docker'"
    run.write_plan(Plan((version(), version(key, VERSION_STAGES[:3], {'deploy': reason}))))
    for stage in VERSION_STAGES[:3]:
        run.write_record(record(stage, key=key))
    result = read(run.path)
    assert (result.outcome, result.exit) == (Outcome.SKIPPED, Exit.PASSED)
    assert stage_of(run, 'deploy', key).reason == reason
    assert reason in comment(result)


def test_forms_hold_hostile_text(run: RunDirectory) -> None:
    finding = Finding('class-name', Severity.ERROR, 'providers/a.yaml', 3, EVIL, seen=EVIL, wanted='b', end_line=5)
    run.write_record(record('check', Outcome.FAILED, KEY, reason=EVIL, findings=(finding,), simulated=('hypervisor',)))
    result = read(run.path)
    place = write(run.path, result)
    page = (place / 'index.html').read_text()
    assert all(text not in page for text in ('<script', 'http://', 'https://'))
    Parsed().feed(page)
    root = ElementTree.fromstring((place / 'junit.xml').read_text())
    suites = {suite.get('name'): suite for suite in root}
    assert suites['providers/openstack/scs2 v1.34.7'].get('failures') == '1'
    failure = suites['providers/openstack/scs2 v1.34.7'].find('testcase/failure')
    assert failure is not None
    assert 'providers/a.yaml:3' in (failure.text or '')
    assert 'Simulated, not real: hypervisor.' in (place / 'comment.md').read_text()


class Parsed(html.parser.HTMLParser):
    """Fails on a tag that is closed without having been opened."""

    VOID = frozenset({'meta', 'line', 'rect'})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_zuul_return(run: RunDirectory) -> None:
    findings = (
        Finding('one', Severity.ERROR, 'a.yaml', 3, 'wrong', seen='1', wanted='2'),
        Finding('one', Severity.ERROR, 'a.yaml', 3, 'wrong', seen='1', wanted='2', stack='other'),
        Finding('two', Severity.NOTICE, 'a.yaml', 4, 'hm', column=2, end_line=6),
    )
    run.write_record(record('check', Outcome.FAILED, KEY, findings=findings))
    answer = zuul_return(read(run.path), 'scs-ci/')['zuul']
    assert answer['artifacts'][0]['url'] == 'scs-ci/report/index.html'
    assert all(isinstance(w, str) for w in answer['warnings'])
    assert answer['file_comments'] == {
        'a.yaml': [
            {'line': 3, 'message': 'one: wrong (is 1, wanted 2)', 'level': 'error'},
            {
                'line': 4,
                'message': 'two: hm',
                'level': 'info',
                'range': {'start_line': 4, 'start_character': 1, 'end_line': 6, 'end_character': 0},
            },
        ]
    }


@pytest.mark.parametrize(
    ('text', 'shown'),
    [('', ''), ('a\nb', '`a b`'), ('a|b', '`a\\|b`'), ('a`b', '``a`b``'), ('`a`', '`` `a` ``'), ('@all', '`@all`')],
)
def test_code(text: str, shown: str) -> None:
    assert code(text) == shown


def test_timeline(run: RunDirectory) -> None:
    drawing = timeline(read(run.path))
    assert drawing
    assert len(drawing.bars) == len(RUN_STAGES) + len(VERSION_STAGES)
    assert [name for name, _ in drawing.lanes] == ['run', KEY]
    assert drawing.ticks[1].label == '0:02'
    assert clock(3723) == '1:02:03'


def test_unreadable_time_leaves_the_timeline_out(run: RunDirectory) -> None:
    for path in run.path.glob('*/*.json'):
        path.write_text(path.read_text().replace('2026-11-25T', 'then '))
    assert timeline(read(run.path)) is None
    assert '<svg' not in (write(run.path, read(run.path)) / 'index.html').read_text()


def test_same_directory_gives_the_same_bytes(run: RunDirectory) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in write(run.path, read(run.path)).iterdir()}

    first = content()
    assert sorted(first) == ['comment.md', 'index.html', 'junit.xml', 'verdict.json', 'zuul_return.json']
    assert content() == first


def test_command(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['report', '--run', str(run.path), '--exit-only']) == 0
    assert not (run.path / 'report').exists()
    assert main(['report', '--run', str(run.path), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['outcome'] == 'passed'
    (run.path / KEY / 'deploy.json').unlink()
    assert main(['report', '--run', str(run.path)]) == Exit.ERROR
    assert '`deploy did not run`' in capsys.readouterr().out
    assert 'make e2e CHECKOUT=stacks' in (run.path / 'report/comment.md').read_text()


def test_command_on_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['report', '--run', str(tmp_path / 'absent')]) == Exit.USAGE
    assert 'next:' in capsys.readouterr().err


def test_module_converges_and_checks(run: RunDirectory) -> None:
    planned = scs_report.report(run.path, '', True)
    assert (planned['changed'], planned['outcome'], planned['exit_code']) == (True, 'passed', 0)
    assert not (run.path / 'report').exists()
    assert scs_report.report(run.path, '', False)['changed']
    assert not scs_report.report(run.path, '', False)['changed']
    (run.path / KEY / 'deploy.json').unlink()
    assert scs_report.report(run.path, '', True)['changed']


SPECS = (
    '<testsuites><testsuite name="conformance"><testcase name="[It] a" time="1.5"/><testcase name="[It] b" time="2">'
    '<failure message="503"/></testcase><testcase name="[It] c" time="0"><skipped message="no gce"/></testcase>'
    '</testsuite></testsuites>'
)


def with_specs(run: RunDirectory, junit: str | None = SPECS, **facts: object) -> None:
    """A run whose plan has conformance, too."""
    run.write_plan(Plan((version(stages=(*VERSION_STAGES, 'conformance')),)))
    failures = [{'name': f'{EVIL} {n}', 'state': 'failed', 'message': '503', 'reason': ''} for n in range(6)]
    failures.append({'name': 'd', 'state': 'failed', 'message': '', 'reason': 'known'})
    told = {'junit': f'{KEY}/conformance/x.xml', 'failures': failures, 'flaky': ['e'], 'unused_waivers': ['f.*']}
    run.write_record(record('conformance', Outcome.FAILED, KEY, 20, facts={**told, **facts}, reason='6 specs failed'))
    if junit is not None:
        (run.place(KEY) / 'conformance').mkdir()
        (run.place(KEY) / 'conformance' / 'x.xml').write_text(junit)


def test_specs_are_in_every_form(run: RunDirectory) -> None:
    with_specs(run)
    place = write(run.path, read(run.path))
    text, page = (place / 'comment.md').read_text(), (place / 'index.html').read_text()
    assert '| conformance |' in text
    assert 'and 4 more, see the page' in text
    for words in ('failed, allowed (known): d', 'flaky: e', 'waiver not needed: f.*'):
        assert words in page
    assert '<script>' not in page
    suites = ElementTree.parse(place / 'junit.xml').getroot().findall('testsuite')
    assert [suite.get('name') for suite in suites][-1] == 'providers/openstack/scs2 v1.34.7 conformance'
    assert [suites[-1].get(key) for key in ('tests', 'failures', 'errors', 'skipped')] == ['3', '1', '0', '1']


def test_workloads_without_image_are_named(run: RunDirectory) -> None:
    facts = {'unproven': [{'workload': 'DaemonSet cilium', 'images': ['quay.io/cilium/cilium:v1']}]}
    simulated = ('DaemonSet cilium (no image)',)
    run.write_record(record('deploy', Outcome.PASSED, KEY, 20, facts=facts, simulated=simulated))
    place = write(run.path, read(run.path))
    text, page = (place / 'comment.md').read_text(), (place / 'index.html').read_text()
    for form in (text, page):
        assert 'not proven: DaemonSet cilium waits for quay.io/cilium/cilium:v1' in form
    assert 'Simulated, not real: DaemonSet cilium (no image)' in text


@pytest.mark.parametrize('junit', [None, '<testsuites', '<testsuites><testcase time="x"/></testsuites>'])
def test_specs_do_not_vanish(run: RunDirectory, junit: str | None) -> None:
    with_specs(run, junit)
    stage = stage_of(run, 'conformance')
    assert stage.outcome is Outcome.ERROR
    assert 'cannot read JUnit file' in stage.reason


def test_nodes_tell_when_they_came_on_the_page_and_their_troubles_everywhere(run: RunDirectory) -> None:
    node = {'name': 'scs-ci-1-node-0', 'flavor': 'SCS-2V-4', 'zone': 'az1', 'seconds': {'requested': 0.4, 'ssh': 41.5}}
    run.write_record(record('provision', second=2, facts={'nodes': [node]}))
    place = write(run.path, read(run.path))
    line = 'scs-ci-1-node-0: SCS-2V-4 in az1, requested after 0.4 s, ssh after 41.5 s'
    assert line in (place / 'index.html').read_text()
    assert 'scs-ci-1-node-0' not in (place / 'comment.md').read_text()
    troubles = {'scs-ci-1-node-0': 'kernel panic: x'}
    run.write_record(record('provision', Outcome.ERROR, second=2, facts={'troubles': troubles, 'nodes': 'damaged'}))
    place = write(run.path, read(run.path))
    for form in ('index.html', 'comment.md'):
        assert 'scs-ci-1-node-0: kernel panic: x' in (place / form).read_text()


def test_flaky_specs_of_a_green_stage_are_told(run: RunDirectory) -> None:
    with_specs(run, failures=[])
    run.write_record(record('conformance', key=KEY, second=20, facts={'flaky': ['e'], 'failures': []}))
    result = read(run.path)
    assert result.exit is Exit.PASSED
    assert 'conformance of providers/openstack/scs2 v1.34.7: `flaky: e`' in comment(result)
