"""`scs-ci registry check` at a real registry, and at broken ones."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from registry_servers import ACCOUNT, Answer, Asked, Server, login_endpoint, serve, token_auth
from stack_tools import ADDRESS, Registry, free_port, scs_ci
from stack_tools import registry as start_registry

from scs_ci.stack.publish import publish
from scs_ci.stack.registry import Credentials, Repository

pytestmark = pytest.mark.integration
FILES = {'metadata.yaml': b'versions: {}\n'}
CREATED = 'org.opencontainers.image.created'
ROBOT = {'OCI_USERNAME': ACCOUNT[0], 'OCI_PASSWORD': ACCOUNT[1]}
# The account of the tests with tokens, its password by bcrypt with few rounds.
HTPASSWD = f'{ACCOUNT[0]}:$2a$04$iL7Q7joxgMaYZODsLm6/Deuie3N/39JcsyPNb23pU.MCCYWjdtWGK\n'
PATH = 'kaas/cluster-stacks'


@pytest.fixture(scope='module')
def harbor(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with tokens and a release in it; its CA file also trusts the login endpoint."""
    place = tmp_path_factory.mktemp('harbor')
    with (
        login_endpoint(tmp_path_factory.mktemp('login')) as endpoint,
        start_registry(tools / 'bin/registry', place, auth=token_auth(endpoint), hours=2400) as running,
    ):
        both = place / 'both.crt'
        both.write_bytes(running.ca.read_bytes() + endpoint.ca.read_bytes())
        repository = Repository(f'{running.host}/{PATH}', both, Credentials(*ACCOUNT))
        publish(FILES, '1.0.0', {CREATED: '2020-01-01T00:00:00Z'}, repository)
        yield Registry(running.host, both)


def command(registry: Registry | Server, *words: str | Path) -> list[str | Path]:
    return ['registry', 'check', f'{registry.host}/{PATH}', '--ca', registry.ca, *words]


def look(
    registry: Registry | Server, *words: str | Path, **environment: str
) -> tuple[int, dict[str, dict[str, object]]]:
    """Exit code, and the looks by their name."""
    done = scs_ci(*command(registry, *words), '--json', **environment)
    said = json.loads(done.stdout)
    assert said['problems'] == sum(found['ok'] is False for found in said['checks'])
    return done.returncode, {found['check']: found for found in said['checks']}


def test_a_registry_that_works_has_no_problem(harbor: Registry) -> None:
    code, found = look(harbor, **ROBOT)

    assert code == 0
    assert list(found) == ['answer', 'certificate', 'login', 'pull', 'push']
    assert all(one['ok'] for one in found.values())
    facts = found['pull']['facts']
    assert isinstance(facts, dict)
    assert (facts['tags'], facts['tag']) == (1, '1.0.0')
    assert Repository(f'{harbor.host}/{PATH}', harbor.ca).tags() == ('1.0.0',)


def test_each_look_is_one_line(harbor: Registry) -> None:
    done = scs_ci(*command(harbor, '--days', '365'))

    assert done.returncode == 1
    lines = [line.split(': ', 3) for line in done.stdout.splitlines()]
    assert [(words[0], words[2]) for words in lines] == [
        ('ok', 'answer'),
        ('problem', 'certificate'),
        ('ok', 'login'),
        ('ok', 'pull'),
        ('unknown', 'push'),
    ]


def test_without_an_account_pushes_are_not_tried(harbor: Registry) -> None:
    code, found = look(harbor)

    assert code == 0
    assert found['push']['ok'] is None
    assert 'no account' in str(found['push']['text'])


def test_an_account_that_is_refused_is_a_problem_and_its_password_is_never_shown(harbor: Registry) -> None:
    code, found = look(harbor, OCI_USERNAME=ACCOUNT[0], OCI_PASSWORD='hunter2hunter2')

    assert code == 1
    assert [name for name, one in found.items() if not one['ok']] == ['login', 'push']
    assert 'was refused by login endpoint' in str(found['login']['text'])
    assert 'hunter2' not in json.dumps(found)


def test_a_certificate_that_ends_soon_and_slow_answers_are_problems(harbor: Registry) -> None:
    code, found = look(harbor, '--days', '365', '--slowest', '0.000001')

    assert code == 1
    assert [name for name, one in found.items() if one['ok'] is False] == ['answer', 'certificate']
    assert 'wanted at least 365' in str(found['certificate']['text'])
    assert 'wanted at most 1e-06 s' in str(found['answer']['text'])


