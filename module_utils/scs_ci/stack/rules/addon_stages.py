"""Stages of clusteraddon.yaml, directories in cluster-addon/ and hooks fit together."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import ADDON_CONFIG, ADDON_DIR, LAYOUT_B, Stack
from ..rule import BASE, Example, Hit, Rule
from ..treehash import ADDON_VALUES

EXECUTED = ('AfterControlPlaneInitialized', 'BeforeClusterUpgrade')
ACCEPTED = (*EXECUTED, 'AfterClusterUpgrade')
ACTIONS = ('apply', 'delete')
CNI = 'cluster-addon/cni/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    if stack.addon_layout == 'single':
        yield from _single(stack)
        return
    config = stack.yaml[ADDON_CONFIG]
    if config.broken:
        return
    if not stack.stages:
        yield Hit(
            ADDON_CONFIG, 1, 'no stage is named below addonStages, so no addon is ever applied', wanted='addonStages'
        )
    charts = {chart.directory for chart in stack.addon_charts}
    seen: set[tuple[str, str]] = set()
    for stage in stack.stages:
        if stage.name not in charts:
            message = (
                f'stage {stage.name!r} has no {ADDON_DIR}/{stage.name}/Chart.yaml; CSO skips it and reports success'
            )
            yield Hit(ADDON_CONFIG, stage.line, message, seen=stage.name, wanted=', '.join(sorted(charts)))
        if stage.action not in ACTIONS:
            yield Hit(
                ADDON_CONFIG, stage.line, f'unknown action {stage.action!r}', seen=stage.action, wanted='apply, delete'
            )
        if (stage.hook, stage.name) in seen:
            yield Hit(
                ADDON_CONFIG,
                stage.line,
                f'stage {stage.name!r} stands twice in {stage.hook}',
                severity=Severity.WARNING,
            )
        seen.add((stage.hook, stage.name))
    yield from _hooks(stack)
    yield from _both(stack)
    yield from _unused(stack, charts)


def _hooks(stack: Stack) -> Iterable[Hit]:
    first = {stage.hook: stage.line for stage in reversed(stack.stages)}
    for hook, line in first.items():
        if hook not in ACCEPTED:
            message = f'unknown hook {hook!r}: its stages are never applied'
            yield Hit(ADDON_CONFIG, line, message, seen=hook, wanted=', '.join(EXECUTED))
        elif hook not in EXECUTED and stack.layout != LAYOUT_B:
            message = f'CSO accepts the hook {hook} and never executes its stages'
            yield Hit(ADDON_CONFIG, line, message, seen=hook, severity=Severity.WARNING)


def _both(stack: Stack) -> Iterable[Hit]:
    """Where both hooks are used, what one applies the other applies: new clusters and upgraded ones are alike."""
    applied = {hook: {s.name: s for s in stack.stages if s.hook == hook and s.action == 'apply'} for hook in EXECUTED}
    first, upgrade = (applied[hook] for hook in EXECUTED)
    if not first or not upgrade:
        return
    for stages, others, hook, what in (
        (first, upgrade, EXECUTED[1], 'upgraded clusters keep what they have of it'),
        (upgrade, first, EXECUTED[0], 'new clusters go without it until they are upgraded'),
    ):
        for name, stage in stages.items():
            if name not in others:
                message = f'stage {name!r} is not in {hook}: {what}'
                yield Hit(ADDON_CONFIG, stage.line, message, seen=stage.hook, wanted=hook, severity=Severity.WARNING)


def _unused(stack: Stack, charts: set[str]) -> Iterable[Hit]:
    named = set(stack.stage_names)
    for name in sorted(charts - named):
        message = f'no stage in {ADDON_CONFIG} names {name!r}: it is packed and never applied'
        yield Hit(f'{ADDON_DIR}/{name}/Chart.yaml', 1, message, seen=name, severity=Severity.WARNING)
    if ADDON_VALUES in stack.files:
        message = f'{ADDON_CONFIG} selects stages, so this file of the old convention has no effect'
        yield Hit(ADDON_VALUES, 1, message, severity=Severity.WARNING)


def _single(stack: Stack) -> Iterable[Hit]:
    if not any(path.startswith(f'{ADDON_DIR}/') for path in stack.files):
        yield Hit(
            stack.kubernetes.file, 1, f'there are neither {ADDON_CONFIG} nor {ADDON_DIR}: clusters get no network'
        )
    elif not stack.addon_charts:
        message = f'without {ADDON_CONFIG}, {ADDON_DIR} must be one chart, and {ADDON_DIR}/Chart.yaml is missing'
        yield Hit(stack.kubernetes.file, 1, message, wanted=ADDON_CONFIG)


def _config(old: str, new: str) -> dict[str, str | None]:
    return {ADDON_CONFIG: BASE[ADDON_CONFIG].replace(old, new)}


_TWO = ''.join(f'    - name: {name}\n      action: apply\n' for name in ('cni', 'csi'))
_ONE = '    - name: cni\n      action: apply\n'
_CSI = {'cluster-addon/csi/Chart.yaml': 'apiVersion: v2\nname: csi\nversion: v1\n'}


def _stages(first: str, upgrade: str, *lines: int) -> Example:
    text = f'addonStages:\n  AfterControlPlaneInitialized:\n{first}  BeforeClusterUpgrade:\n{upgrade}'
    return Example({ADDON_CONFIG: text, **_CSI}, hits=tuple((ADDON_CONFIG, line) for line in lines))


RULE = Rule(
    id='addon-stages',
    severity=Severity.ERROR,
    title='every stage has a chart, every chart a stage, every hook is executed',
    motivation=(
        'CSO skips a stage without directory and sets everything to ready; nodes wait for a network for ever. Addons '
        'that no stage of an upgrade names stay what they were (issue 202).'
    ),
    check=check,
    bad=(
        Example(_config('name: cni', 'name: cnii'), hits=((ADDON_CONFIG, 5), (CNI, 1))),
        Example(_config('AfterControlPlaneInitialized', 'AfterControlPlaneInitialised'), hits=((ADDON_CONFIG, 5),)),
        Example(_config('AfterControlPlaneInitialized', 'AfterClusterUpgrade'), hits=((ADDON_CONFIG, 5),)),
        Example(_config('action: apply', 'action: install'), hits=((ADDON_CONFIG, 5),)),
        Example({ADDON_VALUES: 'values: ""\n'}, hits=((ADDON_VALUES, 1),)),
        _stages(_TWO, _ONE, 5),
        _stages(_ONE, _TWO, 8),
        Example({ADDON_CONFIG: None}, hits=(('csctl.yaml', 1),)),
        Example({ADDON_CONFIG: None, CNI: None}, hits=(('csctl.yaml', 1),)),
    ),
    good=(
        Example(),
        _stages(_TWO, _TWO),
        Example({ADDON_CONFIG: None, CNI: None, 'cluster-addon/Chart.yaml': 'name: a\nversion: v1\n'}),
    ),
)
