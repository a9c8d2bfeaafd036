"""The commands of `scs-ci release` as a user calls them, with the real git, helm and registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from registry_servers import stalling
from stack_tools import EXAMPLE, ROOT, Registry, content, csctl, scs_ci
from stack_tools import registry as start_registry

from scs_ci.stack.registry import Credentials, Repository

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
VALUES = f'{STACK}/cluster-addon/ccm/values.yaml'
CLASS = f'{STACK}/cluster-class/templates'
# password `pa$$word`, bcrypt with few rounds
ACCOUNT = 'robot$ci:$2a$04$iL7Q7joxgMaYZODsLm6/Deuie3N/39JcsyPNb23pU.MCCYWjdtWGK\n'
ROBOT = {'OCI_USERNAME': 'robot$ci', 'OCI_PASSWORD': 'pa$$word'}
KILL_SECONDS = 60


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / 'checkout'))


def build(checkout: Path, output: Path, tools: Path, *words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, results and messages of a build."""
    done = scs_ci('release', 'build', checkout, '--output', output, '--tools', tools, '--json', *words)
    return done.returncode, json.loads(done.stdout or '[]'), done.stderr


def one(checkout: Path, output: Path, tools: Path, *words: str | Path) -> Path:
    """The directory of the only release that is built."""
    code, results, messages = build(checkout, output, tools, *words)
    assert code == 0, messages
    return Path(results[0]['directory'])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def committed(directory: Path) -> None:
    identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.org']
    for words in (['init', '-q'], ['add', '-A'], [*identity, 'commit', '-qm', 'x']):
        subprocess.run(['git', '-C', directory, *words], check=True, capture_output=True, timeout=60)


def test_releases_are_built_by_hash_and_as_told(checkout: Path, tools: Path, tmp_path: Path) -> None:
    by_hash = one(checkout, tmp_path / 'out', tools)
    assert content(by_hash) == content(csctl(tools, checkout / STACK, tmp_path))

    beta = one(checkout, tmp_path / 'out', tools, '--mode', 'custom', '--cluster-stack-version', 'v2-beta.1')
    assert beta.name == 'openstack-example-1-34-v2-beta-1'
    assert 'clusterAddon: v2-beta.1' in (beta / 'metadata.yaml').read_text()
    done = scs_ci('release', 'build', checkout / STACK, '--output', tmp_path / 'alone', '--tools', tools)
    assert done.stdout == f'{by_hash.name} in {tmp_path}/alone/{by_hash.name}\n'


def test_options_that_do_not_fit_are_usage(checkout: Path, tools: Path, tmp_path: Path) -> None:
    for words, says in (
        (['--mode', 'custom'], 'cluster-stack-version'),
        (['--mode', 'custom', '--cluster-addon-version', 'v1'], 'the version of the stack is missing'),
        (['--cluster-stack-version', 'v1'], 'it is hash'),
        (['--mode', 'custom', '--cluster-stack-version', 'v1.2'], 'cannot release'),
        (['--mode', 'stable'], 'the release before is not named'),
        (['--registry', 'host/a'], 'has none before'),
        (['--mode', 'stable', '--previous', 'nowhere'], 'neither a directory'),
        (['--stack', 'absent'], 'cannot find stack'),
        (['--clean', 'refuse'], 'cannot take the committed files'),
    ):
        code, _, messages = build(checkout, tmp_path / 'out', tools, *words)
        assert (code, says in messages) == (2, True), messages
    code, _, messages = build(checkout, checkout / STACK / 'out', tools)
    assert (code, 'inside of the stack' in messages) == (2, True), messages
    assert not (tmp_path / 'out').exists()