def test_a_closed_registry_is_a_problem_unless_it_is_meant_to_be(tools: Path, tmp_path: Path) -> None:
    with start_registry(tools / 'bin/registry', tmp_path, HTPASSWD, hours=2400) as closed:
        repository = Repository(f'{closed.host}/{PATH}', closed.ca, Credentials(*ACCOUNT))
        publish(FILES, 'tag', {}, repository)

        code, found = look(closed, **ROBOT)
        assert code == 1
        assert [name for name, one in found.items() if not one['ok']] == ['pull']
        code, found = look(closed, '--private', **ROBOT)
        assert code == 0
        assert all(one['ok'] for one in found.values())
        assert look(closed, '--private', OCI_USERNAME=ACCOUNT[0], OCI_PASSWORD='wrong')[0] == 1
        log = (tmp_path / 'registry.log').read_text()
        assert 'panic' not in log


def test_an_empty_repository_has_nothing_to_pull(registry: Registry) -> None:
    code, found = look(Registry(registry.host, registry.ca), '--days', '0.01')

    assert code == 1
    assert [name for name, one in found.items() if one['ok'] is False] == ['pull']
    assert found['login']['text'] == 'nobody has to log in'


BEARER = 'Bearer realm="https://{host}/token",service="x",scope="repository:a:pull"'


def unwell(**answers: Answer) -> Callable[[Asked], Answer]:
    """A registry that answers as given to what begins so, in this order, and well to the rest."""

    def answer(asked: Asked) -> Answer:
        kinds = (
            ('token', '/token' in asked.path),
            ('ping', asked.path == '/v2/'),
            ('tags', 'tags/list' in asked.path),
            ('manifest', 'manifests/' in asked.path),
            ('upload', asked.method == 'POST'),
            ('blob', 'blobs/' in asked.path),
        )
        for kind, fits in kinds:
            if fits and kind in answers:
                said = answers[kind]
                headers = {name: text.format(host=asked.headers['Host']) for name, text in said.headers.items()}
                return Answer(said.status, said.body, headers, said.seconds)
        return Answer(200, b'{"tags": ["1.0.0"]}' if 'tags/list' in asked.path else b'{}')

    return answer


MANIFEST = b'{"config": {"digest": "sha256:00", "size": 2}, "layers": []}'


@pytest.mark.parametrize(
    ('answers', 'check', 'says'),
    [
        ({'ping': Answer(500, b'out of order')}, 'answer', 'found no registry at'),
        ({'ping': Answer(200, b'<html>parked</html>')}, 'answer', "beginning '<html>parked</html>'"),
        ({'ping': Answer(401)}, 'answer', 'without a challenge'),
        ({'ping': Answer(0)}, 'answer', 'cannot reach registry'),
        (
            {'ping': Answer(401, headers={'WWW-Authenticate': BEARER}), 'token': Answer(502, b'bad gateway')},
            'login',
            '502',
        ),
        (
            {'ping': Answer(401, headers={'WWW-Authenticate': BEARER}), 'token': Answer(200, b'{}')},
            'login',
            'got no token',
        ),
        (
            {'ping': Answer(401, headers={'WWW-Authenticate': 'Bearer realm="http://x/"'})},
            'login',
            "its login endpoint is 'http://x/'",
        ),
        ({'tags': Answer(500, b'no disk')}, 'pull', 'HTTP 500 no disk'),
        ({'tags': Answer(200, b'[]')}, 'pull', 'no JSON object'),
        ({'tags': Answer(200, b'{"tags": []}')}, 'pull', 'nothing to pull'),
        (
            {'manifest': Answer(200, b'{"manifests": [1, {"digest": "sha256:00"}], "annotations": []}')},
            'pull',
            'without blobs',
        ),
        ({'manifest': Answer(200, b'{"layers": [1, {"digest": 2}], "config": "x"}')}, 'pull', 'without blobs'),
        ({'manifest': Answer(404)}, 'pull', 'listed but cannot be had'),
        ({'manifest': Answer(200, b'{}')}, 'pull', 'manifest without blobs'),
        ({'manifest': Answer(200, MANIFEST)}, 'pull', 'got other content than stored'),
        ({'manifest': Answer(200, MANIFEST), 'blob': Answer(404)}, 'pull', 'HTTP 404'),
        ({'upload': Answer(403, b'denied')}, 'push', 'was refused'),
        ({'upload': Answer(500, b'full')}, 'push', 'HTTP 500 full'),
        ({'upload': Answer(200)}, 'push', '202 is missing'),
    ],
)
def test_what_does_not_work_is_one_line(tmp_path: Path, answers: dict[str, Answer], check: str, says: str) -> None:
    with serve(tmp_path, unwell(**answers)) as server:
        code, found = look(server, **ROBOT)

    assert code == 1
    assert found[check]['ok'] is False
    assert says in str(found[check]['text'])


