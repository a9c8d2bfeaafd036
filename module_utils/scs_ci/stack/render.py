"""Rendering a stack as the Cluster Stack Operator does it: all charts at once by our renderer, or one by helm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core.errors import InfrastructureProblem
from . import asking, batch, capabilities, charts, matrix, overwrite, release
from .archive import Archive, inspect
from .batch import Prepared, Result, Setting
from .build import write_tree
from .charts import ChartSource
from .helm import Helm, Output
from .layouts import CLASS_NAMESPACE as CLASS_NAMESPACE
from .matrix import Point
from .model import CLASS_DIR, Chart, Rendering, Stack
from .samples import cluster_objects
from .treehash import hashes

# CSO's names: release and namespace of addon objects are fixed, the class goes into the namespace of the cluster stack.
ADDON_RELEASE, ADDON_NAMESPACE = 'cluster-addon', 'kube-system'
# What overwrite files see of one cluster must do for another one, too.
OTHER_CLUSTER = 'another cluster'
OTHER_NAME, OTHER_HOST = 'sample-two', '203.0.113.29'


def render_stack(stack: Stack, helm: Helm, source: ChartSource) -> Stack:
    """The stack with its renderings, see `rendered`, and answers about them."""
    return asking.begin(rendered(stack, helm, source), helm.program.parent)


def rendered(stack: Stack, helm: Helm, source: ChartSource) -> Stack:
    """The stack with its renderings: the class chart, then each addon chart for a made-up cluster; and variants.

    What fails to render becomes a Rendering with an error; what could not be tried, because a chart was not to be had,
    one that says `unavailable`. Without our renderer beside helm there are neither variants nor origins of lines.
    """
    with rendering(stack, helm, source) as ended:
        return ended(stack)


@contextmanager
def rendering(
    stack: Stack, helm: Helm, source: ChartSource, keep: Path | None = None
) -> Iterator[Callable[[Stack], Stack]]:
    """As `rendered`, while the caller does something else: what is given waits, and adds to the stack as it is then.

    keep: directory for what the renderer answers, None keeps nothing.
    """
    objects = cluster_objects(stack)
    prepared: list[Prepared | Rendering] = [prepare_class(stack)] if stack.class_chart else []
    prepared += [prepare_addon(stack, chart, helm, source) for chart in stack.addon_charts]
    program = batch.program(helm)
    if program is None:
        made = tuple(p if isinstance(p, Rendering) else _by_helm(stack, p, objects, helm) for p in prepared)
        yield lambda known: replace(known, renderings=made)
        return
    charts = {chart.path: chart for chart in stack.charts}
    tried = [p for p in prepared if isinstance(p, Prepared)]
    points = [matrix.points(stack, charts[p.path]) for p in tried]
    asked = [(p, _settings(stack, p, own, objects)) for p, own in zip(tried, points, strict=True)]
    capable = list(_granted(stack, tried))
    # one process renders everything; results come in the order in which they were asked for
    with batch.rendering(program, [*asked, *((p, [Setting('', objects)]) for p in capable)], keep) as results:
        yield lambda known: _with_results(known, prepared, points, capable, results())


def _with_results(
    stack: Stack,
    prepared: Sequence[Prepared | Rendering],
    points: Sequence[Sequence[Point]],
    capable: Sequence[Prepared],
    answers: Sequence[Sequence[Result]],
) -> Stack:
    """points: of those that could be prepared."""
    tried = [p for p in prepared if isinstance(p, Prepared)]
    made: dict[str, Rendering] = {}
    variants: list[Rendering] = []
    for p, own, results in zip(tried, points, answers, strict=False):
        made[p.path] = _of_result(stack, p, results[0])
        more = ([Point(OTHER_CLUSTER, '')] if p.overwrite else []) + list(own)
        if not made[p.path].error:  # at other points it would fail alike
            found = (_of_result(stack, p, result) for result in results[1:])
            variants += [replace(r, point=o.title, guess=not o.sure) for o, r in zip(more, found, strict=True)]
    renderings = tuple(made[p.path] if isinstance(p, Prepared) else p for p in prepared)
    granted = tuple(_of_result(stack, p, r[0]) for p, r in zip(capable, answers[len(tried) :], strict=True))
    return replace(stack, renderings=renderings, variants=tuple(variants), granted=granted)


def _granted(stack: Stack, prepared: Sequence[Prepared]) -> Iterator[Prepared]:
    """Addon charts in which something that the stack switches on waits for an API, as if all APIs were there."""
    charts = {chart.path: chart for chart in stack.addon_charts}
    for p in prepared:
        chart = charts.get(p.path)
        if chart is not None and any(True for _ in capabilities.gates(stack, chart, p.fetched)):
            archives = (*chart.archives, *p.fetched)
            yield replace(p, content=capabilities.granted(chart, p.content, archives))


def _settings(stack: Stack, prepared: Prepared, own: Sequence[Point], objects: Mapping[str, Any]) -> list[Setting]:
    """What a chart is rendered with: the defaults, another cluster where it can tell clusters apart, its own points.

    Only charts with templates in the stack are traced: lines of packed ones are told by the dependency, and tracing
    would make their certificates once more, which takes most of the time of a rendering.
    """
    traced = any(path.startswith(f'{prepared.path}/') and '/templates/' in path for path in stack.files)
    other = [Setting(objects=cluster_objects(stack, OTHER_NAME, OTHER_HOST))] if prepared.overwrite else []
    return [Setting('', objects, traced), *other, *(Setting(point.values, objects) for point in own)]


def _of_result(stack: Stack, prepared: Prepared, result: Result) -> Rendering:
    chart = next(chart for chart in stack.charts if chart.path == prepared.path)
    if result.overwrite_error:
        file = _overwrite_file(stack, chart)
        return Rendering(chart.path, error=result.overwrite_error, file=file, line=result.overwrite_line)
    return replace(_rendering(chart, result.output), fetched=prepared.fetched, values=result.values)


def _by_helm(stack: Stack, prepared: Prepared, objects: Mapping[str, Any], helm: Helm) -> Rendering:
    chart = next(chart for chart in stack.charts if chart.path == prepared.path)
    values = overwrite.Values()
    if prepared.overwrite:
        values = overwrite.render(prepared.overwrite, objects, helm)
        if values.error:
            return Rendering(chart.path, error=values.error, file=_overwrite_file(stack, chart), line=values.line)
    with TemporaryDirectory(prefix='scs-ci-chart-') as work:
        directory = Path(work) / (chart.directory or 'chart')
        write_tree(directory, prepared.content)
        output = helm.template(
            directory,
            prepared.release,
            prepared.namespace,
            values=values.text,
            kubernetes=prepared.kubernetes,
            crds=prepared.crds,
        )
    return replace(_rendering(chart, output), fetched=prepared.fetched, values=values.text)


def render_addon(stack: Stack, chart: Chart, objects: Mapping[str, Any], helm: Helm, source: ChartSource) -> Rendering:
    """One addon chart with helm itself, for the cluster given by objects (see overwrite.render)."""
    prepared = prepare_addon(stack, chart, helm, source)
    return prepared if isinstance(prepared, Rendering) else _by_helm(stack, prepared, objects, helm)


def render_alone(stack: Stack, helm: Helm, source: ChartSource) -> tuple[Rendering, ...]:
    """Each chart once by helm, as it is: the class with the version that its Chart.yaml has, addons for one cluster."""
    objects = cluster_objects(stack)
    name = stack.identity.base if stack.identity else 'undeclared'
    prepared: list[Prepared | Rendering] = []
    if stack.class_chart:
        prepared.append(Prepared(CLASS_DIR, release.below(stack.files, CLASS_DIR), name, CLASS_NAMESPACE))
    prepared += [prepare_addon(stack, chart, helm, source) for chart in stack.addon_charts]
    return tuple(p if isinstance(p, Rendering) else _by_helm(stack, p, objects, helm) for p in prepared)


def prepare_class(stack: Stack) -> Prepared:
    """The class chart with the version that a build in hash mode gives it; no Kubernetes version, as CSO does it."""
    identity = stack.identity
    versions = release.hash_versions(hashes(stack.files))
    name = identity.base if identity else 'undeclared'
    content = release.class_files(stack, identity, versions) if identity else release.below(stack.files, CLASS_DIR)
    return Prepared(CLASS_DIR, content, name, CLASS_NAMESPACE)


def prepare_addon(stack: Stack, chart: Chart, helm: Helm, source: ChartSource) -> Prepared | Rendering:
    """One addon chart with those that it depends on, or a Rendering that says why one of these is not to be had."""
    content = release.below(stack.files, chart.path)
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
    template = _overwrite_file(stack, chart)
    return Prepared(
        chart.path,
        content,
        ADDON_RELEASE,
        ADDON_NAMESPACE,
        kubernetes=str(stack.version) if stack.version else '',
        crds=True,
        overwrite=stack.text(template) if template else '',
        fetched=tuple(fetched),
    )


def _overwrite_file(stack: Stack, chart: Chart) -> str:
    """The template of the values: overwrite.yaml of a stage, cluster-addon-values.yaml in the old convention."""
    name = f'{chart.path}/overwrite.yaml' if stack.addon_layout == 'stages' else 'cluster-addon-values.yaml'
    return name if name in stack.files else ''


def _rendering(chart: Chart, output: Output) -> Rendering:
    """helm names templates below the chart's name; in the model they are below the chart's directory."""
    parts = tuple(replace(part, template=_below(part.template)) for part in output.parts)
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
