"""Rendering a stack with the real helm exactly as the Cluster Stack Operator calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core.errors import InfrastructureProblem
from . import charts, overwrite, release
from .archive import Archive, inspect
from .build import write_tree
from .charts import ChartSource
from .helm import Helm, Output
from .model import Chart, Rendered, Rendering, Stack
from .samples import cluster_objects
from .treehash import hashes

# CSO's names: release and namespace of addon objects are fixed, the class goes into the namespace of the cluster stack.
ADDON_RELEASE, ADDON_NAMESPACE = 'cluster-addon', 'kube-system'
CLASS_NAMESPACE = 'scs-ci'


def render_stack(stack: Stack, helm: Helm, source: ChartSource) -> Stack:
    """The stack with its renderings: the class chart, then each addon chart for a made-up cluster.

    What fails to render becomes a Rendering with an error; what could not be tried, because a chart was not to be had,
    one that says `unavailable`.
    """
    objects = cluster_objects(stack)
    made = [render_class(stack, helm)] if stack.class_chart else []
    made += [render_addon(stack, chart, objects, helm, source) for chart in stack.addon_charts]
    return replace(stack, renderings=tuple(made))


def render_class(stack: Stack, helm: Helm) -> Rendering:
    """The class chart with the version that a build in hash mode gives it; no Kubernetes version, as CSO does it."""
    chart = stack.class_chart
    if chart is None:
        return Rendering('cluster-class', error='there is no class chart', file='cluster-class/Chart.yaml')
    identity = stack.identity
    versions = release.hash_versions(hashes(stack.files))
    name = identity.base if identity else 'undeclared'
    content = release.class_files(stack, identity, versions) if identity else release.below(stack.files, chart.path)
    with TemporaryDirectory(prefix='scs-ci-class-') as work:
        directory = Path(work) / 'chart'
        write_tree(directory, content)
        return _rendering(chart, helm.template(directory, name, CLASS_NAMESPACE))


def render_addon(stack: Stack, chart: Chart, objects: Mapping[str, Any], helm: Helm, source: ChartSource) -> Rendering:
    """One addon chart for the cluster given by objects (see overwrite.render)."""
    content = release.below(stack.files, chart.path)
    template = _overwrite_file(stack, chart)
    values = overwrite.Values()
    if template:
        values = overwrite.render(stack.text(template), objects, helm)
        if values.error:
            return Rendering(chart.path, error=values.error, file=template, line=values.line)
    unpacked = frozenset(p.split('/')[1] for p in content if p.startswith('charts/') and p.count('/') > 1)
    needed = charts.missing(chart, unpacked)
    if needed:
        content = {path: data for path, data in content.items() if not path.startswith('charts/')}
    fetched: list[Archive] = []
    for dependency in needed:
        packed = f'charts/{dependency.name}-{dependency.version}.tgz'
        try:
            content[packed] = charts.fetch(dependency, source, helm)
            fetched.append(inspect(f'{chart.path}/{packed}', content[packed]))
        except charts.NotInRepository as error:
            return Rendering(chart.path, error=error.answer, file=chart.meta.path, line=dependency.line)
        except InfrastructureProblem as problem:
            return Rendering(
                chart.path,
                unavailable=problem.reason,
                file=chart.meta.path,
                line=dependency.line,
                offline=isinstance(problem, charts.Offline),
            )
    with TemporaryDirectory(prefix='scs-ci-addon-') as work:
        directory = Path(work) / (chart.directory or 'chart')
        write_tree(directory, content)
        kubernetes = str(stack.version) if stack.version else ''
        output = helm.template(
            directory, ADDON_RELEASE, ADDON_NAMESPACE, values=values.text, kubernetes=kubernetes, crds=True
        )
    return replace(_rendering(chart, output), fetched=tuple(fetched))


def _overwrite_file(stack: Stack, chart: Chart) -> str:
    """The template of the values: overwrite.yaml of a stage, cluster-addon-values.yaml in the old convention."""
    name = f'{chart.path}/overwrite.yaml' if stack.addon_layout == 'stages' else 'cluster-addon-values.yaml'
    return name if name in stack.files else ''


def _rendering(chart: Chart, output: Output) -> Rendering:
    """helm names templates below the chart's name; in the model they are below the chart's directory."""
    parts = tuple(Rendered(_below(part.template), part.text) for part in output.parts)
    if not output.error:
        return Rendering(chart.path, parts)
    below = _below(output.template)
    own = below.startswith('templates/')
    file, line = (f'{chart.path}/{below}', output.line) if own else (chart.meta.path, _dependency_line(chart, below))
    return Rendering(chart.path, parts, error=output.error, file=file, line=line)


def _below(template: str) -> str:
    return template.partition('/')[2]


def _dependency_line(chart: Chart, template: str) -> int:
    return next((d.line for d in chart.dependencies if template.startswith(f'charts/{d.alias or d.name}/')), 1)
