"""Our renderer against the real helm: the same texts at every point, and the line of the template for each line."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from stack_tools import EXAMPLE, ROOT

from scs_ci.stack import batch, discover
from scs_ci.stack.batch import Prepared, Setting
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.helm import Helm
from scs_ci.stack.model import Rendered
from scs_ci.stack.render import prepare_addon, prepare_class, render_stack
from scs_ci.stack.samples import cluster_objects

pytestmark = pytest.mark.integration
DATA = Path(os.environ.get('SCS_CI_TESTDATA') or ROOT.parent / 'shared/testdata')
MAIN = DATA / 'cluster-stacks/main-2026-05-04'
CHART = 'apiVersion: v2\nname: c\nversion: 1.2.3\ntype: application\n'
# What charts may read of the world, conditions, loops, helpers, hooks, several documents, files, a chart in the chart.
TEMPLATES = {
    'Chart.yaml': CHART,
    'values.yaml': 'list: [b, a]\nmap: {x: 1, y: {z: true}}\non: false\nnothing:\n',
    'files/x.txt': 'line one\nline two\n',
    'templates/_helpers.tpl': (
        '{{- define "labels" -}}\napp: {{ .Release.Name }}\nchart: {{ .Chart.Name }}-{{ .Chart.Version }}\n{{- end }}\n'
    ),
    'templates/a.yaml': (
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-a\n  labels:\n'
        '    {{- include "labels" . | nindent 4 }}\ndata:\n'
        '  {{- range $i, $v := .Values.list }}\n  k{{ $i }}: {{ $v | quote }}\n  {{- end }}\n'
        '  {{- if .Values.on }}\n  on: "yes"\n  {{- else }}\n  off: "no"\n  {{- end }}\n'
        '  map: |\n    {{- toYaml .Values.map | nindent 4 }}\n  file: |\n{{ .Files.Get "files/x.txt" | indent 4 }}\n'
        '  none: "{{ .Values.nothing.deep | default .Values.nothing }}"\n'
        '  tpl: {{ tpl "{{ .Release.Namespace }}" . }}\n'
    ).replace('.Values.nothing.deep | default ', ''),
    'templates/b.yaml': (
        'apiVersion: v1\nkind: Pod\nmetadata: {name: late}\n---\n# nothing\n---\n'
        'apiVersion: v1\nkind: Namespace\nmetadata: {name: early}\n---\n'
        'apiVersion: v1\nkind: Job\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n'
    ),
    'templates/world.yaml': (
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: world\ndata:\n'
        '  version: {{ .Capabilities.KubeVersion.Version }}\n  minor: {{ .Capabilities.KubeVersion.Minor | quote }}\n'
        '  helm: {{ .Capabilities.HelmVersion.Version }}\n  job: "{{ .Capabilities.APIVersions.Has "batch/v1" }}"\n'
        '  install: "{{ .Release.IsInstall }}{{ .Release.Revision }}{{ .Release.Service }}"\n'
        '  sum: {{ include (print $.Template.BasePath "/a.yaml") . | sha256sum }}\n'
    ),
    'templates/NOTES.txt': 'thank you',
    'crds/crd.yaml': 'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n',
    'charts/sub/Chart.yaml': CHART.replace('name: c', 'name: sub'),
    'charts/sub/values.yaml': 'color: red\n',
    'charts/sub/templates/s.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Values.color }}}\n',
}
POINTS = ('', 'on: true\n', 'list: []\nmap: null\n', 'sub: {color: blue}\nmap: {x: {deep: [1]}}\n')


def prepared(files: dict[str, str], **more: object) -> Prepared:
    made = Prepared('chart', {path: text.encode() for path, text in files.items()}, 'release', 'space', 'v1.33.4', True)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture(scope='session')
def program(helm: Helm) -> Path:
    found = batch.program(helm)
    assert found is not None, 'chartrender is not beside helm'
    return found


def texts(parts: tuple[Rendered, ...]) -> list[tuple[str, str]]:
    return [(part.template, part.text.rstrip()) for part in parts]


def by_helm(helm: Helm, chart: Prepared, values: str, directory: Path) -> list[tuple[str, str]]:
    for name, content in chart.content.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    output = helm.template(
        directory, chart.release, chart.namespace, values=values, kubernetes=chart.kubernetes, crds=chart.crds
    )
    assert output.error == ''
    return texts(output.parts)


@pytest.mark.parametrize('kubernetes', ['v1.33.4', ''])
def test_results_are_helms_at_every_point(program: Path, helm: Helm, tmp_path: Path, kubernetes: str) -> None:
    chart = prepared(TEMPLATES, kubernetes=kubernetes)

    (found,) = batch.render(program, [(chart, [Setting(values) for values in POINTS])])

    for number, (values, result) in enumerate(zip(POINTS, found, strict=True)):
        assert result.output.error == ''
        assert texts(result.output.parts) == by_helm(helm, chart, values, tmp_path / str(number))


@pytest.mark.skipif(not MAIN.is_dir(), reason='the public stacks are not here: set SCS_CI_TESTDATA')
@pytest.mark.parametrize('stack', ['providers/docker/scs', 'providers/openstack/scs', 'providers/openstack/scs2'])
def test_real_charts_render_as_with_helm(program: Path, helm: Helm, tmp_path: Path, stack: str) -> None:
    (place,) = discover.choose(discover.find(MAIN), [stack])
    loaded, source = discover.load(MAIN, place), ChartSource(tmp_path, DATA / 'charts/mirror')
    charts = [prepare_class(loaded), *(prepare_addon(loaded, c, helm, source) for c in loaded.addon_charts)]
    asked = [chart for chart in charts if isinstance(chart, Prepared)]

    found = batch.render(program, [(chart, [Setting(objects=cluster_objects(loaded))]) for chart in asked])

    assert len(asked) == len(charts)
    for number, (chart, (result,)) in enumerate(zip(asked, found, strict=True)):
        expected = by_helm(helm, chart, result.values, tmp_path / str(number))
        ours = texts(result.output.parts)
        assert [t for t, _ in ours] == [t for t, _ in expected]
        # charts that make certificates make new ones each time
        assert [p for p in ours if 'ca.crt:' not in p[1]] == [p for p in expected if 'ca.crt:' not in p[1]]


def test_each_line_knows_the_template_line_that_printed_it(program: Path) -> None:
    ((result,),) = batch.render(program, [(prepared(TEMPLATES), [Setting(marks=True)])])

    part = next(p for p in result.output.parts if p.template == 'c/templates/a.yaml')
    places = dict(zip(part.text.split('\n'), part.lines, strict=False))
    assert places['  name: release-a'] == ('templates/a.yaml', 4)
    assert places['    app: release'] == ('templates/_helpers.tpl', 2)
    assert places['    chart: c-1.2.3'] == ('templates/_helpers.tpl', 3)
    assert places['  k0: "b"'] == places['  k1: "a"'] == ('templates/a.yaml', 9)
    assert places['  off: "no"'] == ('templates/a.yaml', 14)
    assert places['      z: true'] == ('templates/a.yaml', 17)
    assert places['    line two'] == ('templates/a.yaml', 19)
    sub = next(p for p in result.output.parts if p.template.endswith('s.yaml'))
    assert sub.lines[0] == ('charts/sub/templates/s.yaml', 1)


def test_overwrite_files_are_rendered_as_the_operator_does_it(program: Path) -> None:
    text = 'values: |\n  a: {{ .Cluster.metadata.name }}\n  b: {{ .Cluster.spec.big }}\n  c: {{ .Cluster.gone }}\n'
    objects = {'Cluster': {'metadata': {'name': 'alpha'}, 'spec': {'big': 1234567890}}}
    charts = [
        prepared(TEMPLATES, overwrite=o) for o in (text, 'x:\n{{ toYaml . }}', 'x\n{{ .Cluster.metadata.name.deep }}')
    ]

    (first,), (second,), (third,) = batch.render(program, [(chart, [Setting(objects=objects)]) for chart in charts])

    assert first.values == 'a: alpha\nb: 1234567890\nc: <no value>\n'
    assert 'function "toYaml" not defined' in second.overwrite_error
    assert (second.overwrite_line, third.overwrite_line) == (2, 2)


@pytest.mark.parametrize(
    ('template', 'said'),
    [
        ('{{ range until 60000 }}{{ range until 60000 }}{{ end }}{{ end }}', 'did not end within 1 s'),
        ('{{ define "x" }}{{ include "x" . }}{{ include "x" . }}{{ end }}{{ include "x" . }}', ''),
        ('{{ define "y" }}{{ template "y" . }}{{ end }}{{ template "y" . }}', ''),
        ('{{ range until 100000 }}{{ repeat 100000 "x" }}{{ end }}', ''),
        (
            'a: &a [x]\n' + ''.join(f'b{i}: &b{i} [{",".join([f"*b{i - 1}" if i else "*a"] * 9)}]\n' for i in range(9)),
            '',
        ),
    ],
    ids=['endless', 'include', 'template', 'huge', 'bomb'],
)
def test_nothing_in_a_chart_holds_the_check(
    program: Path, monkeypatch: pytest.MonkeyPatch, template: str, said: str
) -> None:
    monkeypatch.setattr('scs_ci.stack.helm.RENDER_SECONDS', 1)
    bad, good = prepared({'Chart.yaml': CHART, 'templates/a.yaml': template}), prepared(TEMPLATES)
    began = time.monotonic()

    (first, again), (other,) = batch.render(program, [(bad, [Setting(), Setting()]), (good, [Setting()])])

    assert first.output.error
    assert again.output.error
    assert said in first.output.error
    # the other chart is not held up, unless the memory of all was gone
    assert other.output.parts or 'MiB' in other.output.error
    assert time.monotonic() - began < 60


def test_the_check_has_variants_and_lines(helm: Helm, tmp_path: Path) -> None:
    (place,) = discover.find(EXAMPLE)

    stack = render_stack(discover.load(EXAMPLE, place), helm, ChartSource(tmp_path))

    assert {v.point for v in stack.variants} >= {'another cluster'}
    assert [v.error for v in stack.variants if v.error] == []
    (of_class, *_) = stack.renderings
    assert all(part.lines for part in of_class.parts)
