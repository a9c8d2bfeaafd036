"""The credential of a run: made with its secret or not at all, few rights, a limited life, and revoked in the end."""

from __future__ import annotations

import dataclasses
import datetime
import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fake_cloud import FakeCloud, Fault

from scs_ci.cli import main
from scs_ci.cloud import connect, credential, door_credential, purge
from scs_ci.cloud.connect import Cloud
from scs_ci.cloud.credential import Existing, Wish
from scs_ci.cloud.credential_file import Inside
from scs_ci.cloud.marks import Mark
from scs_ci.core.errors import CredentialProblem, Problem, UsageProblem
from scs_ci.core.files import read_json
from scs_ci.core.naming import names
from scs_ci.core.records import RunInfo
from scs_ci.core.run import RunDirectory

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
MARK = Mark(RUN, 'ci', '2026-11-25T12:00:00Z')  # twelve hours after the stand-in's beginning
NAME = f'{names(RUN).prefix}-credential'
CONFIG = {
    'auth': {'auth_url': 'https://keystone:5000/v3', 'username': 'me', 'password': 'my-own-password'},
    'auth_type': 'password',
    'region_name': 'RegionOne',
    'interface': 'public',
    'cacert': '/etc/ca.pem',
    'compute_endpoint_override': 'https://nova',
    'message': 'hello',
}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """The stand-in, whose logins with a file work when the credential in it exists with that secret."""
    fake = FakeCloud()

    def login(name: str, file: Path | None = None) -> Cloud:
        if file is None:
            return made_by(fake)
        auth = yaml.safe_load(file.read_text())['clouds'][name]['auth']
        fake.calls['login'] += 1
        identity = auth['application_credential_id']
        if auth['application_credential_secret'] != f'secret-of-{identity}' or identity not in there(fake):
            raise CredentialProblem('cannot log in to', f'cloud {name}', 'HTTP 401', 'check')
        return made_by(fake)

    monkeypatch.setattr(connect, 'connect', login)
    return fake


def made_by(fake: FakeCloud, *roles: str) -> Cloud:
    """The cloud as its maker sees it."""
    sdk = fake.cloud.sdk
    sdk.config = SimpleNamespace(config=CONFIG)
    held = roles or ('load-balancer_member', 'member', 'reader')
    return dataclasses.replace(fake.cloud, sdk=sdk, roles=held)


def there(fake: FakeCloud) -> dict[str, Any]:
    return fake.kinds['application_credential']


def wish(tmp_path: Path, **changes: Any) -> Wish:
    return dataclasses.replace(Wish(MARK, tmp_path / 'keys/clouds.yaml', 3600), **changes)


def present(fake: FakeCloud, wanted: Wish, **options: Any) -> credential.Credential:
    return credential.present(made_by(fake), wanted, clock=fake.clock, **options)


def test_made_restricted_with_few_roles_and_beyond_the_timeout(fake: FakeCloud, tmp_path: Path) -> None:
    made = present(fake, wish(tmp_path))
    assert made.changed
    one = there(fake)[made.id]
    assert one.unrestricted is False
    assert one.roles == [
        {'name': 'load-balancer_member'},
        {'name': 'member'},
        {'name': 'reader'},
    ]  # the last is implied
    assert one.expires_at == made.expires == '2026-11-25T12:00:00Z'
    assert one.description == MARK.description()
    assert present(fake, wish(tmp_path, timeout=12 * 3600)).expires == '2026-11-25T13:00:00Z'


def test_the_secret_is_in_the_file_alone(fake: FakeCloud, tmp_path: Path) -> None:
    made = present(fake, wish(tmp_path))
    file = Path(made.file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    entry = yaml.safe_load(file.read_text())['clouds']['fake']
    assert entry == {
        'auth_type': 'v3applicationcredential',
        'auth': {
            'auth_url': 'https://keystone:5000/v3',
            'application_credential_id': made.id,
            'application_credential_secret': f'secret-of-{made.id}',
        },
        'region_name': 'RegionOne',
        'interface': 'public',
        'cacert': '/etc/ca.pem',
        'compute_endpoint_override': 'https://nova',
    }
    assert f'secret-of-{made.id}' not in str(made)
    assert 'password' not in file.read_text()


def test_a_second_call_changes_nothing(fake: FakeCloud, tmp_path: Path) -> None:
    made = present(fake, wish(tmp_path))
    again = present(fake, wish(tmp_path))
    assert (again.id, again.changed) == (made.id, False)
    assert fake.calls['create application_credential'] == 1


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda file, fake: file.unlink(), 'its secret is not in the file'),
        (lambda file, fake: file.write_text(file.read_text().replace('secret-of', 'wrong')), 'it does not work'),
        (lambda file, fake: file.write_text(file.read_text()[:80]), 'its secret is not in the file'),
        (lambda file, fake: there(fake).clear(), 'there is none'),
        (lambda file, fake: fake.clock.sleep(11.5 * 3600), 'it expires 2026-11-25T12:00:00Z'),
    ],
    ids=['lost', 'wrong', 'cut off', 'revoked', 'late'],
)
def test_what_cannot_be_used_is_made_anew(fake: FakeCloud, tmp_path: Path, spoil: Any, reason: str) -> None:
    made = present(fake, wish(tmp_path))
    spoil(Path(made.file), fake)
    told = present(fake, wish(tmp_path), check=True)
    assert told.changed
    assert told.reason.startswith(reason)
    assert fake.calls['create application_credential'] == 1
    again = present(fake, wish(tmp_path))
    assert again.reason.startswith(reason)
    assert list(there(fake)) == [again.id] != [made.id]
    assert again.id in Path(again.file).read_text()


