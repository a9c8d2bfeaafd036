"""Are a cluster's addons really there? The operator's conditions are no proof, so its events are read, and every
object of an own rendering (by the renderer of `check`) is looked up in the cluster.

A stage that fails to render and is not the last one leaves all conditions of the ClusterAddon True, stages and hook
empty; only an Event of type Normal tells (Cluster Stack Operator v0.2.0-alpha.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.errors import InfrastructureProblem, ProductProblem
from ..plane.kube import Refused
from ..stack.charts import ChartSource
from ..stack.helm import Helm
from ..stack.model import Rendering, Stack
from ..stack.render import ADDON_NAMESPACE, render_addon
from .compare import differences, is_settled, unstable, without
from .kinds import CLUSTERS, Api, Object, name_of, title
from .render import documents

FIRST_HOOK = 'AfterControlPlaneInitialized'
UPGRADE_HOOK = 'BeforeClusterUpgrade'
# TemplateNewClusterStackFailed, …OverwriteFailed: a repeated try renders the same.
UNRENDERED = re.compile(r'(Template|Overwrite)\w*Fail')
# Differences told of one object; one suffices to find the place.
MOST_DIFFERENCES = 2


class Workload(Protocol):
    """What this room needs of the cluster's own API."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None: ...

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> Sequence[Object]: ...

    def kinds(self, api_version: str) -> dict[str, bool]: ...

    def apply(self, obj: Mapping[str, Any], dry_run: bool = False) -> Object: ...

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any: ...

    def call(self, method: str, path: str, body: Any = None, *, timeout: float = ..., parse: bool = ...) -> Any: ...

    def ready(self) -> bool: ...


@dataclass(frozen=True)
class Expected:
    """A rendered object. stage: the addon's; random: paths that no second rendering repeats (see compare.unstable)."""

    stage: str
    obj: Object
    random: frozenset[str] = frozenset()


def cluster_objects(api: Api, space: str, cluster: str) -> dict[str, Object]:
    """Cluster, ControlPlane and InfraCluster as the operator gives them to overwrite.yaml, in v1beta1."""
    found = api.get(CLUSTERS, 'Cluster', cluster, space)
    objects: dict[str, Object] = {'Cluster': found} if found else {}
    spec = (found or {}).get('spec') or {}
    for name, reference in (('ControlPlane', 'controlPlaneRef'), ('InfraCluster', 'infrastructureRef')):
        ref = spec.get(reference)
        referred = api.get(ref['apiVersion'], ref['kind'], ref['name'], space) if ref else None
        if referred:
            objects[name] = referred
    return objects


def expected(
    stack: Stack, objects: Mapping[str, Object], helm: Helm, source: ChartSource, hook: str = FIRST_HOOK
) -> list[Expected]:
    """All that the addon stages of a hook apply. Raises ProductProblem when one is missing or will not render."""
    return [found for stage in _stages(stack, hook) for found in _of_stage(stack, stage, objects, helm, source)]


def _stages(stack: Stack, hook: str) -> list[str]:
    """Paths of the charts, in order; the older layout has one chart and no hooks.

    At an upgrade a stack without stages for it keeps the old addons, so those of a new cluster are expected: nothing
    else says what the release wants, and a cluster that was upgraded to it is to have that.
    """
    if stack.addon_layout == 'single':
        return [chart.path for chart in stack.addon_charts]
    if hook == UPGRADE_HOOK and not any(stage.hook == hook for stage in stack.stages):
        hook = FIRST_HOOK
    return [f'cluster-addon/{stage.name}' for stage in stack.stages if stage.hook == hook and stage.action == 'apply']


