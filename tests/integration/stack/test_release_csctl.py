"""Our releases are those of the real csctl: hashes, metadata and files, in every mode, over generated stacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stack_tools import EXAMPLE, Registry, content, csctl
from stack_tools import registry as start_registry

from scs_ci.stack import discover, modes
from scs_ci.stack.build import build, node_images
from scs_ci.stack.content import from_directory
from scs_ci.stack.discover import Place
from scs_ci.stack.helm import Helm
from scs_ci.stack.manifest import CREATED, TITLE
from scs_ci.stack.publish import publish
from scs_ci.stack.pulling import pull
from scs_ci.stack.registry import Credentials, Repository
from scs_ci.stack.releases import listed
from scs_ci.stack.rule import BASE
from scs_ci.stack.treehash import SUFFIX, hashes

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/demo'
# Stacks that are made for csctl and for us; HYPOTHESIS_EXAMPLES=1000 is a long run.
EXAMPLES = int(os.environ.get('HYPOTHESIS_EXAMPLES', '25'))
# password `pa$$word`, bcrypt with few rounds
ACCOUNT = 'robot$ci:$2a$04$iL7Q7joxgMaYZODsLm6/Deuie3N/39JcsyPNb23pU.MCCYWjdtWGK\n'
ROBOT = Credentials('robot$ci', 'pa$$word')

# Hidden ones begin with a dot; csctl and helm give names of dots alone another meaning.
NAMES = st.text(alphabet=st.sampled_from('aZ0._- äß€𝄞'), min_size=1, max_size=6).filter(
    lambda name: name.strip('.') != ''
)
DEEP = st.lists(NAMES, min_size=1, max_size=12).map('/'.join)
PARTS = st.sampled_from(['', 'cluster-class/', 'cluster-class/templates/', 'cluster-addon/', 'cluster-addon/cni/'])
PATHS = st.builds(str.__add__, PARTS, DEEP)
CONTENTS = st.sampled_from(
    [
        b'',
        b'x\n',
        b'a\r\nb\r\n',
        b'\0\xff',
        '# ü\n'.encode(),
        b'v: << .ClusterClassVersion >>/<< .ClusterAddonVersion >>/<< .NodeImageVersion >>\n',
        b'cat <<EOF\n<<.ClusterClassVersion>>\nEOF\n',
    ]
)
FILES = st.dictionaries(PATHS, CONTENTS, max_size=8)
LINKS = st.dictionaries(PATHS, st.sampled_from(['csctl.yaml', 'cluster-class/Chart.yaml']), max_size=2)
OLD = {
    'cluster-addon/Chart.yaml': 'apiVersion: v2\nname: openstack-demo-1-34-cluster-addon\nversion: v1\n',
    'cluster-addon-values.yaml': 'values: |\n  version: << .ClusterAddonVersion >>\n',
}


def make(stack: Path, more: dict[str, bytes], links: dict[str, str], old: bool = False) -> None:
    """A stack on disk, of the older convention or of today's; what would be in the way of something is left out."""
    shutil.rmtree(stack, ignore_errors=True)
    base = {**{n: t for n, t in BASE.items() if n != 'clusteraddon.yaml'}, **OLD} if old else dict(BASE)
    for name, data in {**{n: t.encode() for n, t in base.items()}, **more}.items():
        if free(stack, name):
            (stack / name).write_bytes(data)
    for name, target in links.items():
        if free(stack, name):
            (stack / name).symlink_to(os.path.relpath(stack / target, (stack / name).parent))


def free(stack: Path, name: str) -> bool:
    path = stack / name
    if os.path.lexists(path) or any(p.is_file() or p.is_symlink() for p in path.parents if p != stack):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    return True


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(FILES, LINKS, st.booleans())
def test_releases_are_csctls_for_any_files(
    tools: Path, helm: Helm, tmp_path: Path, more: dict[str, bytes], links: dict[str, str], old: bool
) -> None:
    shutil.rmtree(tmp_path)
    make(tmp_path / STACK, more, links, old)

    ours = build(discover.load(tmp_path, Place(STACK, 'A')), tmp_path / 'ours', helm)

    theirs = csctl(tools, tmp_path / STACK, tmp_path)
    assert ours.directory.name == theirs.name
    assert content(ours.directory) == content(theirs)


