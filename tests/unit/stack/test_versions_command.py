"""scs-ci versions, as a user calls it: resolve, update in place, generate beside; all or nothing."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from stack_data import write
from versions_data import CCM, FILES, NEW_SUM, OLD_SUM, TABLE, mirror

from scs_ci.cli import main
from scs_ci.core.errors import ToolProblem, UsageProblem
from scs_ci.stack.writing import write_all, write_trees

pytestmark = pytest.mark.unit
STACK = 'providers/openstack/demo'
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    write(tmp_path / f'checkout/{STACK}', dict(FILES))
    other = {**FILES, 'csctl.yaml': FILES['csctl.yaml'].replace('openstack', 'docker')}
    write(tmp_path / 'checkout/providers/docker/demo', other)
    return tmp_path / 'checkout'


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run `scs-ci versions` with a mirror: (code, stdout, stderr)."""
    mirror(tmp_path / 'mirror', 'v1.33.4', 'v1.34.6', 'v1.34.9', released='v1.34.10')
    for name in ('SCS_CI_CHARTS', 'SCS_CI_INDEXES'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))

    def run(action: str, *words: str | Path) -> tuple[int, str, str]:
        code = main(['versions', action, *map(str, words), '--mirror', str(tmp_path / 'mirror')])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def tree(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in sorted(directory.rglob('*')) if p.is_file()}


def test_resolve_of_a_checkout(call: Call, checkout: Path) -> None:
    code, out, err = call('resolve', checkout)

    assert code == 0
    assert out.splitlines()[0] == f'{STACK}: Kubernetes v1.34, declared is v1.34.7'
    assert f'  chart {CCM} 2.34.2\n' in out
    assert 'not usable: Kubernetes v1.34.10: no node image' in out
    assert f'not usable: {CCM} 2.34.3: tagged' in out
    assert "providers/docker/demo: left out, node images of provider 'docker'" in err


def test_resolve_of_a_minor_alone_and_as_json(call: Call) -> None:
    code, out, _ = call('resolve', '--minor', '1.34', '--minor', 'newest', '--json')

    one, newest = json.loads(out)['resolutions']
    assert (code, one['kubernetes'], newest['kubernetes']) == (0, 'v1.34.9', 'v1.34.9')
    assert 'Kubernetes v1.35' in [entry['what'] for entry in newest['not_usable']]


def test_resolve_ends_with_1_when_nothing_is_usable(call: Call) -> None:
    code, out, _ = call('resolve', '--minor', '1.37')

    assert code == 1
    assert 'no usable versions of v1.37' in out


@pytest.mark.parametrize(
    ('words', 'text'),
    [
        ([], 'neither PATH nor --minor'),
        (['--minor', '1.34', '--indexes', '/nowhere'], 'correct --indexes'),
        (['/nowhere'], 'not a directory'),
    ],
)
def test_usage_of_resolve(call: Call, words: list[str], text: str) -> None:
    code, _, err = call('resolve', *words)

    assert code == 2
    assert text in err