def test_other_roles_make_another_one(fake: FakeCloud, tmp_path: Path) -> None:
    present(fake, wish(tmp_path))
    assert present(fake, wish(tmp_path, roles=('member',))).roles == ('member',)
    assert len(there(fake)) == 1


def test_a_lost_answer_leaves_no_credential_without_its_secret(fake: FakeCloud, tmp_path: Path) -> None:
    fake.faults = [Fault('create application_credential', 504, 1, after=True)]
    made = present(fake, wish(tmp_path))
    assert list(there(fake)) == [made.id]
    assert f'secret-of-{made.id}' in Path(made.file).read_text()


def test_a_file_that_cannot_be_written_leaves_no_credential(fake: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / 'keys').write_text('a file')
    with pytest.raises(Problem, match='credential file|directory'):
        present(fake, wish(tmp_path))
    assert there(fake) == {}


def test_a_foreign_file_is_neither_replaced_nor_removed(fake: FakeCloud, tmp_path: Path) -> None:
    file = tmp_path / 'clouds.yaml'
    file.write_text('clouds: {mine: {}}')
    with pytest.raises(UsageProblem, match='not a credential file of scs-ci'):
        present(fake, wish(tmp_path, file=file))
    with pytest.raises(UsageProblem, match='not a credential file of scs-ci'):
        credential.absent(made_by(fake), RUN, file)
    assert file.read_text() == 'clouds: {mine: {}}'
    assert there(fake) == {}


def test_a_credential_cannot_make_another_and_says_what_can(fake: FakeCloud, tmp_path: Path) -> None:
    fake.faults = [Fault('create application_credential', 403, 9, text='not allowed for managing additional ones')]
    with pytest.raises(CredentialProblem, match='password or a federated identity'):
        present(fake, wish(tmp_path))


def by_credential(fake: FakeCloud, *, unrestricted: bool) -> Cloud:
    login = fake.add('application_credential', 'site', expires_at=None, roles=[], unrestricted=unrestricted)
    return dataclasses.replace(made_by(fake), credential_id=login.id)


@pytest.mark.parametrize(
    ('login', 'reason'),
    [
        (lambda fake: made_by(fake), ''),
        (lambda fake: by_credential(fake, unrestricted=True), ''),
        (lambda fake: by_credential(fake, unrestricted=False), 'the login is a restricted application credential'),
        (lambda fake: dataclasses.replace(made_by(fake), credential_id='hidden'), 'the login is a restricted'),
        (lambda fake: made_by(fake, 'reader'), 'cannot make a credential with role member'),
        (
            lambda fake: fake.faults.append(Fault('create application_credential', 403, 9)) or made_by(fake),
            'cannot make',
        ),
    ],
    ids=['password', 'unrestricted', 'restricted', 'rules of access', 'roles', 'policy'],
)
def test_an_optional_credential_is_made_where_the_login_may(
    fake: FakeCloud, tmp_path: Path, login: Any, reason: str
) -> None:
    cloud, before = login(fake), set(there(fake))
    made = credential.present_or_why_not(cloud, wish(tmp_path), clock=fake.clock)
    assert isinstance(made, str) is bool(reason)
    assert str(made).startswith(reason)
    assert len(set(there(fake)) - before) == (0 if reason else 1)
    assert wish(tmp_path).file.exists() is not bool(reason)


def test_what_has_nothing_to_do_with_the_login_stays_an_error(fake: FakeCloud, tmp_path: Path) -> None:
    fake.faults = [Fault('create application_credential', 500, 99, text='Keystone is ill')]
    with pytest.raises(Problem, match='Keystone is ill'):
        credential.present_or_why_not(made_by(fake), wish(tmp_path), clock=fake.clock)
    wish(tmp_path).file.parent.mkdir()
    wish(tmp_path).file.write_text('clouds: {mine: {}}')
    with pytest.raises(UsageProblem, match='not a credential file of scs-ci'):
        credential.present_or_why_not(made_by(fake), wish(tmp_path), clock=fake.clock)