@pytest.mark.parametrize('old', [False, True])
def test_custom_versions_give_csctls_release(tools: Path, helm: Helm, tmp_path: Path, old: bool) -> None:
    make(tmp_path / STACK, {'cluster-addon/x': b'<< .ClusterAddonVersion >>'}, {}, old)
    versions = ('v3-beta.2', 'v7', 'v5-rc.a1')

    ours = build(discover.load(tmp_path, Place(STACK, 'A')), tmp_path / 'ours', helm, modes.custom(*versions))

    names = ('cluster-stack', 'cluster-addon', 'node-image')
    words = [f'--{name}-version={version}' for name, version in zip(names, versions, strict=True)]
    theirs = csctl(tools, tmp_path / STACK, tmp_path, '-m', 'custom', *words)
    assert ours.directory.name == theirs.name
    assert content(ours.directory) == content(theirs)


@pytest.fixture
def closed(tools: Path, tmp_path: Path) -> Iterator[Registry]:
    place = tmp_path / 'registry'
    place.mkdir()
    with start_registry(tools / 'bin/registry', place, ACCOUNT) as running:
        yield running


def remote(registry: Registry, path: str) -> dict[str, str]:
    """What csctl wants to know of a registry."""
    account = {'OCI_USERNAME': ROBOT.user, 'OCI_PASSWORD': ROBOT.password}
    place = {'OCI_REGISTRY': registry.host, 'OCI_REPOSITORY': f'{registry.host}/{path}'}
    return {**place, **account, 'SSL_CERT_FILE': str(registry.ca)}


@pytest.mark.parametrize('changed', ['cluster-addon/cni/values.yaml', 'cluster-addon/cni/templates/x.yaml'])
def test_the_next_stable_release_is_csctls(
    tools: Path, helm: Helm, tmp_path: Path, closed: Registry, changed: str
) -> None:
    repository = Repository(f'{closed.host}/kaas/stable', closed.ca, ROBOT)
    make(tmp_path / STACK, {}, {})
    stack = discover.load(tmp_path, Place(STACK, 'A'))
    first = build(stack, tmp_path / 'ours', helm, modes.stable(hashes(stack.files), node_images(stack), None))
    assert first.tag == 'openstack-demo-1-34-v1'
    publish(from_directory(first.directory).files, first.tag, {}, repository)
    make(tmp_path / STACK, {changed: b'a: 1\n'}, {})
    stack = discover.load(tmp_path, Place(STACK, 'A'))

    before = pull(modes.newest_stable(repository.tags(), first.identity), repository)
    ours = build(stack, tmp_path / 'ours', helm, modes.stable(hashes(stack.files), node_images(stack), before))

    environment = remote(closed, 'kaas/stable')
    theirs = csctl(tools, tmp_path / STACK, tmp_path, '--remote', 'oci', environment=environment)
    assert ours.directory.name == theirs.name == 'openstack-demo-1-34-v2'
    assert content(ours.directory) == content(theirs)


def test_what_csctl_publishes_and_what_we_publish_look_alike(
    tools: Path, helm: Helm, tmp_path: Path, closed: Registry
) -> None:
    stack = discover.load(EXAMPLE, Place('providers/openstack/example', 'A'))
    ours = build(stack, tmp_path / 'ours', helm)
    repository = Repository(f'{closed.host}/kaas/ours', closed.ca, ROBOT)
    said = {
        'kubernetesVersion': str(ours.identity.kubernetes),
        'hash': ours.hashes.suffix,
        CREATED: '2026-01-01T00:00:00Z',
    }
    publish(from_directory(ours.directory).files, ours.tag, said, repository)

    words = ('-m', 'hash', '--publish', '--remote', 'oci')
    csctl(tools, EXAMPLE / stack.path, tmp_path, *words, environment=remote(closed, 'kaas/theirs'))

    other = Repository(f'{closed.host}/kaas/theirs', closed.ca, ROBOT)
    manifests = [found[0] for r in (repository, other) if (found := r.manifest(ours.tag))]
    assert len(manifests) == 2
    mine, theirs = manifests
    for key in ('schemaVersion', 'mediaType', 'artifactType', 'config'):
        assert mine[key] == theirs[key]
    assert set(mine['annotations']) == set(theirs['annotations'])
    assert mine['annotations']['hash'] == theirs['annotations']['hash'] == ours.hashes.cluster_stack[:SUFFIX]
    types = [{layer['annotations'][TITLE]: layer['mediaType'] for layer in m['layers']} for m in manifests]
    assert types[0] == types[1]
    (mine_listed,), (theirs_listed,) = listed(repository)[0], listed(other)[0]
    assert replace(mine_listed, digest='', created='') == replace(theirs_listed, digest='', created='')
    assert theirs_listed.kubernetes == str(ours.identity.kubernetes)