def test_one_stack_that_cannot_be_released_does_not_keep_others(checkout: Path, tools: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(checkout / STACK, checkout / 'providers/openstack/broken')
    edit(Path(broken) / 'csctl.yaml', 'clusterStackName: example', 'clusterStackName: with-dash')

    code, results, messages = build(checkout, tmp_path / 'out', tools)

    assert code == 1
    assert 'has a dash' in messages
    assert [r['subject'] for r in results if 'problem' in r] == ['providers/openstack/broken']
    assert {r.get('tag', r.get('problem', {}).get('verdict', ''))[:17] for r in results} == {
        'product',
        'openstack-example',
    }


def test_files_that_are_not_committed_are_refused_or_left_out(checkout: Path, tools: Path, tmp_path: Path) -> None:
    (checkout / '.gitignore').write_text('*.orig\n')
    (checkout / STACK / 'link').symlink_to('csctl.yaml')
    committed(checkout)
    clean = one(checkout, tmp_path / 'clean', tools)
    for words in (['--clean', 'refuse'], ['--clean', 'export']):
        assert content(one(checkout, tmp_path / words[1], tools, *words)) == content(clean)

    (checkout / STACK / 'cluster-addon/cni/old.orig').write_text('ignored by Git, packed by csctl')
    edit(checkout / VALUES, 'openstack-ccm:', '# changed\nopenstack-ccm:')
    (checkout / STACK / 'link').unlink()

    assert content(one(checkout, tmp_path / 'dirty', tools)) != content(clean)
    code, results, messages = build(checkout, tmp_path / 'refused', tools, '--clean', 'refuse')
    assert code == 1
    assert results[0]['problem']['verdict'] == 'dirty'
    for part in ('cluster-addon/ccm/values.yaml differs', 'cni/old.orig is not committed', 'link is missing'):
        assert part in messages
    assert not (tmp_path / 'refused').exists()
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob('*')}
    assert content(one(checkout, tmp_path / 'export', tools, '--clean', 'export')) == content(clean)
    below = one(checkout / 'providers', tmp_path / 'below', tools, '--clean', 'export')
    assert content(below) == content(clean)
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob('*')} == before


def test_a_stack_that_is_not_committed_is_not_released_clean(checkout: Path, tools: Path, tmp_path: Path) -> None:
    committed(checkout)
    shutil.copytree(checkout / STACK, checkout / 'providers/openstack/other')

    code, results, messages = build(checkout, tmp_path / 'out', tools, '--stack', '*/other', '--clean', 'export')

    assert (code, results[0]['problem']['verdict']) == (1, 'dirty')
    assert 'nothing of it is committed' in messages


def test_stable_releases_count_up_what_changed(checkout: Path, tools: Path, tmp_path: Path, registry: Registry) -> None:
    place = ['--registry', f'{registry.host}/kaas/counting', '--ca', registry.ca]
    stable = ['--mode', 'stable', *place]
    first = one(checkout, tmp_path / 'out', tools, *stable)
    assert first.name == 'openstack-example-1-34-v1'
    done = scs_ci('release', 'publish', first, *place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'{registry.host}/kaas/counting:openstack-example-1-34-v1@sha256:')

    code, results, _ = build(checkout, tmp_path / 'again', tools, *stable)
    assert (code, results[0]['problem']['verdict']) == (1, 'unchanged')

    # csctl calls a change of the class alone no change
    (checkout / CLASS / 'notes.yaml').write_text('# nothing\n')
    second = one(checkout, tmp_path / 'out', tools, *stable)
    assert second.name == 'openstack-example-1-34-v2'
    metadata = (second / 'metadata.yaml').read_text()
    assert 'clusterStack: v2' in metadata
    assert 'clusterAddon: v1' in metadata
    assert one(checkout, tmp_path / 'other', tools, '--mode', 'stable', '--previous', first).name == second.name


