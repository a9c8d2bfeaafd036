"""What a run needs on its plane host: complete, private, and of all clouds one."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scs_ci.core.errors import ToolProblem, UsageProblem
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory
from scs_ci.plane import parcel

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
RECEIVE = ROOT / 'roles/push-run/files/receive.sh'
TIME = '2026-11-28T00:00:00Z'
SECRET = 'not-for-logs'
CLOUDS = {
    'clouds': {
        'mine': {'auth': {'auth_url': 'https://k', 'username': 'u'}, 'region_name': 'r'},
        'complete': {'auth': {'auth_url': 'https://k', 'application_credential_secret': 's'}},
        'other': {'auth': {'auth_url': 'https://k', 'password': 'of somebody else'}},
    }
}
SECURE = {'clouds': {'mine': {'auth': {'password': SECRET}}, 'complete': {'auth': {'password': SECRET}}}}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / 'clouds.yaml').write_text(yaml.safe_dump(CLOUDS))
    (tmp_path / 'secure.yaml').write_text(yaml.safe_dump(SECURE))
    return tmp_path


@pytest.fixture
def contents(files: Path) -> parcel.Contents:
    run, checkout = files / 'run', files / 'checkout'
    RunDirectory.create(run, RunInfo('run-one', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'mine'))
    (run / 'report').mkdir()
    for name in ('plan.json', 'progress.log', 'stages/discover.json'):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text('{}')
    for name in ('.git/config', 'stack/.git/config', 'stack/Chart.yaml'):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    (checkout / 'link').symlink_to('stack')
    for name in ('clouds.yaml', 'secure.yml'):  # of somebody who works in the checkout
        (checkout / name).write_text(SECRET)
    (checkout / 'stack/clouds.yaml').write_text('a template')
    (files / 'ca.pem').write_text('CA of the cloud')
    (files / 'waivers.yaml').write_text('waivers: []')
    entry = {**CLOUDS['clouds']['mine'], 'cacert': str(files / 'ca.pem')}
    return parcel.Contents(
        run, checkout, 'mine', entry, {'providers/x': {'a': SECRET}}, next=checkout, waivers=files / 'waivers.yaml'
    )


def entry(files: Path, cloud: str) -> dict[str, Any]:
    return parcel.entry(files / 'clouds.yaml', files / 'secure.yaml', cloud)


def test_secrets_of_another_file_complete_an_entry(files: Path) -> None:
    auth = {'auth_url': 'https://k', 'username': 'u', 'password': SECRET}
    assert entry(files, 'mine') == {'auth': auth, 'region_name': 'r'}


def test_an_application_credential_is_complete(files: Path) -> None:
    assert SECRET not in str(entry(files, 'complete'))


def test_without_a_second_file_an_entry_is_as_it_is(files: Path) -> None:
    (files / 'secure.yaml').unlink()
    assert entry(files, 'mine') == CLOUDS['clouds']['mine']


def test_an_unknown_cloud(files: Path) -> None:
    with pytest.raises(UsageProblem, match='cannot find cloud nowhere: .*clouds.yaml has no such cloud'):
        entry(files, 'nowhere')


@pytest.mark.parametrize('text', [f'clouds: [{SECRET}: ', f'clouds: !!int {SECRET}', 'clouds: 2026-13-45'])
def test_a_broken_file_is_not_quoted(files: Path, text: str) -> None:
    (files / 'secure.yaml').write_text(text)
    with pytest.raises(UsageProblem, match='secure.yaml: it is no YAML') as told:
        entry(files, 'mine')
    assert SECRET not in str(told.value)


def test_on_the_controller_only_what_is_written_for_the_run(contents: parcel.Contents, tmp_path: Path) -> None:
    place = tmp_path / 'a' / 'place'
    parcel.lay(contents, place)
    found = {str(path.relative_to(place)): path.stat().st_mode & 0o777 for path in place.rglob('*')}
    private = dict.fromkeys(('variables.yaml', 'secret/clouds.yaml', 'secret/ca.pem'), 0o600)
    assert found == {**private, 'secret': 0o700, 'waivers.yaml': 0o644}
    assert place.stat().st_mode & 0o777 == 0o700
    cloud = yaml.safe_load((place / 'secret/clouds.yaml').read_text())['clouds']
    assert cloud == {'mine': {**contents.entry, 'cacert': f'{place}/secret/ca.pem'}}


def test_what_cannot_be_written_whole_leaves_no_secret(contents: parcel.Contents, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match='cannot read file .*gone'):
        parcel.lay(dataclasses.replace(contents, baseline=tmp_path / 'gone'), tmp_path / 'place')
    assert [path.name for path in (tmp_path / 'place').iterdir()] == ['waivers.yaml']


def test_a_place_that_cannot_be_made(contents: parcel.Contents, files: Path) -> None:
    with pytest.raises(ToolProblem, match=r'cannot make directory .*ca.pem/place: Not a directory\n  next: '):
        parcel.lay(contents, files / 'ca.pem' / 'place')


def command(contents: parcel.Contents, files: Path, place: Path) -> list[str | Path]:
    options = ['--run', contents.run, '--checkout', contents.checkout, '--next', contents.checkout, '--place', place]
    options += ['--clouds', files / 'clouds.yaml', '--cloud', 'mine', '--waivers', files / 'waivers.yaml']
    return [sys.executable, '-m', 'scs_ci', 'parcel', '--variables', '--script', RECEIVE, *options]


def call(words: list[str | Path], stdin: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), 'TMPDIR': str(temporary)}
    env.pop('OS_CLIENT_SECURE_FILE', None)
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, env=env, check=False)


def test_for_another_host_everything_is_in_one_file(contents: parcel.Contents, files: Path, tmp_path: Path) -> None:
    place, temporary = tmp_path / 'host' / 'place', tmp_path / 'tmp'
    temporary.mkdir()
    packed = call(command(contents, files, place), json.dumps(contents.variables), temporary)
    assert packed.returncode == 0, packed.stderr
    script = Path(packed.stdout.strip())
    assert script.parent.stat().st_mode & 0o777 == 0o700
    done = call(['/bin/sh', script], '', temporary)
    assert (done.returncode, done.stderr) == (0, '')
    assert (place / 'run').stat().st_mode == contents.run.stat().st_mode
    found = sorted(str(path.relative_to(place)) for path in place.rglob('*') if not path.is_dir() or path.is_symlink())
    # only at the top of a tree something is left out
    tree = ['link', 'stack/.git/config', 'stack/Chart.yaml', 'stack/clouds.yaml']
    trees = [f'{name}/{file}' for name in ('checkout', 'next') for file in tree]
    of_the_run = ['run/plan.json', 'run/progress.log', 'run/run.json', 'run/stages/discover.json']
    assert found == sorted([*trees, *of_the_run, 'secret/clouds.yaml', 'variables.yaml', 'waivers.yaml'])
    assert (place / 'checkout/link').readlink() == Path('stack')
    assert [oct((place / name).stat().st_mode & 0o777) for name in ('', 'secret', 'secret/clouds.yaml')] == [
        '0o700',
        '0o700',
        '0o600',
    ]
    assert yaml.safe_load((place / 'variables.yaml').read_text()) == contents.variables


def test_secrets_are_found_where_openstacksdk_finds_them(
    contents: parcel.Contents, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is named is what a link in ~/.config/openstack leads to."""
    home = tmp_path / 'home'
    (home / '.config/openstack').mkdir(parents=True)
    (files / 'secure.yaml').rename(home / '.config/openstack/secure.yaml')
    monkeypatch.setenv('HOME', str(home))
    words = [word for word in command(contents, files, tmp_path / 'place') if word not in ('--script', RECEIVE)]
    assert call(words, '{}', tmp_path).returncode == 0
    assert SECRET in (tmp_path / 'place/secret/clouds.yaml').read_text()