def recorded(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """One call for a run directory: what it returned, and the record."""
    place = tmp_path / 'run'
    if not place.exists():
        RunDirectory.create(place, RunInfo(RUN, 'ci', '2026-11-25T00:00:00Z', MARK.expires, 'e2e', 'x', 'y', 'fake'))
    parameters = {'run_dir': str(place), 'file': str(tmp_path / 'keys/clouds.yaml'), 'roles': [], 'job_timeout': 60.0,
                  'state': 'present', 'optional': True, **changes}  # fmt: skip
    returned = door_credential.run_credential(parameters, check_mode=False)
    return {**returned, 'record': read_json(place / 'stages/credential.json')}


def test_the_record_has_the_credential_or_the_reason(
    fake: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recorded(tmp_path)
    assert made['record']['outcome'] == 'passed'
    assert made['record']['facts']['credential'] == made['credential']
    assert 'secret-of' not in json.dumps(made)
    login = by_credential(fake, unrestricted=False)
    monkeypatch.setattr(connect, 'connect', lambda name, file=None: login)
    without = recorded(tmp_path)
    assert without['credential'] == {}
    assert without['record']['outcome'] == 'skipped'
    assert without['record']['reason'] == f'{without["reason"]}; the plane host gets the login of the cloud'
    del there(fake)[made['credential']['id']]
    fake.faults = [Fault('create application_credential', 403, 9)]
    with pytest.raises(CredentialProblem):
        recorded(tmp_path, optional=False)
    assert read_json(tmp_path / 'run/stages/credential.json')['verdict'] == 'credential'


def test_the_command_says_why_there_is_none(
    fake: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    login = by_credential(fake, unrestricted=False)
    monkeypatch.setattr(connect, 'connect', lambda name, file=None: login)
    words = ['credential', 'make', '--cloud', 'fake', '--run-id', RUN, '--file', str(tmp_path / 'c.yaml')]
    assert main([*words, '--optional']) == 0
    assert 'none made: the login is a restricted application credential' in capsys.readouterr().out


def test_roles_are_those_of_the_login() -> None:
    assert credential.chosen_roles((), ('member', 'reader', 'admin')) == ('member',)
    assert credential.chosen_roles(('reader',), ('member', 'reader')) == ('reader',)
    for wanted, held in (((), ('reader',)), (('admin',), ('member',)), ((), ())):
        with pytest.raises(UsageProblem, match='cannot make a credential with role'):
            credential.chosen_roles(wanted, held)


def test_why_new_is_a_pure_decision() -> None:
    now = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
    good, file = Existing('a', now + datetime.timedelta(seconds=1), ('member', 'reader')), Inside('a', ('member',))
    assert credential.why_new([good], file, now, ('member',)) == ''
    assert credential.why_new([dataclasses.replace(good, expires=None)], file, now, ('member',)) == ''
    assert credential.why_new([dataclasses.replace(good, expires=now)], file, now, ('member',)) != ''
    assert credential.why_new([good], Inside('b'), now, ('member',)) == 'its secret is not in the file'
    assert 'made with roles member' in credential.why_new([good], file, now, ('reader',))
    assert 'made with roles' in credential.why_new([good], Inside('a', ('admin',)), now, ('admin',))


def test_revoked_with_its_file_and_by_the_purge(fake: FakeCloud, tmp_path: Path) -> None:
    other = fake.add('application_credential', 'theirs', expires_at=None, roles=[])
    made = present(fake, wish(tmp_path))
    assert credential.absent(made_by(fake), RUN, Path(made.file), check=True) == [made.id]
    assert Path(made.file).exists()
    assert credential.absent(made_by(fake), RUN, Path(made.file)) == [made.id]
    assert not Path(made.file).exists()
    assert credential.absent(made_by(fake), RUN, Path(made.file)) == []
    present(fake, wish(tmp_path))
    result = purge.Purge(fake.cloud, RUN, say=lambda *_: None, clock=fake.clock).execute()
    assert result.counts() == {'application_credential': 1}
    assert list(there(fake)) == [other.id]


def test_the_command_makes_shows_and_revokes(
    fake: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ['--cloud', 'fake', '--run-id', RUN, '--file', str(tmp_path / 'c.yaml')]
    assert main(['credential', 'make', *words, '--dry-run']) == 0
    assert 'would be made (there is none), roles load-balancer_member, member' in capsys.readouterr().out
    assert there(fake) == {}
    assert main(['credential', 'make', *words, '--json']) == 0
    text = capsys.readouterr().out
    assert json.loads(text)['credential']['name'] == NAME
    assert 'secret-of' not in text
    assert main(['credential', 'make', *words]) == 0
    assert 'there already' in capsys.readouterr().out
    assert main(['credential', 'revoke', *words]) == 0
    assert '1 credentials revoked' in capsys.readouterr().out
    assert there(fake) == {}
    assert main(['credential', 'make', '--cloud', 'fake']) == 2


def test_the_default_file_lies_beside_the_key(fake: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path))
    parameters = {'cloud': 'fake', 'run_id': RUN, 'roles': [], 'job_timeout': 60.0, 'state': 'present'}
    made = door_credential.run_credential(parameters, check_mode=False)
    assert made['credential']['file'] == str(tmp_path / 'scs-ci' / RUN / 'clouds.yaml')
    assert 'secret-of' not in str(made)
