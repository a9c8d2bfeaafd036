"""What a repository says and how it fails: a real registry with tokens, and servers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_servers import ACCOUNT, Answer, Asked, Server, login_endpoint, serve, token_auth
from stack_tools import Registry
from stack_tools import registry as start_registry

from scs_ci.core.errors import CredentialProblem, InfrastructureProblem
from scs_ci.stack.publish import publish
from scs_ci.stack.registry import Credentials, Repository

pytestmark = pytest.mark.integration
FILES = {'metadata.yaml': b'versions: {}\n', 'hashes.json': b'{}'}
ROBOT = Credentials(*ACCOUNT)


@pytest.fixture(scope='module')
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with login_endpoint(tmp_path_factory.mktemp('login')) as running:
        yield running


@pytest.fixture(scope='module')
def harbor(tools: Path, endpoint: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that everybody may pull from, with tokens; its CA file also trusts the login endpoint."""
    place = tmp_path_factory.mktemp('harbor')
    with start_registry(tools / 'bin/registry', place, auth=token_auth(endpoint), hours=2400) as running:
        both = place / 'both.crt'
        both.write_bytes(running.ca.read_bytes() + endpoint.ca.read_bytes())
        yield Registry(running.host, both)


def test_a_release_is_pushed_where_pull_and_push_want_tokens_of_their_own(harbor: Registry) -> None:
    reference = f'{harbor.host}/kaas/cluster-stacks'

    assert publish(FILES, 'tag', {}, Repository(reference, harbor.ca, ROBOT)).new
    assert not publish(FILES, 'tag', {}, Repository(reference, harbor.ca, ROBOT)).new
    anonymous = Repository(reference, harbor.ca)
    assert anonymous.tags() == ('tag',)
    assert anonymous.manifest('tag') is not None
    with pytest.raises(CredentialProblem):
        publish(FILES, 'other', {}, anonymous)
    assert anonymous.manifest('other') is None


def test_whether_a_push_would_be_accepted_is_seen_without_one(harbor: Registry, registry: Registry) -> None:
    assert Repository(f'{registry.host}/kaas/tried', registry.ca).try_upload() == ''
    assert Repository(f'{registry.host}/kaas/tried', registry.ca).tags() == ()
    assert Repository(f'{harbor.host}/kaas/tried', harbor.ca, ROBOT).try_upload() == ''
    for credentials in (Credentials(), Credentials(ACCOUNT[0], 'wrong')):
        with pytest.raises(CredentialProblem):
            Repository(f'{harbor.host}/kaas/tried', harbor.ca, credentials).try_upload()


def test_all_pages_of_tags_are_read(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(f'{registry.host}/kaas/pages', registry.ca)
    tags = [f'tag-{number}' for number in range(5)]
    for tag in tags:
        publish(FILES, tag, {}, repository)

    monkeypatch.setattr('scs_ci.stack.registry.PAGE', 2)

    assert repository.tags() == tuple(tags)


@pytest.mark.parametrize(
    ('answer', 'says'),
    [
        (Answer(200, b'<html>a parked domain</html>'), 'no JSON object but'),
        (Answer(200, b'[]'), 'no JSON object but'),
        (Answer(500, b'out of order'), 'HTTP 500 out of order'),
        (Answer(200, b'{}', {'Content-Length': '2000000'}), 'cannot reach'),
        (Answer(200, b'{"x": "' + b'0' * (5 << 20) + b'"}'), 'more than 4 MiB'),
    ],
)
def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path, answer: Answer, says: str) -> None:
    # the connection is closed after each answer, or a promise of more would be waited for
    closing = Answer(answer.status, answer.body, {**answer.headers, 'Connection': 'close'})
    with serve(tmp_path, lambda asked: closing) as server:
        repository = Repository(f'{server.host}/a/b', server.ca)
        with pytest.raises(InfrastructureProblem, match=says):
            repository.manifest('tag')
        with pytest.raises(InfrastructureProblem, match=says):
            repository.tags()


def test_an_upload_that_cannot_begin_is_no_matter_of_the_login(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        statuses = {'POST': 500, 'HEAD': 404}
        return Answer(statuses.get(asked.method, 404 if 'manifests' in asked.path else 200), b'{"disk": "full"}')

    with serve(tmp_path, answer) as server:
        repository = Repository(f'{server.host}/a/b', server.ca)
        with pytest.raises(InfrastructureProblem, match='HTTP 500') as caught:
            publish(FILES, 'tag', {}, repository)
        assert not isinstance(caught.value, CredentialProblem)
        with pytest.raises(InfrastructureProblem, match='HTTP 500'):
            repository.try_upload()


@pytest.mark.parametrize(
    ('opened', 'cancelled', 'says'),
    [
        (Answer(202, headers={'Location': '/v2/a/b/blobs/uploads/1'}), 405, 'HTTP 405 to its deletion'),
        (Answer(202, headers={'Location': 'https://other.invalid/1'}), 204, 'at another host, other.invalid'),
    ],
)
def test_an_upload_session_that_stays_is_told(tmp_path: Path, opened: Answer, cancelled: int, says: str) -> None:
    def answer(asked: Asked) -> Answer:
        return {'POST': opened, 'DELETE': Answer(cancelled)}.get(asked.method, Answer(200, b'{}'))

    with serve(tmp_path, answer) as server:
        assert says in Repository(f'{server.host}/a/b', server.ca).try_upload()