@pytest.mark.parametrize(
    ('option', 'stdin', 'message'),
    [
        (['--charts', 'gone'], '{}', 'cannot read charts directory gone: no such directory\n  next: correct -e charts'),
        (
            ['--next', 'gone'],
            '{}',
            'cannot read the next checkout gone: no such directory\n  next: correct -e upgrade_to',
        ),
        (['--cloud', 'nowhere'], '{}', 'cannot find cloud nowhere'),
        (['--proxy-ca', 'gone'], '{}', 'cannot read file gone: No such file or directory'),
        ([], f'["{SECRET}"]', 'cannot read cluster variables on standard input: they are no JSON object'),
        ([], SECRET, 'cannot read cluster variables on standard input: they are no JSON object'),
    ],
)
def test_what_is_wrong_is_said_and_nothing_stays(
    contents: parcel.Contents, files: Path, tmp_path: Path, option: list[str], stdin: str, message: str
) -> None:
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    done = call([*command(contents, files, tmp_path / 'place'), *option], stdin, temporary)
    assert done.returncode == 2
    assert message in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no device that is full')
def test_a_parcel_nobody_hears_of_does_not_stay(contents: parcel.Contents, files: Path, tmp_path: Path) -> None:
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), 'TMPDIR': str(temporary)}
    with Path('/dev/full').open('w') as full:
        words = command(contents, files, tmp_path / 'place')
        done = subprocess.run(words, input=b'{}', stdout=full, stderr=subprocess.PIPE, timeout=60, env=env, check=False)
    assert done.returncode == 3, done.stderr
    assert list(temporary.iterdir()) == []


@pytest.fixture
def script(contents: parcel.Contents, files: Path, tmp_path: Path) -> Path:
    """Brings the run to host/place."""
    packed = call(command(contents, files, tmp_path / 'host' / 'place'), json.dumps(contents.variables), tmp_path)
    assert packed.returncode == 0, packed.stderr
    return Path(packed.stdout.strip())


def test_what_is_no_longer_in_a_tree_is_not_on_the_host_either(script: Path, tmp_path: Path) -> None:
    """The place of a run that goes on still has what was brought to it before."""
    place = tmp_path / 'host' / 'place'
    for name in ('run/stages/preflight.json', 'checkout/link/stale', 'charts/stale'):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text('')
    done = call(['/bin/sh', script], '', tmp_path)
    assert (done.returncode, done.stderr) == (0, '')
    assert (place / 'checkout/link').readlink() == Path('stack')
    assert not list(place.rglob('stale'))
    assert (place / 'run/stages/preflight.json').is_file()


def test_a_parcel_that_does_not_get_there_whole_leaves_no_secret(script: Path, tmp_path: Path) -> None:
    script.write_bytes(script.read_bytes()[:-20])
    done = call(['/bin/sh', script], '', tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith(f'cannot bring the run to {tmp_path}/host/place on ')
    assert 'next: ' in done.stderr
    assert [path.name for path in (tmp_path / 'host' / 'place').iterdir() if path.name != 'waivers.yaml'] == ['run']


def test_a_run_without_a_plan_is_no_run(contents: parcel.Contents, files: Path, tmp_path: Path) -> None:
    (contents.run / 'plan.json').unlink()
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    done = call(command(contents, files, tmp_path / 'place'), '{}', temporary)
    assert done.returncode == 3
    assert 'plan.json: No such file or directory' in done.stderr
    assert list(temporary.iterdir()) == []
