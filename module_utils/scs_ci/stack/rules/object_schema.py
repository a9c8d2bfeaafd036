"""Printed objects validate strictly against the definitions of what they are applied to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...core.records import Severity
from ..answers import INVALID, NO_DEFINITION, NO_VERSION, UNKNOWN_FIELD, UNREADABLE, Problem
from ..hits import at
from ..model import Stack
from ..objects import Object, addon_objects, class_objects, variant_objects
from ..paths import find, segments
from ..rule import Example, Hit, Rule

TEMPLATE = 'cluster-class/templates/class.yaml'
CHART = 'cluster-addon/cni/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    answers = stack.answers
    for found, problems in zip(class_objects(stack), answers.class_objects, strict=False):
        for problem in problems:
            yield from _hit(stack, found, problem)
    yield from _variants(stack)
    for found, problems in zip(addon_objects(stack), answers.addon_objects, strict=False):
        for problem in problems:
            # Addons may use whatever other addons bring; only what Kubernetes itself has is known here.
            if problem.kind != NO_DEFINITION:
                yield from _hit(stack, found, problem)


def _variants(stack: Stack) -> Iterator[Hit]:
    """What is wrong at other points of the matrix only; one place is told with the first point that shows it."""
    told = {
        (found.kind, problem)
        for found, problems in zip(class_objects(stack), stack.answers.class_objects, strict=False)
        for problem in problems
    }
    for found, problems in zip(variant_objects(stack), stack.answers.variants, strict=False):
        for problem in problems:
            if (found.kind, problem) not in told:
                told.add((found.kind, problem))
                point = f' ({found.template.point})'
                yield from _hit(stack, found, replace(problem, message=problem.message + point), point)


def _hit(stack: Stack, found: Object, problem: Problem, point: str = '') -> Iterator[Hit]:
    node = find(found.root, problem.path)
    own = found.place(stack, node).own
    # What a chart of somebody else prints is a fact to know; the stack's author cannot correct it there.
    severity = None if own else Severity.WARNING
    line = node.line
    if problem.kind == UNKNOWN_FIELD:
        message = f'{found.title} ({found.api_version}) has no field {problem.path}: the API server refuses it{point}'
        yield at(stack, found, line, message, seen=''.join(segments(problem.path)[-1:]), severity=severity)
    elif problem.kind in (INVALID, UNREADABLE):
        where = f' at {problem.path}' if problem.path else ''
        yield at(stack, found, line, f'{found.title} is invalid{where}: {problem.message}', severity=severity)
    elif problem.kind == NO_VERSION:
        message = f'{found.title}: {problem.message}; what scs-ci pins does not have it'
        yield at(stack, found, line, message, seen=found.api_version, severity=severity)
    elif problem.kind == NO_DEFINITION and problem.path:
        yield at(stack, found, line, f'{found.title}: {problem.message}', seen=found.kind, severity=severity)


IMAGE = (
    'apiVersion: openstack.k-orc.cloud/v1alpha1\n'
    'kind: Image\n'
    'metadata:\n'
    '  name: {{ .Release.Name }}\n'
    'spec:\n'
    '  resource:\n'
    '    properties:\n'
    '      diskBus: scsi\n'
)
UNKNOWN = {'kind': 'unknown-field', 'path': 'spec.resource.properties.diskBus', 'message': 'unknown field'}


def _example(chart: str, file: str, kind: str, path: str, *hits: tuple[str, int], source: bool = True) -> Example:
    rendered = f'# Source: x/{file}\n' + IMAGE.replace('{{ .Release.Name }}', 'x')
    problem = {**UNKNOWN, 'kind': kind, 'path': path}
    part = 'class' if chart == 'cluster-class' else 'addons'
    files = {f'{chart}/{file}': IMAGE} if source else {}
    return Example(files, {chart: rendered}, answer={part: [[problem]]}, hits=hits)


def _variant(point: str, *hits: tuple[str, int]) -> Example:
    """An Image that only a point of the matrix has."""
    text = '{{- if .Values.orc }}\n' + IMAGE + '{{- end }}\n'
    printed = '# Source: x/templates/class.yaml\n' + IMAGE.replace('{{ .Release.Name }}', 'x')
    variants = {(point, 'cluster-class'): printed} if point else {}
    return Example(
        {TEMPLATE: text}, {'cluster-class': ''}, variants=variants, answer={'variants': [[UNKNOWN]]}, hits=hits
    )


DISK_BUS = 'spec.resource.properties.diskBus'
RULE = Rule(
    id='object-schema',
    severity=Severity.ERROR,
    title='printed objects validate against their definitions',
    motivation=(
        'diskBus of an Image stood outside of `hardware`: the server-side apply of CSO refuses such an object, and '
        'says only that it failed to apply everything.'
    ),
    check=check,
    bad=(
        _example('cluster-class', 'templates/class.yaml', 'unknown-field', DISK_BUS, (TEMPLATE, 8)),
        _example('cluster-class', 'templates/class.yaml', 'no-version', 'apiVersion', (TEMPLATE, 1)),
        _example('cluster-addon/cni', 'templates/a.yaml', 'invalid', '', ('cluster-addon/cni/templates/a.yaml', 1)),
        _example('cluster-addon/cni', 'charts/c/templates/a.yaml', 'invalid', 'spec', (CHART, 1), source=False),
        _variant('values: orc=true', (TEMPLATE, 9)),
    ),
    good=(
        Example(),
        _variant(''),
        _example('cluster-addon/cni', 'templates/a.yaml', 'no-definition', ''),
        _example('cluster-addon/cni', 'templates/a.yaml', 'deprecated', 'apiVersion'),
    ),
    asks=True,
)
