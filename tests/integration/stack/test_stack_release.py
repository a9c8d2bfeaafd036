"""Releases against the real csctl, the real helm and a real registry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from stack_tools import EXAMPLE, Registry, content, csctl
from stack_tools import registry as start_registry

from scs_ci.core.errors import CredentialProblem, InfrastructureProblem, UsageProblem
from scs_ci.stack import discover
from scs_ci.stack.build import build
from scs_ci.stack.discover import Place
from scs_ci.stack.helm import Helm
from scs_ci.stack.manifest import TITLE
from scs_ci.stack.publish import TagTaken, media_type, publish, read_release
from scs_ci.stack.registry import Credentials, Repository

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
# password `pa$$word`, bcrypt with few rounds
ACCOUNT = 'robot$ci:$2a$04$iL7Q7joxgMaYZODsLm6/Deuie3N/39JcsyPNb23pU.MCCYWjdtWGK\n'


def test_the_example_is_built_as_csctl_builds_it(tools: Path, helm: Helm, tmp_path: Path) -> None:
    ours = build(discover.load(EXAMPLE, Place(STACK, 'A')), tmp_path / 'ours', helm)
    theirs = csctl(tools, EXAMPLE / STACK, tmp_path)

    assert ours.directory.name == ours.tag == theirs.name
    assert content(ours.directory) == content(theirs)


def test_builds_are_reproducible_and_leave_the_checkout_alone(helm: Helm, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / 'checkout')
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / 'checkout').rglob('*')}

    first = build(discover.load(EXAMPLE, Place(STACK, 'A')), tmp_path / 'one', helm)
    second = build(discover.load(tmp_path / 'checkout', Place(STACK, 'A')), tmp_path / 'two', helm)

    assert first.digests == second.digests
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / 'checkout').rglob('*')} == before


@pytest.fixture
def files(helm: Helm, tmp_path: Path) -> dict[str, bytes]:
    return read_release(build(discover.load(EXAMPLE, Place(STACK, 'A')), tmp_path / 'built', helm).directory)


def test_a_release_is_published_once_and_never_overwritten(files: dict[str, bytes], registry: Registry) -> None:
    repository = Repository(f'{registry.host}/kaas/once', registry.ca)

    first = publish(files, 'tag', {'kubernetesVersion': 'v1.34.10'}, repository)
    again = publish(files, 'tag', {'kubernetesVersion': 'v1.34.10'}, repository)

    assert first.new
    assert not again.new
    assert first.digest == again.digest
    with pytest.raises(TagTaken, match=r'metadata\.yaml differ'):
        publish({**files, 'metadata.yaml': b'changed'}, 'tag', {}, repository)
    found = repository.manifest('tag')
    assert found is not None
    manifest, digest = found
    assert digest == first.digest
    assert manifest['artifactType'] == 'application/vnd.scs.cluster-stacks.v1'
    assert manifest['annotations'] == {'kubernetesVersion': 'v1.34.10'}
    assert {layer['annotations'][TITLE]: layer['mediaType'] for layer in manifest['layers']} == {
        name: media_type(name) for name in files
    }
    assert media_type('a-cluster-class-v1.tgz') == 'application/vnd.scs.cluster-class.v1.tar+gzip'


def test_an_interrupted_push_leaves_no_tag(
    files: dict[str, bytes], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(f'{registry.host}/kaas/interrupted', registry.ca)
    pushed: list[bytes] = []

    def push(content: bytes, kind: str) -> dict[str, object]:
        pushed.append(content)
        if len(pushed) == 3:
            raise KeyboardInterrupt
        return Repository.push_blob(repository, content, kind)

    monkeypatch.setattr(repository, 'push_blob', push)
    with pytest.raises(KeyboardInterrupt):
        publish(files, 'tag', {}, repository)

    assert repository.manifest('tag') is None


def test_a_robot_with_dollar_signs_logs_in(tools: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    with start_registry(tools / 'bin/registry', tmp_path, ACCOUNT) as closed:
        reference = f'{closed.host}/kaas/closed'
        with pytest.raises(CredentialProblem):
            publish(files, 'tag', {}, Repository(reference, closed.ca))
        with pytest.raises(CredentialProblem):
            publish(files, 'tag', {}, Repository(reference, closed.ca, Credentials('robot$ci', 'wrong')))
        account = Credentials.of({'OCI_USERNAME': 'robot$ci', 'OCI_PASSWORD': 'pa$$word'})
        assert publish(files, 'tag', {}, Repository(reference, closed.ca, account)).new
        assert 'pa$$word' not in repr(account)


def test_unreachable_and_untrusted_registries(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / 'other.crt').write_bytes(registry.ca.read_bytes())
    with pytest.raises(InfrastructureProblem, match='cannot reach registry 127.0.0.1:1'):
        Repository('127.0.0.1:1/a/b', registry.ca).manifest('x')
    with pytest.raises(InfrastructureProblem, match='cannot trust registry'):
        Repository(f'{registry.host}/a/b').manifest('x')


@pytest.mark.parametrize('reference', ['', 'host', 'host/', 'host/a:tag', 'host/a@sha256:0'])
def test_other_references_are_refused(reference: str) -> None:
    with pytest.raises(UsageProblem):
        Repository(reference)


def test_only_half_an_account_is_refused() -> None:
    with pytest.raises(UsageProblem):
        Credentials.of({'OCI_USERNAME': 'x'})


def test_hashes_json_is_json(files: dict[str, bytes]) -> None:
    assert set(json.loads(files['hashes.json'])) == {'clusterStack', 'clusterAddonDir', 'clusterAddonValues'}