def test_a_certificate_that_has_ended_and_an_absent_registry_are_told(tmp_path: Path) -> None:
    with serve(tmp_path, unwell(), hours=-1) as server:
        code, found = look(server)
    assert code == 1
    assert 'certificate has expired' in str(found['answer']['text'])

    code, found = look(Server(f'{ADDRESS}:{free_port()}', server.ca, []))
    assert code == 1
    assert 'cannot reach registry' in str(found['answer']['text'])


def listed(tmp_path: Path, *entries: dict[str, object]) -> Path:
    text = '\n'.join('[[artifact]]\n' + '\n'.join(f'{k} = {json.dumps(v)}' for k, v in e.items()) for e in entries)
    (tmp_path / 'artifacts.toml').write_text(text)
    return tmp_path / 'artifacts.toml'


def check_artifacts(registry: Registry, path: Path, *words: str) -> tuple[int, list[dict[str, object]]]:
    done: subprocess.CompletedProcess[str] = scs_ci(
        'registry', 'check', '--artifacts', path, '--ca', registry.ca, '--json', *words
    )
    return done.returncode, json.loads(done.stdout)['checks']


def test_artifacts_are_told_with_their_age_and_digest(harbor: Registry, tmp_path: Path) -> None:
    found = Repository(f'{harbor.host}/{PATH}', harbor.ca).manifest('1.0.0')
    assert found is not None
    here = {'name': 'x', 'repository': f'{harbor.host}/{PATH}'}

    code, looks = check_artifacts(harbor, listed(tmp_path, here, {**here, 'tag': '1.0.0', 'digest': found[1]}))

    assert code == 0
    facts = looks[0]['facts']
    assert isinstance(facts, dict)
    assert facts['digest'] == found[1]
    assert facts['days'] > 2000


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        ({'tag': '2.0.0'}, 'there is no tag 2.0.0'),
        ({'repository': 'kaas/absent'}, 'no such repository'),
        ({'most_days': 30}, 'days old, wanted at most 30'),
        ({'digest': 'sha256:00'}, 'wanted sha256:00'),
    ],
)
def test_artifacts_that_are_not_as_they_should_be_are_problems(
    harbor: Registry, tmp_path: Path, entry: dict[str, object], says: str
) -> None:
    place = f'{harbor.host}/{entry.get("repository", PATH)}'

    code, looks = check_artifacts(harbor, listed(tmp_path, {'name': 'x', **entry, 'repository': place}))

    assert code == 1
    assert says in str(looks[0]['text'])


def test_the_age_of_images_is_that_of_their_configuration(tmp_path: Path) -> None:
    config = b'{"created": "2020-01-01T00:00:00Z"}'
    digest = f'sha256:{hashlib.sha256(config).hexdigest()}'
    image = json.dumps({'config': {'digest': digest, 'size': len(config)}, 'layers': []}).encode()

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith('manifests/1.0.0'):
            return Answer(200, json.dumps({'manifests': [{'digest': 'sha256:11'}]}).encode())
        return Answer(200, image if 'manifests/' in asked.path else config if 'blobs/' in asked.path else b'{}')

    with serve(tmp_path, answer) as server:
        entry = {'name': 'x', 'repository': f'{server.host}/a/b', 'tag': '1.0.0'}
        code, looks = check_artifacts(Registry(server.host, server.ca), listed(tmp_path, entry))

    assert code == 0
    facts = looks[0]['facts']
    assert isinstance(facts, dict)
    assert facts['days'] > 2000


def test_nothing_to_check_and_bad_references_are_usage() -> None:
    assert scs_ci('registry', 'check').returncode == 2
    assert scs_ci('registry', 'check', 'host').returncode == 2
    assert scs_ci('registry', 'check', '--artifacts', '/nonexistent').returncode == 2