def test_a_release_is_published_once_by_a_robot_with_dollar_signs(checkout: Path, tools: Path, tmp_path: Path) -> None:
    first = one(checkout, tmp_path / 'out', tools)
    place = tmp_path / 'registry'
    place.mkdir()
    with start_registry(tools / 'bin/registry', place, ACCOUNT) as closed:
        words = ['release', 'publish', first, '--registry', f'{closed.host}/kaas/robots', '--ca', closed.ca, '--json']
        anonymous, wrong = scs_ci(*words), scs_ci(*words, OCI_USERNAME='robot$ci', OCI_PASSWORD='secret-of-robot')
        new, same = scs_ci(*words, **ROBOT), scs_ci(*words, **ROBOT)
        edit(first / 'hashes.json', '"clusterStack": "', '"clusterStack": "x')
        other = scs_ci(*words, **ROBOT)
        edit(first / 'metadata.yaml', 'v1.34.', 'v1.33.')
        broken = scs_ci(*words, **ROBOT)

    assert [done.returncode for done in (anonymous, wrong, new, same, other, broken)] == [3, 3, 0, 0, 1, 1]
    results = [json.loads(done.stdout)[0] for done in (anonymous, wrong, new, same, other, broken)]
    assert [r['problem']['verdict'] for r in results if 'problem' in r] == [
        'credential',
        'credential',
        'tag-taken',
        'product',
    ]
    assert (results[2]['new'], results[3]['new']) == (True, False)
    assert results[2]['digest'] == results[3]['digest']
    assert 'hashes.json differ' in other.stderr
    assert 'secret-of-robot' not in wrong.stdout + wrong.stderr


@pytest.mark.parametrize('most', [3000, 6000, 12000])
def test_a_push_that_is_killed_leaves_no_tag_and_no_file(
    checkout: Path, tools: Path, tmp_path: Path, registry: Registry, most: int
) -> None:
    release = one(checkout, tmp_path / 'out', tools)
    path = f'kaas/killed-{most}'
    with stalling(registry.host, most) as way:
        argv = [sys.executable, '-m', 'scs_ci', 'release', 'publish', release, '--ca', registry.ca]
        temporary = tmp_path / 'temporary'
        temporary.mkdir()
        environment = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils'), 'TMPDIR': str(temporary)}
        child = subprocess.Popen([*argv, '--registry', f'{way.host}/{path}'], env=environment)
        try:
            assert way.stalled.wait(KILL_SECONDS)
            assert child.poll() is None
        finally:
            child.kill()
            child.wait()

    assert list(temporary.iterdir()) == []
    assert Repository(f'{registry.host}/{path}', registry.ca).manifest(release.name) is None
    done = scs_ci('release', 'publish', release, '--registry', f'{registry.host}/{path}', '--ca', registry.ca, '--json')
    assert json.loads(done.stdout)[0]['new'] is True


def test_releases_are_listed_among_other_things(
    checkout: Path, tools: Path, tmp_path: Path, registry: Registry
) -> None:
    place = f'{registry.host}/kaas/listed'
    versions = ('v10', 'v9', 'v1-beta.1')
    custom = [['--mode', 'custom', '--cluster-stack-version', version] for version in versions]
    built = [one(checkout, tmp_path / 'out', tools, *words) for words in custom]
    assert scs_ci('release', 'publish', *built, '--registry', place, '--ca', registry.ca).returncode == 0
    repository = Repository(place, registry.ca, Credentials())
    # an older builder's, without annotations; one that is none; a tag of something else
    found = repository.manifest(built[0].name)
    assert found is not None
    repository.push_manifest('openstack-example-1-34-v11', {k: v for k, v in found[0].items() if k != 'annotations'})
    repository.push_manifest('openstack-example-1-34-v12', {**found[0], 'annotations': {}, 'layers': []})
    repository.push_manifest('latest', found[0])

    done = scs_ci('release', 'list', place, '--ca', registry.ca, '--json')

    assert done.returncode == 3
    listed = json.loads(done.stdout)
    releases = {r['tag'].removeprefix('openstack-example-1-34-'): r for r in listed['releases']}
    assert list(releases) == ['v1-beta-1', 'v9', 'v10', 'v11', 'v12']
    assert listed['other_tags'] == ['latest']
    assert 'has no metadata.yaml' in releases['v12']['problem']
    kubernetes = {r['kubernetes'] for tag, r in releases.items() if tag != 'v12'}
    assert len(kubernetes) == 1
    assert kubernetes.pop().startswith('v1.34.')
    assert releases['v10']['created']
    assert releases['v10']['hash'] == releases['v11']['hash']
    text = scs_ci('release', 'list', place, '--ca', registry.ca, '--tag', '*-v9').stdout.splitlines()
    assert [line.split()[0] for line in text] == ['TAG', 'openstack-example-1-34-v9', '1']
    empty = scs_ci('release', 'list', f'{registry.host}/kaas/absent', '--ca', registry.ca)
    assert (empty.returncode, empty.stdout) == (0, 'no release\n')