@pytest.mark.parametrize('text', ['1.34.7', 'x', '1'])
def test_a_minor_is_a_minor(call: Call, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call('resolve', '--minor', text)
    assert 'no minor like 1.34' in capsys.readouterr().err


def test_only_stacks_of_other_providers_is_an_error(call: Call, checkout: Path) -> None:
    assert call('resolve', checkout, '--stack', 'providers/docker')[0] == 2


def test_update_writes_and_a_second_time_changes_nothing(call: Call, checkout: Path) -> None:
    before = tree(checkout / 'providers/docker')
    (checkout / STACK / 'image.yaml').chmod(0o600)

    code, out, err = call('update', checkout)

    assert (code, 'scs-ci versions: 8 files of 1 stacks changed' in err) == (0, True)
    assert '+  kubernetesVersion: "v1.34.9"   # the version\n' in out
    written = tree(checkout / STACK)
    assert OLD_SUM.encode() not in written['image.yaml']
    assert NEW_SUM.encode() in written['image.yaml']
    assert stat.S_IMODE((checkout / STACK / 'image.yaml').stat().st_mode) == 0o600
    assert tree(checkout / 'providers/docker') == before
    assert sorted(written) == sorted(FILES), 'nothing is left beside'
    assert call('update', checkout)[:2] == (0, '')
    assert tree(checkout / STACK) == written


def test_update_can_only_look(call: Call, checkout: Path) -> None:
    before = tree(checkout)

    code, out, err = call('update', checkout, '--check')

    assert (code, '8 files of 1 stacks would change' in err) == (1, True)
    assert '+version: v1.34.9\n' in out
    assert tree(checkout) == before
    call('update', checkout)
    assert call('update', checkout, '--check')[0] == 0


def test_update_as_json(call: Call, checkout: Path) -> None:
    _, out, _ = call('update', checkout, '--check', '--json')

    told = json.loads(out)
    assert (told['written'], len(told['files'])) == (False, 8)
    assert told['resolutions'][0]['kubernetes'] == 'v1.34.9'
    assert '+version: v1.34.9\n' in told['diff']


def test_update_never_goes_back(call: Call, checkout: Path) -> None:
    path = checkout / STACK / 'csctl.yaml'
    path.write_text(path.read_text().replace('v1.34.7', 'v1.34.12'))
    before = tree(checkout)

    code, _, err = call('update', checkout)

    assert code == 1
    assert 'it states Kubernetes v1.34.12: the newest usable is v1.34.9' in err
    path.write_text(FILES['csctl.yaml'])
    chart = checkout / STACK / 'cluster-addon/ccm/Chart.yaml'
    chart.write_text(chart.read_text().replace('2.34.1', '2.34.5'))
    assert f'it states {CCM} 2.34.5: the newest usable is 2.34.2' in call('update', checkout)[2]
    chart.write_text(FILES['cluster-addon/ccm/Chart.yaml'])
    assert tree(checkout) == before | {f'{STACK}/csctl.yaml': FILES['csctl.yaml'].encode()}


def test_update_to_a_minor_without_usable_versions(call: Call, checkout: Path) -> None:
    before = tree(checkout)

    code, _, err = call('update', checkout, '--minor', '1.35')

    assert code == 1
    assert 'no usable versions of v1.35' in err
    assert tree(checkout) == before


def test_one_stack_that_cannot_be_rewritten_stops_all(call: Call, checkout: Path) -> None:
    text = FILES['csctl.yaml'].replace('clusterStackName: demo', 'clusterStackName: other')
    broken = {**FILES, 'csctl.yaml': text, 'image.yaml': FILES['image.yaml'].replace('openstack-k8s', 'own')}
    write(checkout / 'providers/openstack/other', broken)
    before = tree(checkout)

    code, _, err = call('update', checkout)

    assert code == 1
    assert 'image.yaml:12' in err
    assert tree(checkout) == before


def minors(checkout: Path) -> Path:
    """Two minors of layout B with the image list that they share."""
    base = {k: v for k, v in FILES.items() if k not in ('csctl.yaml', 'versions.yaml', 'kubernetes.yaml')}
    for name, version in (('1-34', '1.34'), ('1-33', '1.33.3')):
        text = f'provider: openstack\nclusterStackName: demo\nkubernetesVersion: {version}\n'
        write(checkout / f'providers/openstack/scs/{name}', {**base, 'stack.yaml': text, 'README.md': ''})
    shared = FILES['kubernetes.yaml'].replace('v1.33.4', 'v1.33.3')
    write(checkout / 'providers/openstack/scs', {'image-manager.yaml': shared})
    return checkout / 'providers/openstack/scs'


def test_minors_that_share_an_image_list_are_updated_together(call: Call, checkout: Path) -> None:
    where = minors(checkout)

    code, _, err = call('update', checkout, '--stack', 'providers/openstack/scs')

    assert code == 0, err
    listed = (where / 'image-manager.yaml').read_text()
    assert listed.index('v1.33.3') < listed.index("'v1.33.4'") < listed.index("'v1.34.7'") < listed.index("'v1.34.9'")
    assert 'kubernetesVersion: 1.34\n' in (where / '1-34/stack.yaml').read_text(), 'a minor stays a minor'
    assert 'kubernetesVersion: 1.33.4\n' in (where / '1-33/stack.yaml').read_text()


def test_a_directory_of_one_minor_does_not_become_another(call: Call, checkout: Path) -> None:
    code, _, err = call('update', minors(checkout) / '1-33', '--minor', '1.34')

    assert code == 2
    assert 'copy the directory to 1-34' in err


def test_generate_makes_a_directory_for_each_entry(call: Call, checkout: Path, tmp_path: Path) -> None:
    output = tmp_path / 'out'

    code, out, err = call('generate', checkout / STACK, '--output', output)

    assert code == 0, err
    assert out == f'{output}/1-33: v1.33.4, written\n{output}/1-34: v1.34.7, written\n'
    made = tree(output)
    assert {path.split('/')[0] for path in made} == {'1-33', '1-34'}
    assert 'versions.yaml' not in {path.split('/', 1)[1] for path in made}
    assert b'kubernetesVersion: "v1.33.4"   # the version' in made['1-33/csctl.yaml']
    assert b'name: openstack-demo-1-33-cluster-class' in made['1-33/cluster-class/Chart.yaml']
    assert b'version: 2.33.1}' in made['1-33/cluster-addon/ccm/Chart.yaml']
    assert ('01' * 32).encode() in made['1-33/image.yaml'], 'the checksum of the list beside the stack'
    assert made['1-34/cluster-class/values.yaml'] == FILES['cluster-class/values.yaml'].encode()
    assert tree(checkout / STACK) == {name: text.encode() for name, text in FILES.items()}

    assert call('generate', checkout / STACK, '--output', output)[1].count('unchanged') == 2
    assert tree(output) == made


def test_generate_chooses_versions(call: Call, checkout: Path, tmp_path: Path) -> None:
    for wish in ('1.33', '1.33.4', 'v1.33.4'):
        assert call('generate', checkout, '--stack', STACK, '--target', wish, '--output', tmp_path / wish)[0] == 0
        assert [path.name for path in (tmp_path / wish).iterdir()] == ['1-33']


@pytest.mark.parametrize(
    ('table', 'words', 'code', 'text'),
    [
        (TABLE, ['--target', '1.3'], 2, 'has v1.33.4, v1.34.7'),
        (TABLE, ['--target', '1.34.8'], 2, 'name one of them'),
        (TABLE.replace('1.33.4', '1.33'), [], 1, 'versions.yaml:2'),
        (TABLE.replace('1.33.4', '1.34.1'), [], 1, 'line 2 has the same minor'),
        (TABLE.replace('  occm: 2.33.1\n', ''), [], 1, f'no version of {CCM} (occm or ccm)'),
        (
            TABLE + '- kubernetes: 1.36.1\n  cinder_csi: 2.36.0\n  occm: 2.36.0\n',
            [],
            1,
            'cannot generate Kubernetes v1.36.1',
        ),
        ('', [], 2, 'no versions.yaml with entries'),
    ],
)
def test_generate_makes_all_or_nothing(
    call: Call, checkout: Path, tmp_path: Path, table: str, words: list[str], code: int, text: str
) -> None:
    (checkout / STACK / 'versions.yaml').write_text(table)

    got, _, err = call('generate', checkout / STACK, '--output', tmp_path / 'out', *words)

    assert (got, text in err) == (code, True), err
    assert not (tmp_path / 'out').exists()


def test_generate_replaces_only_when_told(call: Call, checkout: Path, tmp_path: Path) -> None:
    output = write(tmp_path / 'out', {'1-33/mine': 'x', 'other/mine': 'x'})

    code, _, err = call('generate', checkout / STACK, '--output', output)

    assert (code, '1-33 is there with another content' in err) == (2, True)
    assert sorted(tree(output)) == ['1-33/mine', 'other/mine']
    assert call('generate', checkout / STACK, '--output', output, '--replace')[0] == 0
    assert '1-33/mine' not in tree(output)
    assert 'other/mine' in tree(output)


def test_generate_of_several_stacks_is_a_question(call: Call, checkout: Path, tmp_path: Path) -> None:
    assert 'choose one with --stack' in call('generate', checkout, '--output', tmp_path / 'out')[2]


def test_files_are_written_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {'a': 'old', 'b': 'old', 'c': 'old'})
    before = tree(tmp_path)
    wanted = {tmp_path / 'a': b'new', tmp_path / 'b': None, tmp_path / 'new/d': b'new', tmp_path / 'c': b'new'}
    replace, done = Path.replace, []

    def full(path: Path, target: Path) -> Path:
        done.append(target)
        if target.name == 'c' and done.count(target) == 1:
            raise OSError(28, 'No space left on device', str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, 'replace', full)
    with pytest.raises(ToolProblem, match='No space left'):
        write_all(wanted)
    assert tree(tmp_path) == before

    monkeypatch.undo()
    write_all(wanted)
    assert tree(tmp_path) == {'a': b'new', 'c': b'new', 'new/d': b'new'}


def test_links_are_not_written_through(tmp_path: Path) -> None:
    write(tmp_path, {'a': 'old', 'b': 'old'})
    (tmp_path / 'link').symlink_to('a')

    with pytest.raises(UsageProblem, match='it is a link'):
        write_all({tmp_path / 'b': b'new', tmp_path / 'link': b'new'})
    assert tree(tmp_path) == {'a': b'old', 'b': b'old', 'link': b'old'}


def test_directories_are_exchanged_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {'one/a': 'old', 'two/a': 'old'})
    before = tree(tmp_path)
    rename = Path.rename

    def broken(path: Path, target: Path) -> Path:
        if target == tmp_path / 'two' and 'new' in path.parts:
            raise OSError(5, 'Input/output error', str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, 'rename', broken)
    trees = {'three': {'a': b'new'}, 'one': {'b/c': b'new'}, 'two': {'a': b'new'}}
    with pytest.raises(ToolProblem, match='Input/output error'):
        write_trees(tmp_path, trees)
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ['one', 'two']

    monkeypatch.undo()
    write_trees(tmp_path, trees)
    assert tree(tmp_path) == {'one/b/c': b'new', 'three/a': b'new', 'two/a': b'new'}