def _of_stage(
    stack: Stack, path: str, objects: Mapping[str, Object], helm: Helm, source: ChartSource
) -> Iterable[Expected]:
    chart = next((chart for chart in stack.addon_charts if chart.path == path), None)
    if chart is None:
        raise ProductProblem(
            'cannot apply',
            f'addon stage {path}',
            'clusteraddon.yaml names it, there is no chart',
            'add the chart',
        )
    first, second = ([*_documents(stack, path, render_addon(stack, chart, objects, helm, source))] for _ in range(2))
    again = {(obj['kind'], obj['metadata'].get('namespace'), name_of(obj)): obj for obj in second}
    for obj in first:
        repeated = again.get((obj['kind'], obj['metadata'].get('namespace'), name_of(obj)), obj)
        yield Expected(chart.directory, obj, unstable(obj, repeated))


def _documents(stack: Stack, path: str, rendering: Rendering) -> Iterable[Object]:
    if rendering.unavailable:
        raise InfrastructureProblem(
            'cannot render', f'{stack.path}/{path}', rendering.unavailable, 'offer the charts to the plane host'
        )
    if rendering.error:
        where = f'{stack.path}/{rendering.file}:{rendering.line}'
        raise ProductProblem('helm cannot render', where, rendering.error, 'fix the template or overwrite.yaml')
    for part in rendering.parts:
        yield from documents(part.text, f'{path}/{part.template}')


def failures(events: Iterable[Object]) -> list[str]:
    """What the operator's events say about stages that did not render, oldest first, each once; of type Normal.

    Other failures (an apply while the API server is away) are repeated; the objects tell whether that helped.
    """
    found = [
        ' '.join(f'{event.get("reason")}: {event.get("message") or event.get("note") or ""}'.split())
        for event in events
        if _about_addon(event) and UNRENDERED.search(str(event.get('reason')))
    ]
    return list(dict.fromkeys(found))


def _about_addon(event: Object) -> bool:
    about = event.get('involvedObject') or event.get('regarding') or {}
    return bool(about.get('kind') == 'ClusterAddon')


def mismatches(workload: Workload, wanted: Sequence[Expected]) -> list[str]:
    """One line per object that is absent or differs, by stage. Kinds are asked for once per API version."""
    kinds: dict[str, dict[str, bool]] = {}
    found = []
    for entry in wanted:
        version = str(entry.obj['apiVersion'])
        if version not in kinds:
            kinds[version] = workload.kinds(version)
        if text := _mismatch(workload, entry, kinds[version].get(entry.obj['kind'])):
            found.append(f'stage {entry.stage}: {title(entry.obj)} {text}')
    return found


def _mismatch(workload: Workload, entry: Expected, namespaced: bool | None) -> str:
    obj = entry.obj
    if namespaced is None:
        return f'is absent: the cluster has no kind {obj["kind"]} in {obj["apiVersion"]}'
    space = (obj['metadata'].get('namespace') or ADDON_NAMESPACE) if namespaced else None
    live = workload.get(obj['apiVersion'], obj['kind'], name_of(obj), space)
    if live is None:
        # the operator asks for everything in kube-system; an object that names another namespace is refused (HTTP 400)
        return f'is absent{f" in namespace {space}" if space else ""}{_foreign(space)}'
    found = without(differences(obj, live), entry.random)
    if found and _would_stay(workload, entry, live, space):
        return ''
    more = f' and {len(found) - MOST_DIFFERENCES} more' if len(found) > MOST_DIFFERENCES else ''
    return f'differs: {"; ".join(d.text for d in found[:MOST_DIFFERENCES])}{more}' if found else ''


def _would_stay(workload: Workload, entry: Expected, live: Object, space: str | None) -> bool:
    """Whether the server itself sees no difference: it is asked only when we do."""
    placed = {**entry.obj, 'metadata': {**entry.obj['metadata'], **({'namespace': space} if space else {})}}
    try:
        return is_settled(workload.apply(placed, dry_run=True), live, entry.random)
    except Refused:  # of an immutable field, say: then it does differ
        return False


def _foreign(space: str | None) -> str:
    if space in (None, ADDON_NAMESPACE):
        return ''
    return f' (the operator applies namespaced objects in {ADDON_NAMESPACE} only)'
