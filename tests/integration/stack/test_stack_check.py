"""The check with the real helm: the example stack, broken copies of it, mirrors, and the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from stack_tools import EXAMPLE, ROOT, Registry, scs_ci

from scs_ci.core.outcome import Outcome
from scs_ci.core.records import Severity
from scs_ci.core.run import RunDirectory
from scs_ci.stack import archive, discover
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.check import run_rules
from scs_ci.stack.discover import Place
from scs_ci.stack.helm import Helm
from scs_ci.stack.overwrite import render
from scs_ci.stack.render import render_stack
from scs_ci.stack.samples import cluster_objects
from scs_ci.stack.treehash import hashes

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
PLACE = Place(STACK, 'A')


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / 'checkout'))


def edit(checkout: Path, file: str, old: str, new: str) -> int:
    """Replace text in a file of the stack; returns the line where it stood."""
    path = checkout / STACK / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count('\n') + 1


def test_the_example_has_no_finding(helm: Helm, tmp_path: Path) -> None:
    stack = render_stack(discover.load(EXAMPLE, PLACE), helm, ChartSource(tmp_path))

    assert run_rules(stack) == ()
    assert [(r.chart, bool(r.parts), r.error) for r in stack.renderings] == [
        ('cluster-class', True, ''),
        ('cluster-addon/ccm', True, ''),
        ('cluster-addon/cni', True, ''),
    ]
    printed = '\n'.join(part.text for r in stack.renderings for part in r.parts)
    assert '--cluster-name=sample-one' in printed
    assert '"Network": "172.16.0.0/16"' in printed
    assert f'openstack-example-1-34-v0-sha.{hashes(stack.files).suffix}' in printed


@pytest.mark.parametrize('chart', ['flannel', 'openstack-ccm'])
def test_the_packed_charts_are_made_of_their_sources(chart: str) -> None:
    (packed,) = (EXAMPLE / STACK / 'cluster-addon').glob(f'*/charts/{chart}-*.tgz')
    files = archive.unpack(packed.read_bytes())
    source = EXAMPLE / 'charts' / chart

    # helm writes Chart.yaml anew; everything else must be the source byte for byte
    expected = {f'{chart}/{p.relative_to(source)}': p.read_bytes() for p in source.rglob('*') if p.is_file()}
    assert set(files) == set(expected)
    assert {n: c for n, c in files.items() if not n.endswith('Chart.yaml')} == {
        n: c for n, c in expected.items() if not n.endswith('Chart.yaml')
    }


@pytest.mark.parametrize(
    ('file', 'old', 'new', 'rule'),
    [
        ('cluster-class/Chart.yaml', '1-34', '1-33', 'class-chart-name'),
        ('cluster-class/templates/openstack.yaml', 'flavor: set-by-patch', 'flavor: {{ .Values.no.such }}', 'renders'),
        ('cluster-class/templates/openstack.yaml', 'flavor: set-by-patch', 'flavor: [x', 'renders'),
        ('cluster-class/templates/openstack.yaml', 'kind: OpenStackClusterTemplate', 'kin: x', 'objects'),
        ('cluster-class/templates/kubeadm.yaml', 'apiServer: {}', 'apiServer: {{', 'renders'),
        ('cluster-addon/ccm/overwrite.yaml', '.Cluster.metadata.name', '.Cluster.metadata.name | nosuch', 'renders'),
        ('cluster-addon/ccm/overwrite.yaml', '.Cluster.metadata.name', '.Claster.metadata.name', 'overwrite-paths'),
        ('cluster-addon/ccm/Chart.lock', 'version: 0.1.0', 'version: 0.0.9', 'chart-lock'),
        ('clusteraddon.yaml', 'name: cni', 'name: cnj', 'addon-stages'),
        ('csctl.yaml', 'config:', 'config: [', 'yaml-parses'),
    ],
)
def test_a_defect_is_found_at_its_line(helm: Helm, checkout: Path, file: str, old: str, new: str, rule: str) -> None:
    line = edit(checkout, file, old, new)

    found = run_rules(render_stack(discover.load(checkout, PLACE), helm, ChartSource(checkout)))

    errors = [f for f in found if f.severity is Severity.ERROR and f.rule == rule]
    assert [f.file for f in errors][:1] == [f'{STACK}/{file}'], found
    # an object is named by its first line, and a parser notices a bracket that is not closed some lines later
    assert -1 <= errors[0].line - line <= 3


def test_charts_come_from_a_mirror_and_never_into_the_checkout(helm: Helm, checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / STACK / 'cluster-addon/cni/charts')
    edit(
        checkout,
        'cluster-addon/cni/Chart.yaml',
        'file://../../../../../charts/flannel',
        'https://charts.example/stable/',
    )
    mirror = tmp_path / 'mirror/charts.example/stable'
    mirror.mkdir(parents=True)
    (packed,) = (EXAMPLE / STACK).glob('cluster-addon/cni/charts/*.tgz')
    shutil.copy(packed, mirror)
    (mirror / 'index.yaml').write_text(
        f'entries: {{flannel: [{{version: 0.1.0, urls: ["https://charts.example/stable/{packed.name}"]}}]}}\n'
    )

    stack = render_stack(discover.load(checkout, PLACE), helm, ChartSource(tmp_path, tmp_path / 'mirror'))

    assert all(r.parts and not r.error and not r.unavailable for r in stack.renderings)
    assert not (checkout / STACK / 'cluster-addon/cni/charts').exists()
    (mirror / 'index.yaml').write_text('entries: {flannel: []}\n')
    result = scs_ci('check', checkout, '--charts', tmp_path / 'mirror', '--tools', helm.program.parent)
    # the index was read anew in another process: without the chart there is no verdict, which is no defect of the stack
    assert result.returncode == 3
    assert 'cannot find chart flannel 0.1.0' in result.stderr


def test_overwrite_files_see_the_objects_of_the_cluster(helm: Helm, checkout: Path) -> None:
    objects = cluster_objects(discover.load(checkout, PLACE), 'alpha', '192.0.2.1')
    template = (
        'values: |\n  a: {{ .Cluster.metadata.name }}\n  b: {{ $.InfraCluster.spec.controlPlaneEndpoint.port }}\n'
    )

    assert render(template, objects, helm).text == 'a: alpha\nb: 6443\n'
    assert render('a: {{ .Cluster.metadata.name | upper }}\n', objects, helm).text == 'a: ALPHA\n'
    assert 'not defined' in render('a: {{ nosuch }}\n', objects, helm).error


def test_the_command_alone(checkout: Path, tools: Path) -> None:
    edit(checkout, 'cluster-class/Chart.yaml', '1-34', '1-33')

    # on a day when the version of the example gets patches
    command = ['check', checkout, '--tools', tools, '--date', '2026-05-04']
    as_text = scs_ci(*command)
    as_json = scs_ci(*command, '--format', 'json')

    assert as_text.returncode == as_json.returncode == 1
    assert f'{STACK}/cluster-class/Chart.yaml:4: error: ' in as_text.stdout
    found = json.loads(as_json.stdout)
    assert found['stacks'][0] == {
        'path': STACK,
        'provider': 'openstack',
        'name': 'example',
        'kubernetes': 'v1.34.10',
        'layout': 'A',
    }
    assert found['findings'][0]['wanted'] == 'openstack-example-1-34-cluster-class'
    assert (found['summary']['error'], found['summary']['warning'], found['summary']['notice']) == (1, 0, 0)


def test_formats_selection_baseline_and_exceptions_of_the_command(checkout: Path, tools: Path, tmp_path: Path) -> None:
    line = edit(checkout, 'cluster-class/Chart.yaml', '1-34', '1-33')
    stack = checkout / STACK
    command = ['check', checkout, '--tools', tools, '--date', '2026-05-04']

    as_json = scs_ci(*command, '--format', 'json')
    (tmp_path / 'baseline.json').write_text(as_json.stdout)
    known = scs_ci(*command, '--baseline', tmp_path / 'baseline.json')
    comments = json.loads(scs_ci(*command, '--format', 'zuul').stdout)
    several = scs_ci('check', stack, EXAMPLE, '--tools', tools, '--jobs', '2')
    ignored = scs_ci(*command, '--ignore', 'class-chart-*')
    other = scs_ci(*command, '--select', 'chart-lock')

    assert (known.returncode, '1 in the baseline' in known.stdout) == (0, True)
    assert comments[f'{STACK}/cluster-class/Chart.yaml'][0]['line'] == line
    assert f'{stack}/cluster-class/Chart.yaml:{line}: error: ' in several.stdout
    assert '2 stacks: 1 errors' in several.stdout
    assert (ignored.returncode, other.returncode, several.returncode) == (0, 0, 1)
    edit(checkout, 'cluster-class/Chart.yaml', 'name:', '# scs-ci: ignore[class-chart-name] a fork\nname:')
    assert (excepted := scs_ci(*command)).returncode == 0
    assert '1 excepted' in excepted.stdout


def test_offline_says_what_was_not_looked_at(checkout: Path, tools: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / STACK / 'cluster-addon/cni/charts')
    edit(
        checkout,
        'cluster-addon/cni/Chart.yaml',
        'file://../../../../../charts/flannel',
        'https://charts.example/stable/',
    )

    result = scs_ci('check', checkout, '--tools', tools, '--offline', XDG_CACHE_HOME=str(tmp_path), SCS_CI_CHARTS='')

    assert result.returncode == 0, result.stdout + result.stderr
    assert 'warning: cluster-addon/cni is not rendered' in result.stdout


def test_rules_are_listed_and_explained() -> None:
    assert 'chart-lock' in scs_ci('rules').stdout
    assert {'id', 'severity'} < set(json.loads(scs_ci('rules', '--json').stdout)[0])
    assert 'Bad:' in scs_ci('explain', 'chart-lock', 'objects').stdout
    assert scs_ci('explain', 'chart-lok').returncode == 2


@pytest.mark.parametrize(
    ('words', 'code', 'said'),
    [
        (['check', EXAMPLE, '--select', 'nosuch'], 2, "cannot find rule 'nosuch'"),
        (['check', EXAMPLE, '--baseline', '/nonexistent'], 2, 'cannot read baseline'),
        (['check', EXAMPLE, '--jobs', '0'], 2, 'no number from 1'),
        (['check', EXAMPLE, '--date', 'today'], 2, 'is no date'),
        (['check'], 2, 'give either PATH or --run'),
        (['check', '/nonexistent'], 2, 'it is not a directory'),
        (['check', ROOT / 'tests'], 2, 'found no cluster stack'),
        (['check', EXAMPLE, '--tools', '/nonexistent'], 3, 'cannot find program helm'),
        (['check', EXAMPLE, '--charts', '/nonexistent'], 2, 'no such directory'),
        (['check', EXAMPLE, '--stack', 'nosuch'], 2, "cannot find stack 'nosuch'"),
        (['check', '--run', '/nonexistent'], 2, 'there is no run.json'),
    ],
)
def test_bad_input_of_the_command(words: list[str | Path], code: int, said: str) -> None:
    result = scs_ci(*words)

    assert (result.returncode, 'Traceback' in result.stderr) == (code, False), result.stderr
    assert said in result.stderr


def test_the_stages_of_a_run(checkout: Path, tools: Path, registry: Registry, tmp_path: Path) -> None:
    run = ['--run', tmp_path / 'run']
    publish = ['publish', *run, '--registry', f'{registry.host}/kaas/run', '--ca', registry.ca]
    codes = [
        scs_ci(*words).returncode
        for words in (
            ['discover', *run, '--checkout', checkout, '--run-id', 'a-test-run'],
            ['check', *run, '--tools', tools],
            ['build', *run, '--tools', tools],
            publish,
            publish,
        )
    ]

    directory = RunDirectory.open(tmp_path / 'run')
    key = 'openstack-example-1-34'
    record = directory.record('publish', key)
    assert codes == [0, 0, 0, 0, 0]
    assert record is not None
    assert record.facts['tag'] == record.facts['class'].replace('.', '-')
    assert record.facts['hooks']['AfterControlPlaneInitialized'] == ['cni', 'ccm']
    assert not record.facts['new']
    assert (directory.place(key) / 'release' / record.facts['tag'] / 'metadata.yaml').is_file()


def test_a_broken_stack_fails_its_check_and_nothing_else_runs(checkout: Path, tools: Path, tmp_path: Path) -> None:
    run = ['--run', tmp_path / 'run']
    shutil.copytree(checkout / STACK, checkout / 'providers/openstack/broken')
    (checkout / 'providers/openstack/broken/csctl.yaml').write_text('config: [')

    codes = [
        scs_ci(*words).returncode
        for words in (
            ['discover', *run, '--checkout', checkout],
            ['check', *run, '--tools', tools],
            ['build', *run, '--tools', tools],
        )
    ]

    directory = RunDirectory.open(tmp_path / 'run')
    assert codes == [0, 1, 0]
    broken, good = (v.key for v in directory.plan().versions)
    check, build = directory.record('check', broken), directory.record('build', broken)
    assert check is not None
    assert check.outcome is Outcome.FAILED
    assert check.reason.startswith('providers/openstack/broken/csctl.yaml:1: ')
    assert build is not None
    assert (build.outcome, build.reason) == (Outcome.SKIPPED, 'check failed')
    passed = directory.record('build', good)
    assert passed is not None
    assert passed.outcome is Outcome.PASSED


def test_what_a_baseline_knows_keeps_nothing_from_the_next_stage(checkout: Path, tools: Path, tmp_path: Path) -> None:
    edit(checkout, 'cluster-class/Chart.yaml', '1-34', '1-33')
    known = tmp_path / 'known.json'
    known.write_text(scs_ci('check', checkout, '--tools', tools, '--format', 'json').stdout)
    run = ['--run', tmp_path / 'run']
    words = ['check', *run, '--tools', tools]

    scs_ci('discover', *run, '--checkout', checkout)
    codes = [scs_ci(*words).returncode, scs_ci(*words, '--baseline', known).returncode]

    record = RunDirectory.open(tmp_path / 'run').record('check', 'openstack-example-1-34')
    assert codes == [1, 0]
    assert record is not None
    assert record.facts['summary']['known'] > 0
    assert record.reason == f'without {record.facts["summary"]["known"]} findings of known.json'
    edit(checkout, 'cluster-class/Chart.yaml', '1-33', '1-32')
    assert scs_ci(*words, '--baseline', known).returncode == 1, 'another finding is not known'


def test_a_template_that_never_ends_is_a_finding(helm: Helm, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = '{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}'
    edit(checkout, 'cluster-class/templates/openstack.yaml', 'flavor: set-by-patch', f'flavor: x{loop}')
    monkeypatch.setattr('scs_ci.stack.helm.RENDER_SECONDS', 2)

    (found,) = run_rules(render_stack(discover.load(checkout, PLACE), helm, ChartSource(checkout)))

    assert found.rule == 'renders'
    assert 'did not end within 2 s' in found.message


def test_only_what_changed_is_checked_and_the_reason_is_told(tools: Path, checkout: Path) -> None:
    identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false']
    for words in (['init', '-q'], ['add', '-f', '.'], ['commit', '-qm', 'first']):
        subprocess.run(['git', '-C', str(checkout), *identity, *words], check=True, capture_output=True)
    options = ['--changed-since', 'HEAD', '--offline', '--json', '--tools', str(tools)]

    assert json.loads(scs_ci('check', checkout, *options).stdout)['stacks'] == []
    edit(checkout, 'csctl.yaml', 'v1.34', 'v1.33')
    done = scs_ci('check', checkout, *options)

    (stack,) = json.loads(done.stdout)['stacks']
    assert (done.returncode, stack['reason']) == (1, 'tool config changed (csctl.yaml) since HEAD')


def test_results_have_the_order_of_the_stacks_whichever_is_checked_first(tools: Path, checkout: Path) -> None:
    names = ['one', 'three', 'two']  # as paths are sorted
    for name, size in (('one', 1), ('two', 4000), ('three', 9000)):
        stack = Path(shutil.copytree(checkout / STACK, checkout / 'providers/openstack' / name))
        (stack / 'cluster-class/templates/more.yaml').write_text('#' * size + '\n')
        chart = stack / 'cluster-class/Chart.yaml'
        chart.write_text(chart.read_text().replace('openstack-example', f'openstack-{name}'))
    shutil.rmtree(checkout / STACK)

    found = json.loads(scs_ci('check', checkout, '--json', '--tools', tools, '--jobs', '2').stdout)

    assert [stack['path'] for stack in found['stacks']] == [f'providers/openstack/{name}' for name in names]
    wrong = {f['stack']: f['seen'] for f in found['findings'] if f['rule'] == 'class-chart-name'}
    assert wrong == {f'providers/openstack/{name}': f'openstack-{name}-1-34-cluster-class' for name in names}