def diff(tools: Path, before: str | Path, after: str | Path, *words: str | Path) -> dict[str, Any]:
    done = scs_ci('release', 'diff', before, after, '--tools', tools, '--offline', '--json', *words)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_releases_of_one_stack_do_not_differ_but_in_their_version(
    checkout: Path, tools: Path, tmp_path: Path, registry: Registry
) -> None:
    ours, theirs = one(checkout, tmp_path / 'out', tools), csctl(tools, checkout / STACK, tmp_path)
    stable = one(checkout, tmp_path / 'out', tools, '--mode', 'custom', '--cluster-stack-version', 'v2')
    place = f'{registry.host}/kaas/compared'
    assert scs_ci('release', 'publish', ours, '--registry', place, '--ca', registry.ca).returncode == 0
    packed = shutil.make_archive(str(tmp_path / 'packed'), 'gztar', tmp_path / 'out', stable.name)

    for other in (theirs, f'{place}:{ours.name}'):
        found = diff(tools, ours, other, '--ca', registry.ca)
        assert all(found[part] == [] for part in ('versions', 'objects', 'values', 'images', 'incomplete')), found
    found = diff(tools, ours, packed)
    assert {change['place'] for change in found['versions']} == {'clusterStack', 'clusterAddon', 'nodeImage'}
    assert [found[part] for part in ('objects', 'values', 'images', 'incomplete')] == [[], [], [], []], found
    same = scs_ci('release', 'diff', ours, theirs, '--tools', tools, '--offline', '--exit-code')
    assert (same.returncode, same.stdout) == (0, 'no difference\n')


def test_what_a_change_means_for_clusters_is_told(checkout: Path, tools: Path, tmp_path: Path) -> None:
    before = one(checkout, tmp_path / 'out', tools)
    edit(checkout / VALUES, 'cloud: openstack', 'cloud: other')
    (checkout / STACK / 'cluster-addon/cni/templates').mkdir(exist_ok=True)
    pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: new}\nspec: {containers: [{name: a, image: host/b/c:1.2}]}\n'
    (checkout / STACK / 'cluster-addon/cni/templates/pod.yaml').write_text(pod)
    edit(checkout / STACK / 'clusteraddon.yaml', 'action: apply', 'action: delete')
    after = one(checkout, tmp_path / 'out', tools)

    found = diff(tools, before, after)

    assert any(c['place'].startswith('stage ') and c['after'].startswith('delete') for c in found['versions'])
    assert {'what': 'added', 'subject': 'Pod new', 'place': '', 'before': '', 'after': ''} in found['objects']
    assert [(c['place'], c['before'], c['after']) for c in found['values']] == [
        ('openstack-ccm.cloud', 'openstack', 'other')
    ]
    assert [(c['what'], c['after']) for c in found['images']] == [('added', 'host/b/c:1.2')]
    words = ['release', 'diff', before, after, '--tools', tools, '--offline']
    text = scs_ci(*words, '--exit-code')
    assert text.returncode == 1
    assert '  + Pod new\n' in text.stdout
    assert "openstack-ccm.cloud: 'openstack' -> 'other'" in text.stdout


def test_a_chart_that_is_not_to_be_had_is_not_passed_over(checkout: Path, tools: Path, tmp_path: Path) -> None:
    before = one(checkout, tmp_path / 'out', tools)
    meta = checkout / STACK / 'cluster-addon/cni/Chart.yaml'
    meta.write_text(
        meta.read_text().split('dependencies:')[0]
        + ('dependencies:\n  - {name: absent, version: 1.0.0, repository: "https://charts.invalid/x"}\n')
    )
    after = one(checkout, tmp_path / 'out', tools)
    (tmp_path / 'charts').mkdir()

    done = scs_ci('release', 'diff', before, after, '--tools', tools, '--charts', tmp_path / 'charts')

    assert done.returncode == 3
    assert 'cluster-addon/cni is not rendered: cannot find chart absent 1.0.0' in done.stdout
    assert diff(tools, before, after)['incomplete']
