"""Addons of the release before can be replaced by those of this one in a running cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..model import ADDON_CONFIG, Stack
from ..objects import Object, addon_objects
from ..rule import BASE, Example, Hit, Rule
from ..yamltext import Node

# Fields that the API server never lets anybody change, by kind; they are compared as they are rendered.
FIXED: dict[str, tuple[tuple[str, ...], ...]] = {
    'Deployment': (('spec', 'selector'),),
    'DaemonSet': (('spec', 'selector'),),
    'ReplicaSet': (('spec', 'selector'),),
    'StatefulSet': (('spec', 'selector'), ('spec', 'serviceName'), ('spec', 'volumeClaimTemplates')),
    'Job': (('spec', 'selector'), ('spec', 'template')),
    'Service': (('spec', 'clusterIP'),),
    'StorageClass': (('provisioner',), ('parameters',), ('reclaimPolicy',), ('volumeBindingMode',)),
    'PersistentVolumeClaim': (('spec', 'storageClassName'), ('spec', 'accessModes'), ('spec', 'volumeName')),
    'RoleBinding': (('roleRef',),),
    'ClusterRoleBinding': (('roleRef',),),
    'CSIDriver': (('spec', 'attachRequired'), ('spec', 'fsGroupPolicy'), ('spec', 'volumeLifecycleModes')),
    'IngressClass': (('spec', 'controller'),),
    'PriorityClass': (('value',), ('preemptionPolicy',)),
    'CustomResourceDefinition': (('spec', 'scope'), ('spec', 'names', 'kind'), ('spec', 'group')),
}
Key = tuple[str, str, str, str]
CHART = 'cluster-addon/cni'


def check(stack: Stack) -> Iterable[Hit]:
    if stack.before is None:
        return
    yield from _stages(stack, stack.before)
    rendered = {rendering.chart for rendering in stack.renderings if rendering.parts}
    old = {_key(found): found for found in addon_objects(stack.before)}
    new = {_key(found): found for found in addon_objects(stack)}
    for key, found in new.items():
        if key in old:
            yield from _fixed(stack, old[key], found)
    for key, found in old.items():
        if key not in new and found.template.chart.path in rendered:
            yield from _gone(stack, found)


def _key(found: Object) -> Key:
    return found.group, found.kind, found.namespace, found.name


def _stages(stack: Stack, before: Stack) -> Iterator[Hit]:
    """The operator applies the stages of the new release; what a stage that is gone has made is nobody's any more."""
    if stack.addon_layout != before.addon_layout:
        message = f'the addon convention was {before.addon_layout!r} and is {stack.addon_layout!r}: objects of running '
        message += 'clusters change their owner; try the upgrade on a cluster'
        yield Hit(stack.kubernetes.file, 1, message, seen=stack.addon_layout, severity=Severity.WARNING)
        return
    for name in before.stage_names:
        if name not in stack.stage_names:
            message = f'stage {name} of the release before is gone: say what becomes of its objects in running clusters'
            yield Hit(ADDON_CONFIG, 1, message, seen=name, severity=Severity.WARNING)
    for stage in stack.stages:
        if stage.name not in before.stage_names:
            message = f'stage {stage.name} is new: see that clusters that are upgraded get it, too'
            yield Hit(ADDON_CONFIG, stage.line, message, seen=stage.name, severity=Severity.NOTICE)


def _fixed(stack: Stack, old: Object, new: Object) -> Iterator[Hit]:
    for path in FIXED.get(new.kind, ()):
        one, other = old.root.get(*path), new.root.get(*path)
        if _plain(one) != _plain(other) and not (new.kind == 'Service' and other is None):
            place = new.place(stack, other)
            message = f'{".".join(path)} of {new.title} differs from the release before, and nobody may change it: '
            message += 'the operator cannot apply the stage in running clusters; give the object another name'
            yield Hit(place.file, place.line, message, seen=_short(other), wanted=_short(one))
    content = ('data', 'binaryData', 'stringData')
    changed = any(_plain(old.root.get(key)) != _plain(new.root.get(key)) for key in content)
    if new.kind in ('ConfigMap', 'Secret') and old.root.value('immutable') == 'true' and changed:
        place = new.place(stack)
        message = f'{new.title} was immutable in the release before and has other content: give it another name'
        yield Hit(place.file, place.line, message)


def _gone(stack: Stack, old: Object) -> Iterator[Hit]:
    file = f'{old.template.chart.path}/Chart.yaml'
    if file not in stack.files:
        return  # told for the stage
    severity = Severity.WARNING if old.kind == 'CustomResourceDefinition' else Severity.NOTICE
    message = f'{old.title} of the release before is gone: running clusters lose it, and what depends on it'
    yield Hit(file, 1, message, seen=old.title, severity=severity)


def _plain(node: Node | None) -> object:
    return node.plain() if node is not None else None


def _short(node: Node | None) -> str:
    text = str(_plain(node))
    return text if len(text) < 100 else f'{text[:97]}…'


def _deployment(app: str, name: str = 'operator') -> str:
    return (
        f'---\n# Source: cni/templates/a.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n'
        f'spec:\n  selector:\n    matchLabels: {{app: {app}}}\n'
    )


def _example(before: str, now: str, *hits: tuple[str, int]) -> Example:
    files = {f'{CHART}/templates/a.yaml': now.partition('a.yaml\n')[2]}
    return Example(files, {CHART: now}, before=Example(rendered={CHART: before}), hits=hits)


_TWO_STAGES = BASE[ADDON_CONFIG] + '    - name: csi\n      action: apply\n'
_CSI = {'cluster-addon/csi/Chart.yaml': 'apiVersion: v2\nname: csi\nversion: v1\n', ADDON_CONFIG: _TWO_STAGES}

RULE = Rule(
    id='upgrade-addons',
    severity=Severity.ERROR,
    title='addons of the release before can be replaced in running clusters',
    motivation='From one release to the next the addons of a cluster were not updated, unnoticed (issue 202).',
    check=check,
    bad=(
        _example(_deployment('a'), _deployment('b'), (f'{CHART}/templates/a.yaml', 6)),
        _example(_deployment('a'), _deployment('a', 'other'), (f'{CHART}/Chart.yaml', 1)),
        Example(before=Example(_CSI), hits=((ADDON_CONFIG, 1),)),
        Example(_CSI, before=Example(), hits=((ADDON_CONFIG, 7),)),
    ),
    good=(_example(_deployment('a'), _deployment('a')), Example(_CSI)),
)
